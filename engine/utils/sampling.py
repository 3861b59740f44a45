"""Sampling of images and fields at given positions: a typed wrapper of ``cv2.remap``."""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

_T = TypeVar("_T", bound=np.generic)


def sample(
    values: NDArray[_T],
    lookup: Floats,
    rows: Floats | None = None,
    *,
    cubic: bool = False,
    mirrored: bool = False,
) -> NDArray[_T]:
    """``values`` at fractional indices; what lies outside repeats the border.

    Args:
        values: ``(H, W)`` or ``(H, W, C)``, C up to 4; uint8 or float32.
        lookup: ``(h, w, 2) float32`` indices (x, y); 0 is the centre of the first column or row.
        rows: optional y indices ``(h, w)``; ``lookup`` then holds x only, ``(h, w)``.
        cubic: Keys' cubic kernel instead of bilinear.
        mirrored: continue with the mirror image outside instead of the border.

    Returns:
        ``(h, w)`` or ``(h, w, C)``, of the same type as ``values``.
    """
    kernel = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_REPLICATE
    source: Any = values
    # One map of pairs: cv2's type stubs know two separate ones only.
    pairs: Any = lookup
    second: Any = rows
    found: Any = cv2.remap(source, pairs, second, kernel, borderMode=border)
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
