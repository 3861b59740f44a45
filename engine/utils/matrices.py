"""Small matrices, for which a call of LAPACK takes several times as long as the arithmetic."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def determinant(matrix: NDArray[Any]) -> float:
    """The determinant of a ``(3, 3)`` matrix."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return float(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
