"""The recording of a live run: one picture size, times from zero, whatever the live run does."""

from __future__ import annotations

import cv2
import numpy as np

from engine.types import Image
from streams.sink import Sink


class Recorder:
    """Writes a live run's pictures into a sink of a fixed size.

    Args:
        sink: the file.
        size: width and height of its pictures.
    """

    def __init__(self, sink: Sink, size: tuple[int, int]) -> None:
        self.sink, self.size = sink, size
        self._start: float | None = None

    def write(self, image: Image, time: float) -> None:
        """Add a picture; the first one is at time zero, whenever the camera was opened."""
        if self._start is None:
            self._start = time
        self.sink.write(fit_into(image, self.size), time - self._start)


def fit_into(image: Image, size: tuple[int, int]) -> Image:
    """The whole picture within ``(width, height)``, black where it does not fill it."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    out = np.zeros((height, width, 3), np.uint8)
    out[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=how)
    return out
