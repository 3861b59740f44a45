"""Drawing of photos into a result: each through the mesh, softly, only where it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.mesh.rasterizer import Rasterizer
from mien.engine.photos.album import Fitted
from mien.engine.photos.choice import (
    BETTER_SIDE,
    FADE_SIDE,
    Choice,
    eye_distance,
    mouth_distance,
    turn_distance,
)
from mien.engine.photos.photo import Traits
from mien.engine.photos.places import Place, eye_place, mouth_place
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep

OWN_MOUTH = 0.7
"""Factor of the portrait's own distance: on 167 frames of six people a photo's mouth was nearer to the truth
where it was nearer to what is wanted by 0.55."""

UNLIKE_MOUTH = (1.5, 2.2)
"""Distance of the portrait's mouth from which on a photo's counts, and counts wholly."""

SHUTTING = (0.65, 0.4)
"""Share of the portrait's opening of an eye below which a photo's lids count, and count wholly."""

SEAM = 40
"""Parts of an eye's place over one of which its lids are smoothed where they meet."""

COARSE = 96
"""Longest side at which the map into a photo is made, pixels."""

TURNING = (0.10, 0.21)
"""Turn (radians) from which on another side counts, and counts wholly."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One photo at one place.

    Attributes:
        photo: whose pixels.
        place: where.
        share: how far, 0..1.
    """

    photo: Fitted
    place: Place
    share: float


@dataclass(frozen=True, slots=True)
class Patches:
    """Everything to draw into one image, in order, and where its mesh is.

    Attributes:
        patches: what.
        vertices: ``(V, 2) float32`` pixel indices of the image.
        depth: ``(V,) float32`` pixels, smaller is nearer.
        mouth: how far the mouth's inside is a photo's, 0..1.
    """

    patches: tuple[Patch, ...]
    vertices: Floats
    depth: Floats
    mouth: float


class PhotoChooser:
    """Chooses the photos of one avatar's images, frame after frame; one thread at a time.

    Args:
        photos: those that may be used.
        own: traits of the portrait.
        mouth: whether the portrait's mouth is seen; where it is not, none is put there.
    """

    def __init__(self, photos: Sequence[Fitted], own: Traits, mouth: bool = True) -> None:
        self._photos, self._own, self._has_mouth = tuple(photos), own, mouth
        self._mouth, self._eyes = Choice(), (Choice(), Choice())
        self._side = Choice(BETTER_SIDE, FADE_SIDE)

    def choose(self, wanted: Traits, time: float, vertices: Floats, depth: Floats) -> Patches | None:
        """What goes into the image of a face that does ``wanted`` at ``time``, seconds; None: nothing."""
        patches = self._sides(wanted, time)
        for eye in range(2):
            patches += self._lids(wanted, eye, time)
        mouth = self._mouths(wanted, time) if self._has_mouth else []
        patches += mouth
        if not patches:
            return None
        return Patches(tuple(patches), vertices, depth, max((patch.share for patch in mouth), default=0.0))

    @property
    def changing(self) -> bool:
        """Whether one photo is passing into another."""
        choices = (self._mouth, *self._eyes, self._side)
        return any(share < 1 for choice in choices for _, share in choice.shown)

    def _sides(self, wanted: Traits, time: float) -> list[Patch]:
        own = turn_distance(self._own, wanted)
        others = {i: turn_distance(photo.traits, wanted) for i, photo in enumerate(self._photos)}
        turn = np.hypot(wanted.turn[0] - self._own.turn[0], wanted.turn[1] - self._own.turn[1])
        share = smoothstep(ramp(float(turn), TURNING))
        shown = self._side(own, others, time)
        return [Patch(self._photos[i], self._photos[i].side, w * share) for i, w in shown if w * share > 0]

    def _lids(self, wanted: Traits, eye: int, time: float) -> list[Patch]:
        usual = max(self._own.eyes[eye], 1e-3)
        others = {
            i: eye_distance(photo.traits, wanted, eye)
            for i, photo in enumerate(self._photos)
            if photo.traits.eyes[eye] < SHUTTING[0] * usual
        }
        share = smoothstep(ramp(wanted.eyes[eye] / usual, SHUTTING))
        shown = self._eyes[eye](eye_distance(self._own, wanted, eye), others, time)
        place = eye_place(eye)
        return [Patch(self._photos[i], place, w * share) for i, w in shown if w * share > 0]

    def _mouths(self, wanted: Traits, time: float) -> list[Patch]:
        others = {i: mouth_distance(photo.traits, wanted) for i, photo in enumerate(self._photos)}
        own = mouth_distance(self._own, wanted)
        share = smoothstep(ramp(own, UNLIKE_MOUTH))
        shown = self._mouth(OWN_MOUTH * own, others, time)
        place = mouth_place()
        return [Patch(self._photos[i], place, w * share) for i, w in shown if w * share > 0]


