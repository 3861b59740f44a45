"""Looking pictures and fields up at given places: one typed door to ``cv2.remap``."""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

_T = TypeVar("_T", bound=np.generic)

FINER = 4
"""How much finer the grid is that lies between a field and a picture's pixels."""


def sample(
    values: NDArray[_T], lookup: Floats, rows: Floats | None = None, *, cubic: bool = False
) -> NDArray[_T]:
    """``values`` at fractional indices; what lies outside repeats the border.

    Args:
        values: ``(H, W)`` or ``(H, W, C)``, C up to 4; uint8 or float32.
        lookup: ``(h, w, 2) float32`` indices (x, y); 0 is the centre of the first column or row.
        rows: given, ``lookup`` is ``(h, w)``, x alone, and y is here.
        cubic: Keys' cubic kernel instead of bilinear.

    Returns:
        ``(h, w)`` or ``(h, w, C)``, of the same type as ``values``.
    """
    kernel = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    source: Any = values
    # One map of pairs: cv2's type stubs know two separate ones only.
    pairs: Any = lookup
    second: Any = rows
    found: Any = cv2.remap(source, pairs, second, kernel, borderMode=cv2.BORDER_REPLICATE)
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


def stretch_planes(values: Floats, to_source: Floats, out: Floats) -> None:
    """``values`` ``(H, W, C)`` on another grid, into ``out`` ``(C, h, w)``; outside it is their border.

    Cubic onto a grid :data:`FINER` times as fine, linear from there: of smooth values within 1 % of what
    the cubic kernel gives everywhere, in a fifth of its time.  (As products of matrices it would be exact and
    as fast, but those take every core, and OpenBLAS goes on spinning there.)

    Args:
        to_source: ``(2, 3)`` from result indices to indices of ``values``.
    """
    height, width = values.shape[:2]
    fine = cv2.resize(values, (FINER * width, FINER * height), interpolation=cv2.INTER_CUBIC)
    to_fine = to_source * np.float32(FINER)
    to_fine[:, 2] += (FINER - 1) / 2  # resizing keeps pixels' corners and not their centres
    size = out.shape[2], out.shape[1]
    for plane, target in zip(cv2.split(fine), out, strict=True):
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(plane, to_fine, size, target, how, cv2.BORDER_REPLICATE)
