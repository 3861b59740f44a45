"""From the avatar's mouth to the driver's: a thin-plate spline through the edges of the lips.

Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", IEEE PAMI 11 (6),
1989; with a little smoothing, so that a landmark that trembles bends no tooth.
"""

from __future__ import annotations

import numpy as np

from mien.engine.types import Floats
from mien.engine.utils.sampling import stretch

SMOOTHING = 2e-3
"""Added to the spline's diagonal; the unit of length is the mouth's width."""

COLUMNS, ROWS = 17, 9
"""Nodes at which the spline is computed; between them it is interpolated: it is smooth."""

SQUEEZED = 0.55
"""What the driver's mouth is squeezed to at most; of lips that part less, the lower one hides the rest."""


def carried(inner: Floats, to_inner: Floats, to_outer: Floats, box: tuple[slice, slice]) -> Floats:
    """``(rows, columns, 2) float32``: for each pixel in ``box`` the place in the driver's image it shows.

    The avatar's lips are given the driver's thickness: thin ones would press the driver's into the mouth.

    Args:
        inner: ``(20, 2)`` the inner edges of the avatar's lips, pixel indices.
        to_inner, to_outer: ``(20, 2)`` the edges of the driver's, pixel indices of the driver's image.
        box: rows and columns of the avatar's image.
    """
    inner = _unsqueezed(inner, to_inner)
    outer = inner + _turned(to_outer - to_inner, to_inner, inner)
    start = np.concatenate([inner, outer]).astype(np.float64)
    end = np.concatenate([to_inner, to_outer]).astype(np.float64)
    middle, unit = start.mean(axis=0), max(float(np.ptp(start[:, 0])), 1.0)
    start = (start - middle) / unit
    count = len(start)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(start, start)
    system[range(count), range(count)] += SMOOTHING
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :] = start
    system[count + 1 :, :count] = start.T
    weights = np.linalg.solve(system, np.concatenate([end, np.zeros((3, 2))]))
    rows, columns = box
    size = columns.stop - columns.start, rows.stop - rows.start
    x = (np.linspace(columns.start, columns.stop - 1, COLUMNS) - middle[0]) / unit
    y = (np.linspace(rows.start, rows.stop - 1, ROWS) - middle[1]) / unit
    nodes = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    found = _bending(nodes, start) @ weights[:count] + weights[count] + nodes @ weights[count + 1 :]
    coarse = np.ascontiguousarray(found.reshape(ROWS, COLUMNS, 2), np.float32)
    ratio = (COLUMNS - 1) / max(size[0] - 1, 1), (ROWS - 1) / max(size[1] - 1, 1)
    to_coarse = np.array([[ratio[0], 0, 0], [0, ratio[1], 0]], np.float32)
    return stretch(coarse, size, to_coarse, cubic=True)


def _bending(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """r^2 log r of every distance."""
    across, down = (np.subtract.outer(points[:, axis], centres[:, axis]) for axis in (0, 1))
    across *= across
    down *= down
    across += down
    np.maximum(across, 1e-12, out=across)
    np.log(across, out=down)
    across *= down
    return np.asarray(0.5 * across)


def _turned(vectors: Floats, ring: Floats, other: Floats) -> Floats:
    """Vectors at a mouth in the size and direction of another one."""
    from_corners, to_corners = (complex(*(edge[10] - edge[0])) for edge in (ring, other))
    turn = to_corners / (from_corners if abs(from_corners) > 1e-3 else 1.0)
    found = turn * (vectors[:, 0] + 1j * vectors[:, 1])
    return np.stack([found.real, found.imag], axis=1).astype(np.float32)


def _unsqueezed(inner: Floats, to_inner: Floats) -> Floats:
    """The avatar's edges, the lower ones moved down where the driver's mouth would be squeezed too much."""
    asked = _openness(to_inner) * SQUEEZED
    lacking = asked - _openness(inner)
    if lacking <= 0:
        return inner
    across = inner[10] - inner[0]
    down = np.array([-across[1], across[0]], np.float32)
    # From nothing at the corners to the whole in the middle of the lower lip.
    share = np.zeros(20, np.float32)
    share[11:] = np.sin(np.pi * np.arange(1, 10) / 10)
    return np.asarray(inner + (lacking * share)[:, None] * down, np.float32)


def _openness(ring: Floats) -> float:
    """Gap between the lips in the middle over the mouth's width."""
    width = float(np.linalg.norm(ring[10] - ring[0]))
    return float(np.linalg.norm(ring[5] - ring[15])) / max(width, 1e-3)
