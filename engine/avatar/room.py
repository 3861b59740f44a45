"""How far a head may move within its crop: whatever it does, the crop must not cut its face.

A head that comes near grows and shifts at once.  In a wide portrait, where its crop ends in the middle of the
image, it was cut as with a knife.  Where the portrait itself ends, it may cut a head, as any photo does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.pose_limits import within
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.layout import N_MESH
from mien.engine.types import Floats

BESIDE = 0.15
"""Face units around the face that stay within the crop with it.  Hair further out may be squeezed: its motion
fades out towards the crop's border, the face's does not."""

FREELY, LEAST = 0.6, 0.1
"""Share of the room that a face may take freely, more is approached; and the least room, face units."""

WAYS = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]], np.float32)
"""To the left, right, top and bottom."""


@dataclass(frozen=True, slots=True)
class Room:
    """A head's room within its crop; pixels of the portrait.

    Attributes:
        head: ``(4,)`` how far the face and what is close around it reach from the centre, as :data:`WAYS`.
        free: ``(4,)`` how far it is from there to where the crop ends, infinite where the portrait does.
        unit: of the face.
    """

    head: Floats
    free: Floats
    unit: float

    @staticmethod
    def of(
        geometry: FaceGeometry, crop: Square, size: tuple[int, int], corner: tuple[int, int] = (0, 0)
    ) -> Room:
        """A portrait's, of this width and height, which begins at this column and row."""
        centre, unit = geometry.centre, np.float32(geometry.unit)
        head = ((geometry.points[:N_MESH] - centre) @ WAYS.T).max(axis=0) + np.float32(BESIDE) * unit
        ends = np.array([crop.x, crop.x + crop.side, crop.y, crop.y + crop.side], np.float32)
        (left, top), (width, height) = corner, size
        whole = np.array([left, left + width, top, top + height], np.float32)
        cut_off = (ends - whole) * WAYS.sum(axis=1) >= 0
        free = np.abs(ends - np.repeat(centre, 2)) - head
        return Room(head, np.where(cut_off, np.inf, np.maximum(free, LEAST * unit)), geometry.unit)

    def kept(self, shift: tuple[float, float], scale: float) -> tuple[tuple[float, float], float]:
        """A head's shift (face units) and scale, with which it stays within its crop."""
        moved = WAYS @ np.asarray(shift, np.float32) * np.float32(self.unit) + (scale - 1) * self.head
        share = 1.0
        for excess, most in zip(moved.tolist(), self.free.tolist(), strict=True):
            if excess > FREELY * most:
                share = min(share, within((excess, 0.0), FREELY * most, most)[0] / excess)
        return (shift[0] * share, shift[1] * share), 1 + (scale - 1) * share
