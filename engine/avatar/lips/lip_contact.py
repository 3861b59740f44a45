"""Contact of the lips: lips that would pass through each other meet halfway, and the skin follows.

A driver who shuts a mouth that was open in their reference makes a portrait whose mouth is already shut
shut it further.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep

ABOVE, BELOW = 0.16, 0.45
"""Reach of the following skin above the upper and below the lower lip, face units: to nose and chin."""

BESIDE = 0.12
"""The same to the sides of the mouth's corners."""

UPPER_ROWS = ((184, 74, 73, 72, 11, 302, 303, 304, 408), (183, 42, 41, 38, 12, 268, 271, 272, 407))
LOWER_ROWS = ((77, 90, 180, 85, 16, 315, 404, 320, 307), (96, 89, 179, 86, 15, 316, 403, 319, 325))
CORNER_ROWS = ((76, 306), (62, 292))
"""Landmarks between the outer and the inner edge of the lips, in the edges' order."""

OFF = (0.3, 0.6)
"""Widths of a lip from which on such a landmark is off its place between the edges, and wholly so."""


def part_lips(points: Floats) -> None:
    """Keep the lips from crossing; ``(468+, 2)`` landmarks of any unit, changed in place."""
    upper, lower = list(topo.LIPS_UPPER_INNER[1:-1]), list(topo.LIPS_LOWER_INNER[1:-1])
    corners = points[topo.LIPS_UPPER_INNER[-1]] - points[topo.LIPS_UPPER_INNER[0]]
    down = np.array([-corners[1], corners[0]], np.float32) / max(float(np.hypot(*corners)), 1e-6)
    crossed = np.minimum((points[lower] - points[upper]) @ down, 0.0)
    if crossed.any():
        # Ends of the rows are the corners, where nothing crosses.
        half = 0.5 * np.concatenate([[0.0], crossed, [0.0]]).astype(np.float32)
        points[:N_MESH] += (lip_ties() @ half)[:, None] * down


def keep_within_edges(points: Floats, source: Floats) -> None:
    """Keep what lies between a lip's edges there; ``(468+, 2)`` landmarks, ``points`` changed in place.

    Where a driver's opened mouth shuts, the edges of the portrait's lips meet, and rows of landmarks between
    them would go on.

    Args:
        source: the same landmarks in the portrait.
    """
    inner, outer, between, along = between_edges(source)
    before, now = source[outer] - source[inner], points[outer] - points[inner]
    width = np.maximum(_dot(before, before), 1e-12)
    from_edge = source[between] - source[inner]
    beside = from_edge - along[:, None] * before
    wanted = points[inner] + along[:, None] * now + beside
    apart = points[between] - wanted
    off = np.hypot(*apart.T) / np.sqrt(width)
    low, high = OFF
    share = smoothstep(np.clip((off - low) / (high - low), 0.0, 1.0))
    points[between] -= (share[:, None] * apart).astype(np.float32)


def between_edges(source: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], Floats]:
    """Landmarks between the lips' edges, the inner and outer ones beside them, and their share of the way.

    Args:
        source: ``(468+, 2)`` the landmarks in the portrait.

    Returns:
        inner, outer, between, and how far the last lie on the way from the first to the second.
    """
    inner, outer, between = _rows()
    before = source[outer] - source[inner]
    from_edge = source[between] - source[inner]
    along = _dot(from_edge, before) / np.maximum(_dot(before, before), 1e-12)
    return inner, outer, between, np.asarray(along, np.float32)


def _dot(one: Floats, other: Floats) -> Floats:
    """``(N,)`` products of vectors ``(N, 2)``: numpy's sums along narrow rows take several times as long."""
    return np.asarray(one[:, 0] * other[:, 0] + one[:, 1] * other[:, 1])


@lru_cache(maxsize=1)
def _rows() -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Landmarks between the lips' edges, and the inner and outer ones that each lies between."""
    inner: list[int] = []
    outer: list[int] = []
    between: list[int] = []
    for inside, outside, rows in (
        (topo.LIPS_UPPER_INNER[1:-1], topo.LIPS_UPPER_OUTER[1:-1], UPPER_ROWS),
        (topo.LIPS_LOWER_INNER[1:-1], topo.LIPS_LOWER_OUTER[1:-1], LOWER_ROWS),
        ((78, 308), (61, 291), CORNER_ROWS),
    ):
        for row in rows:
            inner, outer, between = [*inner, *inside], [*outer, *outside], [*between, *row]
    return np.array(inner), np.array(outer), np.array(between)


@lru_cache(maxsize=2)
def lip_ties(below_lips: float = BELOW, beside: float = BESIDE) -> Floats:
    """``(468, 11)``: how far each landmark follows the pairs of the inner lips, upwards negative.

    Args:
        below_lips, beside: reach of the following skin, face units.
    """
    flat = layout().points
    found = np.zeros((N_MESH, len(topo.LIPS_UPPER_INNER)), np.float32)
    line = (flat[list(topo.LIPS_UPPER_INNER)] + flat[list(topo.LIPS_LOWER_INNER)]) / 2
    height = np.interp(flat[:, 0], line[:, 0], line[:, 1])
    below = flat[:, 1] > height
    below[list(topo.LIPS_LOWER_INNER)], below[list(topo.LIPS_UPPER_INNER)] = True, False
    for is_below, edge, reach, sign in (
        (False, topo.LIPS_UPPER_OUTER, ABOVE, 1.0),
        (True, topo.LIPS_LOWER_OUTER, below_lips, -1.0),
    ):
        outer = flat[list(edge)]
        rim = np.interp(flat[:, 0], outer[:, 0], outer[:, 1])
        beyond = np.maximum(0.0, (flat[:, 1] - rim) * (1 if is_below else -1))
        aside = np.maximum(0.0, np.maximum(line[0, 0] - flat[:, 0], flat[:, 0] - line[-1, 0]))
        share = np.maximum(0.0, 1 - beyond / reach) * np.maximum(0.0, 1 - aside / beside)
        share *= below == is_below
        along = np.stack([np.interp(flat[:, 0], line[:, 0], row) for row in np.eye(len(line))], axis=1)
        found += (sign * share[:, None] * along).astype(np.float32)
    found.setflags(write=False)
    return found
