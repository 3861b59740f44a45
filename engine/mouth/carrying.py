"""From the avatar's mouth to the driver's: a thin-plate spline through the edges of the lips.

Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", IEEE PAMI 11 (6),
1989; with a little smoothing, so that a landmark that trembles bends no tooth.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.mouth.edge import gap_of, width_of
from mien.engine.types import Floats
from mien.engine.utils.vectors import as_complex, as_points

SMOOTHING = 2e-3
"""Added to the spline's diagonal; the unit of length is the mouth's width."""

COLUMNS, ROWS = 18, 10
"""Nodes at which the spline is computed; between them it is interpolated, linearly: it is smooth, and the
cubic kernel of OpenCV bends straight lines."""

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
    system[:count, :count] = _bending(start[:, 0], start[:, 1], start)
    system.reshape(-1)[: count * len(system) : len(system) + 1] += SMOOTHING  # its diagonal
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :] = start
    system[count + 1 :, :count] = start.T
    weights = np.linalg.solve(system, np.concatenate([end, np.zeros((3, 2))]))
    rows, columns = box
    nodes_x, whole_x = _nodes(columns, COLUMNS)
    nodes_y, whole_y = _nodes(rows, ROWS)
    nodes = np.empty((len(nodes_y), len(nodes_x), 2))
    nodes[..., 0] = across = (nodes_x - middle[0]) / unit
    nodes[..., 1] = down = ((nodes_y - middle[1]) / unit)[:, None]
    bending = _bending(across, down, start).reshape(-1, count)
    found = bending @ weights[:count] + weights[count] + nodes.reshape(-1, 2) @ weights[count + 1 :]
    coarse = np.ascontiguousarray(found.reshape(len(nodes_y), len(nodes_x), 2), np.float32)
    grown: Any = cv2.resize(coarse, (whole_x[1], whole_y[1]), interpolation=cv2.INTER_LINEAR)
    down, right = (
        slice(edge, edge + part.stop - part.start)
        for (edge, _), part in ((whole_y, rows), (whole_x, columns))
    )
    return np.ascontiguousarray(grown[down, right])


def _nodes(part: slice, count: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Where the spline is computed along one axis, for ``cv2.resize`` to interpolate between.

    It takes a node for the middle of a cell, and repeats the outermost ones: they lie beyond the part.

    Returns:
        the nodes, and how many pixels the part begins behind the first cell, of how many that are made.
    """
    size = part.stop - part.start
    edge = -(-size // count)
    whole = size + 2 * edge
    count += 2
    return part.start - edge - 0.5 + (np.arange(count) + 0.5) * (whole / count), (edge, whole)


def _bending(x: np.ndarray, y: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """``(..., N)`` r^2 log r of the distances from places to centres ``(N, 2)``.

    Args:
        x, y: of the places; what one of them is repeated along is squared once.
    """
    across, down = (
        np.square(at[..., None] - np.ascontiguousarray(centres[:, axis])) for axis, at in enumerate((x, y))
    )
    square = across + down
    np.maximum(square, 1e-12, out=square)
    found = np.log(square)
    found *= square
    found *= 0.5
    return np.asarray(found)


def _turned(vectors: Floats, ring: Floats, other: Floats) -> Floats:
    """Vectors at a mouth in the size and direction of another one."""
    from_corners, to_corners = (complex(*(edge[10] - edge[0])) for edge in (ring, other))
    turn = to_corners / (from_corners if abs(from_corners) > 1e-3 else 1.0)
    return as_points(turn * as_complex(vectors))


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
    return gap_of(ring) / max(width_of(ring), 1e-3)
