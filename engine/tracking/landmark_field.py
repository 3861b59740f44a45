"""The landmarks' displacements as a smooth field: a thin-plate spline as a matrix; with and without noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mien.engine.face.layout import COARSE, GRID, N_MESH, grow, layout
from mien.engine.face.lips import near_lips
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp

PIECES = 12
"""Pieces of the product, each small enough for one BLAS thread: for the whole, BLAS wakes all cores for
0.2 ms of work, and on a busy machine waits 20 ms for them.  It divides the numbers of nodes and landmarks."""

NOISE = 0.018
"""Landmark displacements below this (face units; 1.5 px on a face 145 px wide) are left to the alignment."""

LIVELY, LIVELY_NOISE = (0.02, 0.05), 0.25
"""Root mean square of the landmarks' displacements, face units, from which on less is left to the alignment,
up to which it falls, and the share that remains then.  In large motion the landmarks' noise is small beside
what the alignment would have to find without them: on two passages of talking and turning heads, live, faces
lie 0.03 px nearer to the truth.  Subtle passages are below it.  Lips stay as they are: where teeth show,
their landmarks are off by more, the alignment does not bring them back, and an upper lip swells."""


def on_grid(moved: Floats, quick: bool = False) -> Floats:
    """Interpolate displacements ``(468, 2)`` at the landmarks to the grid: ``(GRID * GRID, 2) float32``.

    Args:
        quick: evaluate every second node and interpolate cubically in between: a quarter of the matrix, which
            then stays in the processor's cache (0.2 instead of 0.5 ms); landmarks are sparser than nodes.
    """
    if not quick:
        return _product(layout().to_nodes[N_MESH:], moved)
    coarse = _product(layout().to_coarse, moved).reshape(COARSE, COARSE, 2)
    return grow(coarse, GRID).reshape(-1, 2)


def at_points(moved: Floats) -> Floats:
    """``(468, 2) float32`` smoothed displacements at the landmarks themselves."""
    return _product(layout().to_nodes[:N_MESH], moved)


def without_noise(field: Floats) -> Floats:
    """Shorten the landmarks' displacements on the grid by their noise (continuously, down to zero).

    Args:
        field: ``(GRID * GRID, 2)``, face units.
    """
    length = np.hypot(field[:, 0], field[:, 1])
    size = float(np.sqrt(length @ length / len(length)))
    noise = np.float32(NOISE) - np.float32(NOISE * ramp(size, LIVELY)) * _spared()
    keep = np.clip(1.0 - noise / np.maximum(length, 1e-9), 0.0, 1.0)
    return np.asarray(field * keep[:, None], dtype=np.float32)


@lru_cache(maxsize=1)
def _spared() -> Floats:
    """``(GRID * GRID,)`` share of the noise that does not count on the liveliest face."""
    return np.asarray((1.0 - LIVELY_NOISE) * (1.0 - near_lips()[N_MESH:]), np.float32)


def _product(matrix: Floats, values: Floats) -> Floats:
    pieces = matrix.reshape(PIECES, -1, matrix.shape[1])
    return np.asarray((pieces @ values).reshape(len(matrix), -1), np.float32)
