"""Places of the face that a photo can be put into: weights of the mesh's vertices, soft at their edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.topology import MOUTH, RIGHT_EYE, face_topology
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep

LIPS = (0.06, 0.32)
LIDS = (0.05, 0.15)
"""Distances (face units) from lips and lids: up to the first a place is wholly the photo's, from the second
on not at all."""

SEEN = (1.25, 2.0)
"""How many times larger than in the portrait a piece of skin is in a photo: from the first on it is taken,
from the second on wholly."""

EDGE_ON = 0.15
"""Share of its flat area below which a piece of skin is too foreshortened to be taken."""

ROUNDS = 4
"""Rounds in which the weights of skin are smoothed over the mesh."""

_NOSE_BASE = (2, 98, 327)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place on the mesh.

    Attributes:
        weights: ``(V,) float32`` of all the mesh's vertices, 0..1.
        vertices: ``(v,) int`` those of the triangles that have any weight.
        triangles: ``(T, 3) int32`` these triangles, by the places of their corners in ``vertices``.
        meeting: whether edges meet in it, as shut lids do: a raster cannot tell there which is in front.
    """

    weights: Floats
    vertices: NDArray[np.intp]
    triangles: NDArray[np.int32]
    meeting: bool = False

    @staticmethod
    def of(weights: Floats, meeting: bool = False) -> Place:
        """The place where these weights are."""
        triangles = face_topology().triangles
        weighty = triangles[(weights[triangles] > 0).any(axis=1)]
        vertices, corners = np.unique(weighty, return_inverse=True)
        return Place(weights, vertices.astype(np.intp), corners.reshape(-1, 3).astype(np.int32), meeting)


@lru_cache(maxsize=1)
def mouth_place() -> Place:
    """Lips, what is between them, and the skin around, up to the nose."""
    points = layout().points
    weights = _near(topo.LIPS_OUTER, *LIPS)
    base = points[list(_NOSE_BASE), 1].max()
    top = points[list(topo.LIPS_UPPER_OUTER), 1].min()
    weights *= smoothstep(np.clip((points[:, 1] - base) / max(top - base, 1e-6) * 1.5, 0, 1))
    inside = [*topo.LIPS_OUTER, *topo.LIPS_INNER]
    weights[inside] = 1.0
    return Place.of(_with_openings(weights, (MOUTH,)))


@lru_cache(maxsize=2)
def eye_place(eye: int) -> Place:
    """The lids of the right (0) or the left (1) eye, and the eye between them."""
    ring = topo.RIGHT_EYE if eye == 0 else topo.LEFT_EYE
    return Place.of(_with_openings(_near(ring, *LIDS), (RIGHT_EYE + eye,)), meeting=True)


def side_place(portrait: Floats, photo: Floats) -> Place:
    """The skin that a photo shows larger than the portrait does: what is turned away there.

    Args:
        portrait, photo: ``(468+, 2)`` landmarks of both, each over its own face unit.
    """
    skin = face_topology().triangles
    skin = skin[(skin < N_MESH).all(axis=1)]
    flat = np.abs(_areas(layout().points, skin))
    ours, theirs = _areas(portrait[:N_MESH], skin) / flat, _areas(photo[:N_MESH], skin) / flat
    facing = np.sign(np.median(theirs))
    gain = facing * theirs / np.maximum(facing * ours, 0.02)
    share = smoothstep(np.clip((gain - SEEN[0]) / (SEEN[1] - SEEN[0]), 0, 1))
    share *= np.clip((facing * theirs - EDGE_ON) / EDGE_ON, 0, 1)
    weights = _smoothed(_at_vertices(share.astype(np.float32), skin), skin)
    weights[list(topo.FACE_OVAL)] *= np.float32(0.0)
    return Place.of(_with_openings(weights, ()))


def _near(ring: tuple[int, ...], whole: float, none: float) -> Floats:
    points = layout().points
    apart = np.linalg.norm(points[:, None] - points[None, list(ring)], axis=2).min(axis=1)
    return np.asarray(1 - smoothstep(np.clip((apart - whole) / (none - whole), 0, 1)), np.float32)


def _with_openings(weights: Floats, openings: tuple[int, ...]) -> Floats:
    """Weights of all vertices; of the openings, those that belong to the place."""
    mesh = face_topology()
    every = np.zeros(len(mesh.landmark), np.float32)
    every[:N_MESH] = weights
    for opening in openings:
        every[mesh.openings[opening]] = 1.0
    return every


def _areas(points: Floats, triangles: NDArray[np.int32]) -> Floats:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    cross = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return np.asarray(cross / 2, np.float32)


def _at_vertices(values: Floats, triangles: NDArray[np.int32]) -> Floats:
    """Mean over the triangles around each vertex, ``(468,)``."""
    total, count = np.zeros(N_MESH, np.float32), np.zeros(N_MESH, np.float32)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], values)
        np.add.at(count, triangles[:, corner], 1)
    return np.asarray(total / np.maximum(count, 1), np.float32)


def _smoothed(weights: Floats, triangles: NDArray[np.int32]) -> Floats:
    for _ in range(ROUNDS):
        weights = _at_vertices(weights[triangles].mean(axis=1), triangles)
    return weights
