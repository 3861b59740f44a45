"""Vectors of the plane as complex numbers, ``x + iy``: numpy gathers and scales those several times as fast.

Rows of two are copied one by one; scaled by a column, they are a loop of two for each.  Multiplied by a real
number, either form gives the same bits.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

Numbers: TypeAlias = NDArray[np.complex64]
Complexes: TypeAlias = NDArray[np.complex128]


def as_numbers(vectors: Floats) -> Numbers:
    """``(N,) complex64`` of vectors ``(N, 2) float32``: a view where they lie one after the other."""
    return np.ascontiguousarray(vectors, np.float32).view(np.complex64)[:, 0]


def as_vectors(numbers: Numbers) -> Floats:
    """``(N, 2) float32`` of numbers ``(N,)``, contiguous ones: a view."""
    return numbers.view(np.float32).reshape(-1, 2)


def as_complex(points: Floats) -> Complexes:
    """``(N,)`` points ``(N, 2)`` of any float type as complex numbers of double precision."""
    return np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0]


def as_points(numbers: Complexes) -> Floats:
    """``(N, 2) float32`` of complex numbers ``(N,)``, contiguous ones."""
    return numbers.view(np.float64).reshape(-1, 2).astype(np.float32)
