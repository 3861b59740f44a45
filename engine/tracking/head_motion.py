"""The head's own motion, apart from the face's: first by the landmarks, then to sub-pixels by the field."""

from __future__ import annotations

from cmath import phase
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.head_pose import Similarity, fit_similarity
from mien.engine.face.layout import N_MESH, apply2
from mien.engine.face.regions import region_maps
from mien.engine.motion import Head
from mien.engine.tracking.reference import Reference
from mien.engine.types import Face, Floats


def landmark_motion(reference: Reference, face: Face, turned: Floats) -> tuple[Similarity, Floats]:
    """Head similarity and the landmarks' remaining displacements, ``(468, 2)`` face units."""
    now = face.landmarks[:N_MESH, :2]
    then = reference.geometry.points[:N_MESH] + (turned - reference.geometry.nodes)[:N_MESH]
    head = fit_similarity(then, now, region_maps().rigid_points)
    return head, apply2(reference.to_layout[:N_MESH], head.inverse().apply(now) - then)


def split_head(
    reference: Reference, head: Similarity, turned: Floats, grid: Floats, every: int
) -> tuple[Similarity, Floats]:
    """Attribute the skull's share of the field to the head: a head steady to sub-pixels, a clean expression.

    Only one in ``every`` of the skull's nodes is fitted; the field is smooth, so its neighbours agree.
    """
    at_rest = turned[N_MESH:]
    now = head.apply(at_rest + apply2(reference.geometry.axes[N_MESH:], grid))
    rigid = region_maps().rigid_grid
    solid = _skull()[::every]
    refined = fit_similarity(at_rest[solid], now[solid], rigid[solid], rounds=3)
    return refined, apply2(reference.to_layout[N_MESH:], refined.inverse().apply(now) - at_rest)


@lru_cache(maxsize=1)
def _skull() -> NDArray[np.intp]:
    """The grid's nodes that move with the skull."""
    return np.flatnonzero(region_maps().rigid_grid > 0.05)


def head_motion(reference: Reference, head: Similarity, turn: tuple[float, float]) -> Head:
    """The similarity and the turn as a motion in face units, independent of the driver's image."""
    geometry = reference.geometry
    centre = complex(float(geometry.centre[0]), float(geometry.centre[1]))
    shift = (head.a * centre + head.b - centre) / geometry.unit
    return Head((shift.real, shift.imag), abs(head.a), phase(head.a), turn)
