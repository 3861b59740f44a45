"""An image that goes on beyond its borders as its mirror image, sheared so that strands run on straight.

Plainly mirrored, hair that the border cuts aslant turned back there in a zigzag.  Where strands cross the
border in one direction, the mirror image is shifted along it, by twice as much as they run aslant.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats, Image

DEPTH, ALONG = 0.05, 0.025
"""How far into the image strands are looked at, and the standard deviation of the weights along the border
with which they are averaged; in sides of the crop."""

STEEPEST = 1.5
"""How far along the border strands run at most for each pixel into the image: others hardly cross it."""

FAINT = 9.0
"""Mean square of the changes along a border below which there are no strands (grey levels a pixel)."""


def beyond_borders(image: Image, rims: tuple[int, int, int, int], side: float) -> Image:
    """An image with rims that go on along its strands.

    Args:
        image: ``(H, W, C) uint8``.
        rims: pixels to add at the top, the bottom, the left and the right.
        side: of the crop, pixels.
    """
    top, bottom, left, right = rims
    found = _grown(image, top, bottom, side)
    if left or right:
        found = _turned(_grown(_turned(found), left, right, side))
    return found


def slopes(inner: Image, side: float) -> Floats:
    """``(W,)`` how far along a border strands run for each pixel away from it.

    Args:
        inner: ``(D, W, C) uint8`` what lies within the border, which is the first row.
        side: as above.
    """
    grey = np.asarray(inner.astype(np.float32).mean(axis=2), np.float32)
    away, along = (cv2.Scharr(grey, cv2.CV_32F, dx, 1 - dx, scale=1 / 32) for dx in (0, 1))
    # The filter sees nothing beyond the strip's first and last row.
    within = slice(1, -1)
    sums = np.stack([(along * away)[within].mean(axis=0), (along * along)[within].mean(axis=0)])
    both, square = cv2.GaussianBlur(sums, (0, 0), sigmaX=ALONG * side, sigmaY=1e-3)
    found = -both / (square + FAINT)
    return np.asarray(np.clip(found, -STEEPEST, STEEPEST), np.float32)


def _grown(image: Image, before: int, after: int, side: float) -> Image:
    """With rows added before the first and after the last."""
    parts = [image]
    if before:
        parts.insert(0, _rows_beyond(image, before, side)[::-1])
    if after:
        parts.append(_rows_beyond(image[::-1], after, side))
    return image if len(parts) == 1 else np.concatenate(parts)


def _rows_beyond(image: Image, count: int, side: float) -> Image:
    """``(count, W, C)`` rows beyond the first one, from near to far."""
    depth = min(max(round(DEPTH * side), 4), len(image))
    inner = np.ascontiguousarray(image[: max(depth, count + 2)])
    away = np.arange(1, count + 1, dtype=np.float32)[:, None]
    along = np.arange(image.shape[1], dtype=np.float32)
    at = along + 2 * away * slopes(inner[:depth], side)
    rows = np.broadcast_to(away, at.shape).astype(np.float32)
    found: Any = cv2.remap(inner, at, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(found, np.uint8)


def _turned(image: Image) -> Image:
    return np.ascontiguousarray(image.transpose(1, 0, 2))
