"""Images brought to a size, laid over white or taken apart, and outlines filled."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats, Image

WHITE = 255

CHECK, CHECK_SHADES = 16, (110, 150)
"""Side of a check in pixels, and the grey levels of both kinds."""


def planes_of(values: NDArray[Any]) -> list[Floats]:
    """The channels of ``(H, W, C)``, each ``(H, W)`` by itself.

    OpenCV's bindings copy the planes that they make themselves, and take three to five times as long.
    """
    planes: Any = [np.empty(values.shape[:2], values.dtype) for _ in range(values.shape[2])]
    return [np.asarray(plane, np.float32) for plane in cv2.split(values, planes)]


def range_of(values: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest of ``(H, W)`` values; numpy's two passes take two to four times as long."""
    given: Any = values
    least, most, _, _ = cv2.minMaxLoc(given)
    return least, most


def fit_within(image: Image, max_side: int) -> Image:
    """Reduce ``(H, W, 3)`` or ``(H, W, 4)`` by area averaging to ``max_side`` pixels at most; never enlarge.

    Returns:
        ``(H', W', ...) uint8``; ``image`` itself where it already fits.
    """
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def fit_into(image: Image, size: tuple[int, int], out: Image | None = None) -> Image:
    """Fit the whole image into ``(width, height)``, padding with black (clear black where it has opacity).

    Args:
        image: ``(H, W, 3)`` or ``(H, W, 4) uint8``; given back as it is where it fits exactly.
        out: ``(height, width, ...) uint8`` to draw into; a new array when left out.
    """
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    if out is None:
        out = np.zeros((height, width, image.shape[2]), np.uint8)
    else:
        out[:] = 0
    out[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=how)
    return out


def over_white(rgba: Image) -> Image:
    """Composite ``(H, W, 4) uint8`` over white, the paper that a cut-out portrait is thought on."""
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3] * alpha + WHITE * (255 - alpha) + 127
    return (blended // 255).astype(np.uint8)


def over_checks(rgba: Image) -> Image:
    """Composite ``(H, W, 4) uint8`` over grey checks, as editors show what is clear."""
    height, width = rgba.shape[:2]
    rows, columns = np.arange(height) // CHECK % 2, np.arange(width) // CHECK % 2
    checks = np.where(rows[:, None] == columns, *CHECK_SHADES)[..., None]
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3] * alpha + (checks * (255 - alpha)).astype(np.uint16) + 127
    return (blended // 255).astype(np.uint8)


def filled(outline: Floats, shape: tuple[int, ...]) -> Floats:
    """``(H, W) float32``: 1 within an outline ``(N, 2)`` of pixel indices, its edge smooth."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(mask / np.float32(255), np.float32)


def depth_within(places: Floats, outline: Floats) -> NDArray[np.float64]:
    """``(N,)`` how far within a closed outline ``(K, 2)`` places ``(N, 2)`` lie; negative outside."""
    ring = np.ascontiguousarray(outline)
    return np.array([cv2.pointPolygonTest(ring, (float(x), float(y)), True) for x, y in places])


def share_within(outline: Floats, box: tuple[slice, slice]) -> Image:
    """``(rows, columns) uint8``: the share of each pixel of a box within an outline ``(N, 2)``, 0..255.

    Args:
        outline: pixel indices of the image.
        box: rows and columns of the image.
    """
    size = box[1].stop - box[1].start, box[0].stop - box[0].start
    corner = np.array([box[1].start, box[0].start], np.float32)
    # Drawn larger and reduced: OpenCV's own smooth edges reach a pixel beyond the outline.
    scale = 8 if size[0] < 100 else 4 if size[0] < 200 else 2
    mask = np.zeros((size[1] * scale, size[0] * scale), np.uint8)
    places = ((outline - corner + 0.5) * scale - 0.5) * 16
    cv2.fillPoly(mask, [np.round(places).astype(np.int32)], 255, cv2.LINE_8, 4)
    # Halving has a path of its own in OpenCV, four times as fast as one reduction to the same.
    while scale > 1:
        scale //= 2
        mask = np.asarray(
            cv2.resize(mask, (size[0] * scale, size[1] * scale), interpolation=cv2.INTER_AREA), np.uint8
        )
    return mask
