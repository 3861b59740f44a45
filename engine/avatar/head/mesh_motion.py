"""One frame's motion on the avatar's mesh: where its vertices and the sheet around them go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.crop import Square
from mien.engine.avatar.eyes.eye_corners import hold_corners
from mien.engine.avatar.head.behind_head import BackMotion
from mien.engine.avatar.head.far_side import go_along, shown_places
from mien.engine.avatar.head.head_mesh import HeadMesh
from mien.engine.avatar.head.mesh_openings import (
    gaze_shift,
    hang_teeth,
    iris_place,
    show_eyeball,
    shut_lids,
    shut_share,
)
from mien.engine.avatar.lips.lip_contact import LOWER_ROWS, keep_within_edges, part_lips
from mien.engine.avatar.lips.pursing import hide_corners
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import Similarity, fit_similarity, parallax, turn_matrix
from mien.engine.face.layout import N_MESH
from mien.engine.face.lips import mouth_gap
from mien.engine.face.regions import region_maps
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.head_sheet import BodyMotion, HeadMotion
from mien.engine.mesh.topology import LEFT_EYE, MOUTH, RIGHT_EYE, face_topology
from mien.engine.mesh.unfolding import unfolded
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep

BEHIND, EYE_BEHIND = 0.12, 0.2
"""How far behind lips and lids lies what is seen between them, face units: further than a lower lid is behind
an upper one that passes over it."""

LIDS_BEFORE = 0.1
"""How far before the rest of the skin upper lids lie, face units: shut, they pass over the lower ones."""

RIGID, ROUNDS = 0.25, 3
"""Share of the skull from which on a landmark tells of the head, and times that the fit leaves out what moves
by itself: a raised brow moved hair and collar by 0.1 px."""

UNCOVERS, FRONTAL, BEYOND = 0.15, 0.30, 0.16
"""Radians (9 degrees) from which on a turn uncovers the back of a head; own poses (17 degrees) up to which a
portrait does not show it itself; and those (9 degrees) up to which it shows the ear on its far side: beside a
temple without one the back was a dark sliver."""

LIP_BEHIND = 0.03
"""How far behind the upper lip the lower one lies besides, face units: where they meet, one is in front."""

_LOWER_LIP = [*topo.LIPS_LOWER_INNER[1:-1], *LOWER_ROWS[0], *LOWER_ROWS[1]]

_INNER_LIPS = [*topo.LIPS_UPPER_INNER[2:-2], *topo.LIPS_LOWER_INNER[2:-2]]
"""The lips' inner edges but for what is next to the corners: unfolding took 5 to 15 % of a wide mouth's
opening, for the sake of rows between the edges that have their place there anyway."""

_BROWS = [
    *topo.RIGHT_EYEBROW_UPPER,
    *topo.RIGHT_EYEBROW_LOWER,
    *topo.LEFT_EYEBROW_UPPER,
    *topo.LEFT_EYEBROW_LOWER,
]
"""The brows' edges: unfolding the skin under a brow that frowns far down over shut eyes lifted its lower edge
alone, and left a thin line of the brow."""

_KEPT = [*_INNER_LIPS, *_BROWS]

_UPPER_LIDS = [*topo.RIGHT_EYE_UPPER[1:-1], *topo.LEFT_EYE_UPPER[1:-1]]


@dataclass(frozen=True, slots=True)
class MeshMotion:
    """Where the mesh goes; model coordinates (-1..1 over the crop), depth too, smaller is nearer.

    ``V`` vertices as in :class:`mien.engine.mesh.topology.FaceTopology`, ``G`` nodes of the sheet.

    Attributes:
        vertices: ``(V, 2)`` where they go.
        shows: ``(V, 2)`` the places of the portrait that they show.
        depth: ``(V,)``.
        sheet, sheet_shows: ``(G, 2)`` the same of the sheet.
        sheet_depth: ``(G,)``.
        back: the back of the head, where a turn uncovers it; else None.
        between: ``(FIELD_SIZE, FIELD_SIZE, 2)`` by how much what lies between the vertices moves besides,
            at the portrait's places.
        gaze: ``(2, 2)`` how far the irises go within their eyes; right eye, left eye.
        irises: ``(2, 3)`` where they are in the portrait, and their radius.
        gap: how far apart the lips are, face units.
        head: the head's motion in the portrait.
        turn: how far the head is turned, radians.
        shut: how far right and left eye are shut, 0..1.
    """

    vertices: Floats
    shows: Floats
    depth: Floats
    sheet: Floats
    sheet_shows: Floats
    sheet_depth: Floats
    back: BackMotion | None
    between: Floats
    gaze: Floats
    irises: Floats
    gap: float
    head: HeadMotion
    turn: float
    shut: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Placed:
    """The parts of an avatar that :func:`mesh_motion` uses."""

    mesh: HeadMesh
    geometry: FaceGeometry
    crop: Square
    source: Floats
    facing: tuple[float, float]
    edges: Floats


def mesh_motion(
    avatar: Placed,
    head: Similarity,
    turn: tuple[float, float],
    points: Floats,
    between: Floats,
    body: BodyMotion | None = None,
) -> MeshMotion:
    """The mesh after a motion.

    Args:
        avatar: the avatar.
        head, turn: the head's motion in the avatar's image.
        points: ``(478, 2)`` target positions of the avatar's landmarks, model coordinates.
        between: as in :class:`MeshMotion`.
        body: the shoulders' motion in the avatar's image; None where it was not measured.
    """
    geometry, crop, source = avatar.geometry, avatar.crop, avatar.source
    mesh = face_topology()
    per_norm, size = np.float32(crop.pixels_per_norm), np.float32(abs(head.a))
    turned = geometry.points[:N_MESH] + parallax(geometry.solid[:N_MESH], turn)
    solid = _solid_motion(points, avatar, turned)
    places = points.copy()
    rigid = crop.normalised(solid.apply(turned))
    hold_corners(places, rigid)
    keep_within_edges(places, source)
    places[:N_MESH] = unfolded(rigid, places[:N_MESH], _KEPT)
    go_along(places, rigid, lambda: _unturned(avatar, solid), avatar.mesh.far, avatar.facing, turn)
    part_lips(places)
    keep_within_edges(places, source)
    showing = avatar.mesh.far, avatar.mesh.drawn
    shown = shown_places(source, *showing, avatar.facing, turn, float(per_norm))
    right, left = (shut_share(eye, source, points) for eye in range(2))
    for eye, share in enumerate((right, left)):
        shown = shut_lids(eye, share, source, points, places, shown)
    gap = mouth_gap(places) * float(per_norm) / (geometry.unit * float(size))
    outline = list(topo.FACE_OVAL)
    besides = (places[outline] - rigid[outline]) * per_norm
    going = HeadMotion(solid, turn, besides, body)
    moved, back = avatar.mesh.moved(going)
    return MeshMotion(
        vertices=places[mesh.landmark],
        shows=_vertices_show(avatar, places, shown, float(size), gap),
        depth=_vertex_depth(geometry, turn, size, per_norm),
        sheet=crop.normalised(moved),
        sheet_shows=crop.normalised(avatar.mesh.sheet.positions),
        sheet_depth=back * (size / per_norm),
        back=_back(avatar, going, size / per_norm),
        between=between,
        gaze=np.stack([gaze_shift(eye, source, points) for eye in range(2)]),
        irises=np.stack([iris_place(iris, source) for iris in (topo.RIGHT_IRIS, topo.LEFT_IRIS)]),
        head=going,
        turn=float(np.hypot(*turn)),
        gap=gap,
        shut=(right, left),
    )


def _vertex_depth(
    geometry: FaceGeometry, turn: tuple[float, float], size: np.float32, per_norm: np.float32
) -> Floats:
    """``(V,)`` depth of the vertices after a turn, model coordinates."""
    mesh = face_topology()
    rotation = turn_matrix(turn).astype(np.float32)
    depth = (geometry.solid[:N_MESH] @ rotation[2]) * (size / per_norm)
    depth[_LOWER_LIP] += np.float32(LIP_BEHIND * geometry.unit) * size / per_norm
    depth[_UPPER_LIDS] -= np.float32(LIDS_BEFORE * geometry.unit) * size / per_norm
    depth = depth[mesh.landmark]
    face_unit = np.float32(geometry.unit) * size / per_norm
    depth[mesh.openings[MOUTH]] += np.float32(BEHIND) * face_unit
    depth[mesh.openings[RIGHT_EYE].start :] += np.float32(EYE_BEHIND) * face_unit
    return np.asarray(depth, np.float32)


def _vertices_show(avatar: Placed, places: Floats, shown: Floats, size: float, gap: float) -> Floats:
    """``(V, 2)`` the places that the vertices show: those of skin, and what moving lips and lids uncover.

    Args:
        places: ``(478, 2)`` where the landmarks go, and ``shown`` what they show as skin.
        size: by how much the head has become larger.
        gap: how far apart the lips are, face units.
    """
    mesh, source = face_topology(), avatar.source
    shown = hide_corners(source, places, size, shown)
    shows: Floats = shown[mesh.landmark]
    # The lips' own vertices come first; behind them the opening keeps what it shows.
    shows[list(topo.LIPS_INNER)] += _shut_lips(avatar, gap)
    hang_teeth(source, places, size, shows[mesh.openings[MOUTH]])
    for eye, opening in enumerate((RIGHT_EYE, LEFT_EYE)):
        show_eyeball(eye, source, places, shows[mesh.openings[opening]])
    return shows


def _back(avatar: Placed, going: HeadMotion, per_pixel: np.float32) -> BackMotion | None:
    """The back of the head on the side that a turn uncovers; None where it stays behind the face."""
    yaw = going.turn[1]
    back = avatar.mesh.backs[0 if yaw > 0 else 1]
    if back is None or abs(yaw) < UNCOVERS or np.hypot(*avatar.facing) > FRONTAL:
        return None
    # A turn back towards the front uncovers the side that the portrait is turned away from.
    if -np.sign(yaw) * avatar.facing[1] > BEYOND:
        return None
    moved, depth = back.moved(going)
    place = avatar.crop.normalised
    return BackMotion(vertices=place(moved), shows=place(back.shows), depth=depth * per_pixel)


def _unturned(avatar: Placed, solid: Similarity) -> Floats:
    """``(468, 2)`` where the head's motion without its turn puts the landmarks, model coordinates."""
    return avatar.crop.normalised(solid.apply(avatar.geometry.points[:N_MESH]))


