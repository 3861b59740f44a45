"""A fixed window on a clip: the face and what is around it, at the clip's own pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.types import Face, Floats, Image

MOST = 640
"""Largest side of a window's images in pixels; larger ones are reduced, to bound memory."""


@dataclass(frozen=True, slots=True)
class View:
    """A window: left, top, right, bottom in whole pixels of the clip, and the reduction (1 or less)."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float

    @staticmethod
    def around(square: Square, image: Image) -> View:
        """The part of ``image`` ``(H, W, 3)`` within the square."""
        height, width = image.shape[:2]
        left, top = max(0, int(square.x)), max(0, int(square.y))
        right = min(width, int(np.ceil(square.x + square.side)))
        bottom = min(height, int(np.ceil(square.y + square.side)))
        return View(left, top, right, bottom, min(1.0, MOST / max(right - left, bottom - top)))

    def cut(self, image: Image) -> Image:
        """Copy the window out of ``image``; pixels are unchanged unless the window is reduced."""
        part = image[self.top : self.bottom, self.left : self.right]
        if self.scale == 1.0:
            return np.array(part)
        size = (round(part.shape[1] * self.scale), round(part.shape[0] * self.scale))
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def points(self, landmarks: Floats) -> Floats:
        """Landmarks ``(P, 3)`` from the clip's image coordinates to the window's."""
        corner = np.array([self.left, self.top, 0.0], np.float32)
        return np.asarray((landmarks - corner) * self.scale, dtype=np.float32)

    def face(self, face: Face) -> Face:
        """A face from the clip's image coordinates to the window's."""
        return replace(face, landmarks=self.points(face.landmarks))


def squared(image: Image, side: int) -> Image:
    """The image fitted into a ``side`` x ``side`` square, its border repeated where it is not square."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(image, size, interpolation=kind), dtype=np.uint8)
    rows, columns = side - size[1], side - size[0]
    pad = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    return np.pad(small, pad, mode="edge")
