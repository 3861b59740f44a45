"""Light: sRGB values to linear light and back, and highlights that bend instead of being clipped.

Transfer function of IEC 61966-2-1 (sRGB); luminance by ITU-R BT.709.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats, Image

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)

GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of OpenCV's grey values, of sRGB values (ITU-R BT.601)."""

BEND = 0.6
"""Linear light up to which nothing is bent."""

STEPS, MOST = 4096, 8.0
"""Entries of the table back to sRGB, and the linear light of its last one.  Entries are even in the square
root of light: even in light, shadows would have too few."""


def to_linear(values: Floats) -> Floats:
    """SRGB values in 0..255 as linear light in 0..1."""
    share = np.asarray(values, np.float32) / 255
    high = ((share + 0.055) / 1.055) ** 2.4
    return np.asarray(np.where(share <= 0.04045, share / 12.92, high), np.float32)


def to_srgb(light: Floats) -> Floats:
    """Linear light in 0..1 as sRGB values in 0..255; highlights are bent, so that they keep their shape."""
    beyond = np.maximum(light - BEND, 0)
    bent = np.clip(light, 0, BEND) + (1 - BEND) * beyond / (1 - BEND + beyond)
    return _curve(bent)


def _curve(light: Floats) -> Floats:
    low = 12.92 * light
    return np.asarray(255 * np.where(light <= 0.0031308, low, 1.055 * light ** (1 / 2.4) - 0.055), np.float32)


def relit(image: Image, matrix: Floats, shadows: Floats | None = None, dark: float = 0.0) -> Image:
    """An image with its linear light multiplied by a ``(3, 3)`` matrix, highlights bent; ``uint8`` RGB.

    Args:
        shadows: the matrix for what is dark, if it has one of its own.
        dark: the light at which half of that counts.
    """
    light: Any = cv2.LUT(image, _decoding())
    if shadows is None or dark <= 0:
        cv2.transform(light, matrix, light)
        return _encoded(light)
    share: Any = cv2.transform(light, LUMINANCE[None] / np.float32(dark))
    cv2.multiply(share, share, share)
    share += 1
    cv2.divide(1.0, share, share)
    below: Any = cv2.transform(light, np.asarray(shadows - matrix, np.float32))
    cv2.multiply(below, cv2.merge([share] * 3), below)
    cv2.transform(light, matrix, light)
    light += below
    return _encoded(light)


def lit(image: Image, factor: Floats) -> Image:
    """An image with its linear light multiplied by ``(H, W, 3) float32``; what becomes brighter is bent."""
    before: Any = cv2.LUT(image, _decoding())
    after = before * factor
    plain = _encoded(np.minimum(before, after), bent=False)
    return np.asarray(np.maximum(plain, _encoded(after)), np.uint8)


def linear(image: Image) -> Floats:
    """Linear light in 0..1 of a ``uint8`` image, ``float32`` of the same shape."""
    return np.asarray(cv2.LUT(image, _decoding()), np.float32)


def _encoded(light: Any, *, bent: bool = True) -> Image:
    """Linear light as ``uint8``, highlights bent; ``light`` is used up."""
    np.maximum(light, 0, out=light)
    cv2.sqrt(light, light)
    light *= np.float32((STEPS - 1) / MOST**0.5)
    index = np.minimum(light, STEPS - 1).astype(np.intp)
    return np.asarray(_encoding(bent).take(index), np.uint8)


@lru_cache(maxsize=1)
def _decoding() -> Floats:
    return to_linear(np.arange(256, dtype=np.float32))


@lru_cache(maxsize=2)
def _encoding(bent: bool) -> Image:
    roots = (np.arange(STEPS, dtype=np.float32) + 0.5) * np.float32(MOST**0.5 / (STEPS - 1))
    values = to_srgb(roots**2) if bent else _curve(np.minimum(roots**2, 1))
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
