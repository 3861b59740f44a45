"""Curves between 0 and 1, and values held softly below a limit."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T", float, NDArray[np.float32], NDArray[np.float64])


def ramp(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second on, and straight between them."""
    low, high = ends
    return min(max((value - low) / (high - low), 0.0), 1.0)


def smoothstep(share: _T) -> _T:
    """``3 s^2 - 2 s^3`` for 0 <= s <= 1: from 0 to 1 without a kink at either end.

    Args:
        share: s, a number or an array of either float type, clipped already.

    Returns:
        the same type.
    """
    value: Any = share
    return value * value * (3 - 2 * value)  # type: ignore[no-any-return]


def limited(value: _T, free: float, most: float) -> _T:
    """Values up to ``free`` as they are, larger ones softly below ``most``; a number or an array."""
    given: Any = value
    beyond = np.maximum(given - free, 0)
    return given - beyond + (most - free) * np.tanh(beyond / (most - free))  # type: ignore[no-any-return]
