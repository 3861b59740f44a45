"""Face detection: anchor decoding, weighted non-maximum suppression, and the search over windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.landmarks.crops import CROP_SCALE, crop_to_image, cut
from mien.engine.landmarks.networks import DETECTOR_SIDE, DetectorNetwork
from mien.engine.types import FaceCrop, Floats, Image

MIN_SCORE = 0.5
"""Minimum score of a face in the whole image (MediaPipe's value)."""
MIN_SEARCH_SCORE = 0.7
"""Minimum score in a closer, turned or wider window; higher, because more windows give more false
positives."""
MIN_OVERLAP = 0.5
"""Boxes whose intersection over union exceeds this are the same face."""

GLANCES = 4
"""Windows, besides the whole image, that one glance covers."""

_GRIDS = ((16, 2), (8, 6))  # cells per side, anchors per cell
_TILTS = (math.radians(45), math.radians(-45))
_TILES = (2.0, 4.5)  # of the longer side: about 70 px, then 36 px faces in 1280 px
_STEP = 2 / 3  # of a tile's side, between tiles


class Detector:
    """Finds faces in whole images with the short-range detector."""

    def __init__(self, data: bytes, threads: int) -> None:
        self._network = DetectorNetwork(data, threads)
        self._anchors = _anchors()

    def twin(self) -> Detector:
        """Another detector with the same compiled network, for another thread."""
        other = copy(self)
        other._network = self._network.twin()
        return other

    def search(self, image: Image) -> Iterator[list[FaceCrop]]:
        """Search ever finer (and turned) windows; yields the faces of one stage at a time.

        The caller stops when it has found enough.  The first stage is the whole image, which is all that
        MediaPipe searches.
        """
        height, width = image.shape[:2]
        for number, stage in enumerate(_stages(width, height)):
            least = MIN_SEARCH_SCORE if number else MIN_SCORE
            faces: list[tuple[float, FaceCrop]] = []
            for window in stage:
                for score, face in self._look(image, window, least):
                    if not any(_same(face, other) for _, other in faces):
                        faces.append((score, face))
            yield [face for _, face in sorted(faces, key=lambda item: -item[0])]

    def glance(self, image: Image, turn: int) -> list[FaceCrop]:
        """Search the whole image, then a few of the remaining windows; the next call takes the next few.

        A whole search takes 100 ms, too long for a live frame; this takes a tenth of that.

        Args:
            turn: number of the call.
        """
        first, *others = _stages(image.shape[1], image.shape[0])
        windows = [window for stage in others for window in stage]
        begin = turn * GLANCES % len(windows)
        for window, least in (
            (first[0], MIN_SCORE),
            *((window, MIN_SEARCH_SCORE) for window in windows[begin : begin + GLANCES]),
        ):
            if found := self._look(image, window, least):
                return [face for _, face in found]
        return []

    def _look(self, image: Image, window: FaceCrop, least: float) -> list[tuple[float, FaceCrop]]:
        """Scores and landmark crops of the faces in one square window, best first."""
        cut(image, window, self._network.image, cv2.BORDER_CONSTANT)
        raw, logits = self._network.run()
        found = np.flatnonzero(logits >= math.log(least / (1 - least)))
        if found.size == 0:
            return []
        scores = np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits[found], -100, 100))), np.float32)
        boxes = _decode(raw[found], self._anchors[found])
        return [(score, _crop_of_box(box, window)) for score, box in _merge(boxes, scores)]


def _anchors() -> Floats:
    """Centres ``(896, 2)`` of the anchors in 0..1; every anchor is as large as the image."""
    parts = []
    for cells, per_cell in _GRIDS:
        centres = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        parts.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), per_cell, axis=0))
    return np.concatenate(parts)


def _decode(raw: Floats, anchors: Floats) -> Floats:
    """``(N, 16)`` in 0..1: box corners x0 y0 x1 y1, then six key points (the eyes first)."""
    boxes = raw / np.float32(DETECTOR_SIDE)
    centre = boxes[:, :2] + anchors
    half = boxes[:, 2:4] / 2
    points = boxes[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
    return np.concatenate([centre - half, centre + half, points.reshape(-1, 12)], axis=1)


def _merge(boxes: Floats, scores: Floats) -> list[tuple[float, Floats]]:
    """Weighted non-maximum suppression: each group of overlapping boxes becomes its weighted mean."""
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    result = []
    while scores.size:
        same = _overlap(boxes[0], boxes) > MIN_OVERLAP
        same[0] = True
        result.append((float(scores[0]), np.average(boxes[same], axis=0, weights=scores[same])))
        boxes, scores = boxes[~same], scores[~same]
    return result


def _overlap(box: Floats, boxes: Floats) -> NDArray[np.float32]:
    """Intersection over union of one box with many."""
    size = np.minimum(box[2:4], boxes[:, 2:4]) - np.maximum(box[:2], boxes[:, :2])
    both = np.maximum(size, 0).prod(axis=1)
    area = (box[2:4] - box[:2]).prod() + (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1) - both
    return np.asarray(both / np.maximum(area, 1e-12), np.float32)


def _crop_of_box(box: Floats, window: FaceCrop) -> FaceCrop:
    """The landmark crop of a face found in a window (box coordinates in 0..1 of the window)."""
    matrix = crop_to_image(window, 1)
    centre = matrix[:, :2] @ ((box[:2] + box[2:4]) / 2) + matrix[:, 2]
    along = matrix[:, :2] @ (box[6:8] - box[4:6])
    return FaceCrop(
        x=float(centre[0]),
        y=float(centre[1]),
        size=float((box[2:4] - box[:2]).max()) * window.size * CROP_SCALE,
        angle=math.atan2(along[1], along[0]),
    )


def _same(one: FaceCrop, other: FaceCrop) -> bool:
    """Whether two crops are of the same face: they share most of the smaller one."""
    reach = max(one.size, other.size) / CROP_SCALE / 2
    return math.hypot(one.x - other.x, one.y - other.y) < reach


def _stages(width: int, height: int) -> Iterator[list[FaceCrop]]:
    """Windows by stage: whole image; from further away (faces that fill it); turned; tiles of two sizes."""
    side = max(width, height)
    x, y = width / 2, height / 2
    yield [FaceCrop(x, y, side, 0.0)]
    yield [FaceCrop(x, y, side * 1.75, 0.0)]
    yield [FaceCrop(x, y, side * 1.25, tilt) for tilt in _TILTS]
    for divisor in _TILES:
        tile = side / divisor
        if tile >= DETECTOR_SIDE / 2:
            yield [
                FaceCrop(tile_x, tile_y, tile, 0.0)
                for tile_y in _centres(height, tile)
                for tile_x in _centres(width, tile)
            ]


def _centres(length: int, tile: float) -> list[float]:
    """Centres of overlapping tiles that cover ``length``."""
    if length <= tile:
        return [length / 2]
    count = math.ceil((length - tile) / (tile * _STEP)) + 1
    return [float(c) for c in np.linspace(tile / 2, length - tile / 2, count)]
