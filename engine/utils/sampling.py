"""Sampling of images and fields at given positions: a typed wrapper of ``cv2.remap``.

OpenCV's cubic kernel (and that of ``GridSample`` in ONNX, torch and TensorRT) is the family of Keys, "Cubic
Convolution Interpolation" (IEEE TASSP 29(6), 1981), with a = -0.75.  Keys' own a = -0.5 reproduces a straight
line; -0.75 is sharper and does not: what lies at a fraction t between two pixels is shown at
``t + t (1 - t) (1 - 2 t) / 2``, which is 14 % too far at 0.3 and half as far again near 0.  Where small
motion is drawn, the kernel is therefore used at :func:`line_fraction`: as sharp, and in its place.
"""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

_T = TypeVar("_T", bound=np.generic)

A = -0.75
"""Parameter of OpenCV's cubic kernel."""

FIRST, THIRD, FIFTH = 1.30693565, -1.94375014, 2.86403013
"""Coefficients of the odd polynomial by which :func:`line_fraction` leads from the middle between two pixels
outwards; it is right to 0.002 of a pixel, and at both pixels exactly."""


def line_fraction(t: float) -> float:
    """Fraction (0..1) at which OpenCV's cubic kernel gives a straight line its value at ``t``.

    It is the solution u + 1/2 of ``u^3 + 3/4 u = t - 1/2``.
    """
    q = t - 0.5
    return 0.5 + q * (FIRST + q * q * (THIRD + q * q * FIFTH))


def cubic_weights(t: float) -> Floats:
    """``(4,) float32`` weights of OpenCV's cubic kernel at a fraction, for the pixels at -1, 0, 1 and 2."""
    apart = np.abs(np.arange(-1, 3) - t)
    near = ((A + 2) * apart - (A + 3)) * apart**2 + 1
    far = A * (((apart - 5) * apart + 8) * apart - 4)
    return np.asarray(np.where(apart < 1, near, far), np.float32)


def sample(
    values: NDArray[_T],
    lookup: Floats,
    rows: Floats | None = None,
    *,
    cubic: bool = False,
    mirrored: bool = False,
    out: NDArray[_T] | None = None,
) -> NDArray[_T]:
    """``values`` at fractional indices; what lies outside repeats the border.

    Args:
        values: ``(H, W)`` or ``(H, W, C)``, C up to 4; uint8 or float32.
        lookup: ``(h, w, 2) float32`` indices (x, y); 0 is the centre of the first column or row.
        rows: optional y indices ``(h, w)``; ``lookup`` then holds x only, ``(h, w)``.
        cubic: OpenCV's cubic kernel instead of bilinear.
        mirrored: continue with the mirror image outside instead of the border.
        out: ``(h, w)`` or ``(h, w, C)`` to write into and return; its rows may lie apart.

    Returns:
        ``(h, w)`` or ``(h, w, C)``, of the same type as ``values``.
    """
    kernel = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_REPLICATE
    source: Any = values
    # One map of pairs: cv2's type stubs know two separate ones only.
    pairs: Any = lookup
    second: Any = rows
    target: Any = out
    found: Any = cv2.remap(source, pairs, second, kernel, target, border)
    return found  # type: ignore[no-any-return]


def stretch(values: Floats, size: tuple[int, int], to_source: Floats, *, cubic: bool = False) -> Floats:
    """``values`` ``(H, W[, C])`` on another grid; outside it is 0, or its border when ``cubic``.

    Args:
        size: width and height of the result.
        to_source: ``(2, 3)`` from result indices to source indices.
    """
    kernel = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    border = cv2.BORDER_REPLICATE if cubic else cv2.BORDER_CONSTANT
    found: Any = cv2.warpAffine(
        values, to_source, size, flags=kernel | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return found  # type: ignore[no-any-return]
