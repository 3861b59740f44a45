"""Pictures of any shape, whole within a fixed one."""

from __future__ import annotations

import cv2
import numpy as np

from engine.types import Image


def fit_into(image: Image, size: tuple[int, int], out: Image | None = None) -> Image:
    """The whole picture within ``(width, height)``, black where it does not fill it.

    Args:
        image: ``(H, W, 3) uint8``; given back as it is where it fits exactly.
        out: ``(height, width, 3) uint8`` to draw into; a new array when left out.
    """
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    if out is None:
        out = np.zeros((height, width, 3), np.uint8)
    else:
        out[:] = 0
    out[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=how)
    return out
