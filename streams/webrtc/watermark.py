"""The visible mark on every frame that leaves for others: it says that the frame is synthetic."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Image

WORD = "synthetic"
HEIGHT = 0.032
"""Height of the capitals in shares of the frame's height: legible at 256 px, not in the way at 1024."""


class Watermark:
    """Stamps the word in the lower left corner, white with a dark rim, readable on any ground."""

    def __init__(self) -> None:
        self._size = (0, 0)
        self._shade: NDArray[np.uint16] = np.zeros((0, 0, 1), np.uint16)
        self._light: NDArray[np.uint16] = np.zeros((0, 0, 1), np.uint16)

    def stamp(self, image: Image) -> None:
        """Watermark ``(H, W, 3) uint8`` in place."""
        height, width = image.shape[:2]
        if self._size != (width, height):
            self._prepare(width, height)
        rows, columns = self._shade.shape[:2]
        corner = image[height - rows :, :columns]
        # Fixed point: the ground is kept in shares of 1/256, the letters' light is added.
        corner[...] = (corner.astype(np.uint16) * self._shade + self._light) >> 8

    def _prepare(self, width: int, height: int) -> None:
        self._size = (width, height)
        scale = max(0.35, HEIGHT * height / 21)
        thick = max(1, round(scale * 1.6))
        font = cv2.FONT_HERSHEY_SIMPLEX
        (w, h), base = cv2.getTextSize(WORD, font, scale, thick)
        pad = max(3, round(0.4 * h))
        rows, columns = min(height, h + base + 2 * pad), min(width, w + 2 * pad)
        letters = np.zeros((rows, columns), np.uint8)
        place = (pad, pad + h)
        cv2.putText(letters, WORD, place, font, scale, 255, thick, cv2.LINE_AA)
        rim = cv2.GaussianBlur(cv2.dilate(letters, np.ones((3, 3), np.uint8)), (0, 0), max(0.8, scale * 1.5))
        light = letters.astype(np.float32) / 255
        dark = np.clip(rim.astype(np.float32) / 255 * 1.2, 0, 0.7)
        self._shade = np.round(256 * (1 - dark) * (1 - light)).astype(np.uint16)[..., None]
        self._light = np.round(255 * 256 * 0.92 * light).astype(np.uint16)[..., None]
