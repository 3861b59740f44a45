"""The corners of a portrait's wide mouth, which a pursed one leaves behind.

The dark line between lips runs on past the landmarks' corners.  A mouth that becomes narrow takes the
landmarks along, and what lay beyond them was drawn out to two red smears beside an O.  As far as the mouth is
narrow, skin there shows what it is without that line.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, unit_on
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.canvas.smile_folds import LEAST, NONE, FoldedSkin, GoneSmile, draw_gain, looked_up
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.lips.pursing import narrowest
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats, Image

WIDE, ROUND, SOFT = 0.12, 0.15, 0.05
"""Widest line that goes, how far around a corner it does, and over how much that fades; face units."""

MARGIN = 0.35
"""Face units around a narrow mouth within which what is beside its corners is."""

FINE, KEPT = 0.018, 0.35
"""What is finer is a beard's hair, or the line's own edge (standard deviation, face units), and how much of
it stays: without any a beard had two bald patches, with all of it the line was still there."""

INWARDS = 0.13
"""How far within the corner lips are lips again, face units."""

_LIPS = list(topo.LIPS_OUTER)


def corner_skin(image: Image, points: Floats, unit: float) -> FoldedSkin:
    """What skin at the corners gains; for the arguments see :meth:`FoldedSkin.of`."""
    ends = points[list(topo.MOUTH_CORNERS)].astype(np.float32)
    reach = (ROUND + SOFT + WIDE) * unit
    low = np.maximum(np.floor(ends.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(ends.max(axis=0) + reach) + 1, image.shape[1::-1]).astype(int)
    high = np.maximum(high, low + 2)
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0], :3])
    side = max(3, round(WIDE * unit)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    soft: Any = cv2.GaussianBlur(part, (0, 0), max(0.8, FINE * unit)).astype(np.float32)
    clear = cv2.morphologyEx(soft + (1 - KEPT) * (part - soft), cv2.MORPH_CLOSE, kernel)
    clear = cv2.GaussianBlur(clear, (0, 0), max(0.8, SOFT / 2 * unit))
    goes = clear - (soft + np.float32(1 - KEPT) * (part - soft))
    gain = np.rint(goes * _region(ends - low, part.shape, unit)[..., None]) + NONE
    return FoldedSkin(np.clip(gain, 0, 255).astype(np.uint8), (int(low[0]), int(low[1])))


def _region(ends: Floats, shape: tuple[int, ...], unit: float) -> Floats:
    """``(h, w)`` in 0..1: around both corners, and not on the lips between them."""
    y, x = np.indices(shape[:2], np.float32)
    across = (ends[1] - ends[0]) / max(float(np.hypot(*(ends[1] - ends[0]))), 1e-6)
    found = np.zeros(shape[:2], np.float32)
    for end, outwards in zip(ends, (-across, across), strict=True):
        right, down = x - end[0], y - end[1]
        near = (ROUND - np.hypot(right, down) / unit) / SOFT
        beyond = 1 + (right * outwards[0] + down * outwards[1]) / (INWARDS * unit)
        found = np.maximum(found, np.clip(near, 0, 1) * np.clip(beyond, 0, 1))
    return np.asarray(found, np.float32)


class MouthCorners:
    """Clears the corners of one avatar's mouth where it becomes narrow; one thread at a time.

    Args:
        avatar: whose.
        canvas: on which they are drawn.
        still: its still image as a narrow mouth shows it, without the folds of a smile.
    """

    def __init__(self, avatar: Avatar, canvas: Canvas, still: Image) -> None:
        self.set_avatar(avatar, canvas, still)

    def set_avatar(self, avatar: Avatar, canvas: Canvas, still: Image) -> None:
        """Clear another avatar's from now on."""
        self._avatar, self._canvas = avatar, canvas
        points, self._unit = canvas.placed(avatar.source_points), unit_on(canvas, avatar)
        self._skin = corner_skin(still, points, self._unit)

    def place(self, moving: MeshMotion, warp: Warp) -> GoneSmile | None:
        """What is to be cleared in the image of a motion; None where the mouth is as wide as ever."""
        size = abs(moving.head.solid.a)
        share = narrowest(self._avatar.source_points, moving.vertices, size)
        if share < LEAST:
            return None
        return looked_up(
            self._canvas, self._skin, moving.vertices[_LIPS], warp, share, MARGIN * self._unit * size
        )

    def draw(self, image: Image, found: GoneSmile | None) -> float:
        """Draw the cleared skin, in place; milliseconds spent."""
        return draw_gain(self._canvas, self._skin, image, found)
