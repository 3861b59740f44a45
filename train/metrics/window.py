"""The square around a clip's face in which motion is measured, reduced to a size suited to the layout."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from mien.engine.face.layout import N_MESH
from mien.engine.types import Face, Image

SIDE = 256
"""Largest side of the window's image: twice the layout's, so that sampling it there does not alias."""

MARGIN = 1.7
"""Side of the window in sides of the landmarks' box: a head may move by a third of its size within it."""


@dataclass(frozen=True, slots=True)
class FaceWindow:
    """An upright square of every frame, the same for all; it may reach beyond the image (border repeats).

    Attributes:
        left, top, side: whole pixels.
        size: side of the window's image, at most :data:`SIDE`.
    """

    left: int
    top: int
    side: int
    size: int

    @staticmethod
    def around(face: Face) -> FaceWindow:
        """The window around the face in a clip's first frame."""
        points = face.landmarks[:N_MESH, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        side = max(16, round(MARGIN * float((high - low).max())))
        left, top = np.round((low + high - side) / 2).astype(int)
        return FaceWindow(int(left), int(top), side, min(side, SIDE))

    def cut(self, image: Image) -> Image:
        """``(size, size, 3) uint8``: the window of a frame; reduced by area."""
        height, width = image.shape[:2]
        rows = np.clip(np.arange(self.top, self.top + self.side), 0, height - 1)
        columns = np.clip(np.arange(self.left, self.left + self.side), 0, width - 1)
        part = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        above, before = int((rows == rows[0]).sum()) - 1, int((columns == columns[0]).sum()) - 1
        below, after = self.side - above - part.shape[0], self.side - before - part.shape[1]
        if above or below or before or after:
            wide = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REPLICATE)
            part = np.asarray(wide, np.uint8)
        if self.size == self.side:
            return np.ascontiguousarray(part)
        return np.asarray(cv2.resize(part, (self.size, self.size), interpolation=cv2.INTER_AREA), np.uint8)

    def face(self, face: Face) -> Face:
        """The face as it lies in the window's image."""
        scale = np.float32(self.size / self.side)
        corner = np.array([self.left, self.top, 0], np.float32)
        return replace(face, landmarks=(face.landmarks - corner) * scale)
