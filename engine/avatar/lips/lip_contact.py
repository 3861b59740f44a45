"""Contact of the lips: lips that would pass through each other meet halfway, and the skin follows.

A driver who shuts a mouth that was open in their reference makes a portrait whose mouth is already shut
shut it further.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

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
    inner, outer, between = _rows()
    own = _own(np.asarray(source, np.float32).tobytes())
    now = points[outer] - points[inner]
    wanted = points[inner] + own.along[:, None] * now + own.beside
    apart = points[between] - wanted
    off = np.hypot(apart[:, 0], apart[:, 1]) / own.width
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
    return *_rows(), _own(np.asarray(source, np.float32).tobytes()).along


class _Own(NamedTuple):
    """What lies between the edges of a portrait's lips.

    Attributes:
        along: ``(66,)`` share of the way from the inner edge to the outer one at which each landmark lies.
        beside: ``(66, 2)`` how far beside that way.
        width: ``(66,)`` its length.
    """

    along: Floats
    beside: Floats
    width: Floats


@lru_cache(maxsize=16)
def _own(places: bytes) -> _Own:
    """By the ``(468+, 2) float32`` landmarks of a portrait: they stay where they are."""
    source = np.frombuffer(places, np.float32).reshape(-1, 2)
    inner, outer, between = _rows()
    before, from_edge = source[outer] - source[inner], source[between] - source[inner]
    square = np.maximum(_dot(before, before), 1e-12)
    along = np.asarray(_dot(from_edge, before) / square, np.float32)
    return _Own(along, from_edge - along[:, None] * before, np.sqrt(square))


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
