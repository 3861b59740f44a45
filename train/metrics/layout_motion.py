"""The motion measure of version 0.1, kept for one release so that old figures can be compared.

Each frame is looked at once, in the layout, through the landmarks of the clip's *first* frame, and the
similarity that fits the flow best *there* counts as the head's.  A rigid shift of a face whose
proportions are not the layout's is no similarity there, so part of it counts as expression: on other
people's faces this measure rewards carrying the head's sway over place by place.  Use
:mod:`mien.train.metrics.fair_motion`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import GRID, N_MESH, grow, layout
from mien.engine.types import Bools, Face, Floats, Image
from mien.engine.utils.sampling import sample
from mien.train.metrics.motion_field import SIDE, DenseMotion, face_mask, robust_similarity


class LayoutFlow:
    """Measures one clip's frames, in order.

    Args:
        face: the face in the first frame.
    """

    def __init__(self, face: Face) -> None:
        self.mask = face_mask()
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._lookup = _lookup(face)
        self._first: NDArray[np.uint8] | None = None

    def __call__(self, image: Image) -> Floats:
        """``(SIDE, SIDE, 2) float32`` facial motion since the first frame, layout pixels."""
        look = cv2.cvtColor(sample(image, self._lookup, cubic=True), cv2.COLOR_RGB2GRAY)
        gray = np.asarray(look, np.uint8)
        if self._first is None:
            self._first = gray
            return np.zeros((SIDE, SIDE, 2), np.float32)
        return without_similarity(self._flow.calc(self._first, gray, None), self.mask)


def layout_motion_of(frames: Iterable[Image], face: Face) -> DenseMotion:
    """The facial motion of a clip, by the measure of version 0.1.

    Args:
        frames: ``(H, W, 3) uint8`` RGB, all of one size; the first is what all motion is relative to.
        face: the face in the first frame.
    """
    measure = LayoutFlow(face)
    fields = [measure(image) for image in frames]
    if not fields:
        raise ValueError("a clip without frames has no motion")
    return DenseMotion(np.stack(fields), measure.mask)


def without_similarity(field: Floats, mask: Bools) -> Floats:
    """The field minus the similarity that fits the face's motion best (robustly), ``(SIDE, SIDE, 2)``."""
    rows, columns = np.nonzero(mask)
    moved = field[rows[::3], columns[::3]].astype(np.float64)
    slope, shift = robust_similarity((columns + 1j * rows)[::3], moved[:, 0] + 1j * moved[:, 1])
    y, x = np.mgrid[: field.shape[0], : field.shape[1]]
    head = slope * (x + 1j * y) + shift
    return np.asarray(field - np.stack([head.real, head.imag], axis=2), dtype=np.float32)


def _lookup(face: Face) -> Floats:
    """``(SIDE, SIDE, 2)`` pixel indices of the layout's pixels in the face's image."""
    mesh = np.ascontiguousarray(face.landmarks[:N_MESH, :2])
    nodes = layout().to_nodes[N_MESH:] @ mesh
    return grow((nodes - 0.5).astype(np.float32).reshape(GRID, GRID, 2), SIDE)