class PhotoPainter:
    """Draws patches; keeps the rasters that it needs."""

    def __init__(self) -> None:
        self._raster = Rasterizer(8, 8)

    def draw(self, image: Image, patches: Patches) -> None:
        """Draw them, in place: ``image`` ``(H, W, 3+) uint8``."""
        for patch in patches.patches:
            self._draw(image, patches, patch)

    def _draw(self, image: Image, where: Patches, patch: Patch) -> None:
        triangles = patch.place.triangles
        if len(triangles) == 0:
            return
        box = _box(where.vertices[np.unique(triangles)], image.shape)
        if box is None:
            return
        rows, columns = box
        size = columns.stop - columns.start, rows.stop - rows.start
        x, y, weight = self._looked_up(where, patch, box, size)
        found: Any = cv2.remap(patch.photo.image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        part = image[rows, columns, :3]
        below = np.ascontiguousarray(part)
        part[...] = cv2.blendLinear(found, below, weight, np.float32(1) - weight)

    def _looked_up(
        self, where: Patches, patch: Patch, box: tuple[slice, slice], size: tuple[int, int]
    ) -> tuple[Any, Any, Any]:
        """Where each pixel in the box looks in the photo, x and y, and the photo's share of it.

        The map has no cut, since lips and lids are the same in photo and result; so it is made coarsely.
        """
        most = max(size)
        scale = min(1.0, COARSE / most)
        coarse = max(2, round(size[0] * scale)), max(2, round(size[1] * scale))
        if self._raster.size != coarse:
            self._raster = Rasterizer(*coarse)
        colours = np.column_stack([patch.photo.vertices, patch.place.weights]).astype(np.float32)
        corner = np.array([box[1].start - 0.5, box[0].start - 0.5], np.float32)
        ratio = np.array([coarse[0] / size[0], coarse[1] / size[1]], np.float32)
        at = (where.vertices - corner) * ratio - np.float32(0.5)
        x, y, weight = cv2.split(
            self._raster.draw(at, where.depth * ratio[0], colours, patch.place.triangles)
        )
        # Of those pixels alone that are drawn: beside them nothing is known.
        drawn = (weight > 0).astype(np.float32)
        x *= drawn
        y *= drawn
        if patch.place.meeting:
            reach = 2 * max(round(coarse[0] / SEAM), 1) + 1
            blurred = [cv2.blur(plane, (reach, reach)) for plane in (x, y, drawn)]
        else:
            blurred = [x, y, drawn]
        weight = smoothstep(np.asarray(np.clip(weight, 0, 1), np.float32)) * np.float32(patch.share)
        planes: list[Any] = [*blurred, weight]
        if coarse != size:
            planes = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes]
        known = np.maximum(planes[2], np.float32(1e-3))
        return planes[0] / known, planes[1] / known, planes[3]


def _box(points: Floats, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int) + 1
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(shape[1], int(high[0])), min(shape[0], int(high[1]))
    if right - left < 2 or bottom - top < 2:
        return None
    return slice(top, bottom), slice(left, right)