def _solid_motion(points: Floats, avatar: Placed, turned: Floats) -> Similarity:
    """The head's motion without the turn, as contained in the landmarks; what moves by itself is left out.

    Args:
        points: ``(478, 2)`` where the landmarks go, model coordinates.
        turned: ``(468, 2)`` the portrait's after the turn, pixels.
    """
    skull = _skull()
    image = (points[skull] - avatar.source[skull]) * np.float32(avatar.crop.pixels_per_norm)
    image += avatar.geometry.points[skull]
    weights = region_maps().rigid_points[skull]
    return fit_similarity(turned[skull], image, weights, rounds=ROUNDS)


@lru_cache(maxsize=1)
def _skull() -> NDArray[np.intp]:
    """Landmarks whose motion is mostly the skull's."""
    return np.flatnonzero(region_maps().rigid_points > RIGID)


def _shut_lips(avatar: Placed, gap: float) -> Floats:
    """``(20, 2)`` from where the lips' inner edges are in the portrait to what they show as the lips meet."""
    own = mouth_gap(avatar.source) * avatar.crop.pixels_per_norm / avatar.geometry.unit
    shut = smoothstep(min(max(1 - gap / max(own, 1e-6), 0.0), 1.0))
    return np.asarray(avatar.edges * np.float32(shut / avatar.crop.pixels_per_norm), np.float32)
