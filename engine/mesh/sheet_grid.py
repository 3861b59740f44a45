"""The grid of a head's sheet: its triangles, finer rows for turned heads, and a row beyond its top."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats

NODES = 33
"""Nodes per side of the sheet's grid."""

FINE_ROWS = 2 * NODES - 1
"""Rows of the finer grid of a turned head: a turn shifts rows of hair against each other, and straight rows
between the sheet's own showed as zigzags."""


@lru_cache(maxsize=2)
def sheet_triangles(rows: int = NODES) -> NDArray[np.int32]:
    """``(T, 3)`` of the sheet's grid, or of one with so many rows."""
    index = np.arange(rows * NODES, dtype=np.int32).reshape(rows, NODES)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    found = np.stack([a, b, c, b, d, c], axis=-1).reshape(-1, 3)
    found.setflags(write=False)
    return found


def smooth_rows(values: Floats) -> Floats:
    """Values of the sheet's nodes, ``(G, C)``, at those of the finer grid, ``(FINE_ROWS NODES, C)``."""
    rows = _between_rows() @ values.reshape(NODES, -1)
    return np.asarray(rows.reshape(FINE_ROWS * NODES, -1), np.float32)


@lru_cache(maxsize=1)
def _between_rows() -> Floats:
    """``(FINE_ROWS, NODES)``: each row itself, and between two the cubic curve through four."""
    shares = np.zeros((FINE_ROWS, NODES), np.float32)
    shares[np.arange(0, FINE_ROWS, 2), np.arange(NODES)] = 1.0
    between = np.arange(NODES - 1)
    for step, share in ((-1, -1 / 16), (0, 9 / 16), (1, 9 / 16), (2, -1 / 16)):
        np.add.at(shares, (2 * between + 1, np.clip(between + step, 0, NODES - 1)), share)
    return shares


def with_row_above(nodes: Floats, up: float) -> Floats:
    """Nodes ``(G, C)``, places first (x, y), with their first row once more, so far above it."""
    above: Floats = nodes[:NODES].copy()
    above[:, 1] -= np.float32(up)
    return np.concatenate([above, nodes])
