"""Teacher flow: target of the motion part, measured with access to the driving image.

Dense inverse search (OpenCV's ``DISOpticalFlow``) between driving and source image, in both directions.
It reconstructs held-out pairs with half the error of the landmark warp (design.md).  Where the two
directions contradict each other, something was uncovered, which gives the occlusion target.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE
from mien.engine.types import Floats, Image

NORM_PER_PIXEL = 2.0 / (IMAGE_SIZE - 1)
MOST_COLOUR_ERROR = 45.0
"""Grey levels (local mean, shading removed) above which the flow is considered wrong at a place."""


def teacher_flow(source: Image, driving: Image) -> Floats:
    """Backward flow from driving to source, and where it is valid.

    Args:
        source, driving: ``(256, 256, 3) uint8`` RGB.

    Returns:
        ``(3, 64, 64) float32``: x, y in normalised units, and visibility in 0..1.
    """
    first, second = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (driving, source))
    dis = _dis()
    nothing: Any = None
    backward = dis.calc(first, second, nothing)
    forward = dis.calc(second, first, nothing)
    x, y = pixel_grid()
    at_x, at_y = x + backward[..., 0], y + backward[..., 1]
    there = cv2.remap(forward, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    miss = np.square(backward + there).sum(axis=2)
    bound = 0.5 + 0.01 * (np.square(backward).sum(axis=2) + np.square(there).sum(axis=2))
    warped = cv2.remap(source, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colour = cv2.blur(np.abs(warped.astype(np.float32) - driving).mean(axis=2), (5, 5))
    inside = (at_x >= 0) & (at_x < IMAGE_SIZE) & (at_y >= 0) & (at_y < IMAGE_SIZE)
    visible = ((miss < bound) & (colour < MOST_COLOUR_ERROR) & inside).astype(np.float32)
    planes = np.dstack([backward * np.float32(NORM_PER_PIXEL), visible])
    return np.ascontiguousarray(to_field(planes).transpose(2, 0, 1))


def to_field(planes: Floats) -> Floats:
    """``(256, 256, C)`` to the model's ``(64, 64, C)`` grid, whose corner nodes are the corner pixels."""
    smooth = cv2.GaussianBlur(planes, (7, 7), 1.2, borderType=cv2.BORDER_REPLICATE)
    axis = np.linspace(0, IMAGE_SIZE - 1, FIELD_SIZE, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return np.asarray(cv2.remap(smooth, x, y, cv2.INTER_LINEAR), dtype=np.float32)


def _dis() -> Any:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


@lru_cache(maxsize=1)
def pixel_grid() -> tuple[Floats, Floats]:
    """``(256, 256)`` x and y pixel indices."""
    axis = np.arange(IMAGE_SIZE, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y
