"""The head around the face mesh: scalp, hair, ears, neck and shoulders as one sheet with depth.

The sheet is a regular grid over the avatar's crop.  Around the face it takes the depth of a round head whose
rim is the person's outline, and turns and moves with the face as a solid; below the chin it follows less and
less, down to shoulders that follow the head's shift alone.  Where the person's outline is known, how much
less was learned from clips (:mod:`mien.engine.mesh.following`).  Close to the face it goes along with what
the face's outline does besides (a jaw that drops), so that face and sheet meet without a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import Similarity, turn_matrix
from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.following import shipped_following, usual_shares
from mien.engine.mesh.steepness import slack, uncovered_share
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.sampling import sample

NODES = 33
"""Nodes per side of the sheet's grid."""

EAR_RIGHT, EAR_LEFT = 234, 454
"""Landmarks in front of the ears: between them lies the middle of the head."""

RIM = 0.1
"""How much further back than these the head's rim lies, face units."""

ROUND = 0.75
"""Where the face ends on the way from the middle of the head to its rim, as a share of that way."""

SCALP, ASIDE = 0.55, 0.25
"""Face units from the face's outline to the head's rim above and beside it, where no outline is known."""

MOST_RIM = 1.6
"""Face units beyond the face at which an outline no longer is the head's."""

NECK = (0.05, 1.05)
"""Face units above the chin where the neck begins, and below it where the shoulders do."""

CLOSE = (0.15, 0.50)
"""Face units beside the face up to which all is head whatever was learned, and from which on it counts alone:
the rims of far cheeks and beards, which followed less, were drawn out."""

FARTHEST, DEEPEST = 1.5, 0.5
"""Face units outside and inside the face's outline up to which the distance from it tells something."""

PIVOT = (0.8, 1.6)
"""Face units below and behind the head's centre at which it turns on its neck.

The place that explains most of how shoulders move across in 400 pairs of 59 clips: a share of the head's
shift alone leaves 0.060 face units, a share of what the neck does not explain 0.045."""

BESIDE = 0.12
"""Face units by which a body may go beyond or against its head's shift: a head that turns on its neck shifts,
too, and where a driver's does not, the body is not to swing the other way."""

NEAR, REACH = 0.22, 0.7
"""Face units over which the motions of the outline's landmarks are mixed, and within which they fade out."""


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """A head's motion in its image; pixels.

    Attributes:
        solid, turn: its shift, roll and size, and its turn.
        outline: ``(36, 2)`` what the face's outline does besides.
    """

    solid: Similarity
    turn: tuple[float, float]
    outline: Floats


@dataclass(frozen=True, slots=True)
class HeadParts:
    """What a head's motion would do to each node of a sheet if all of it were solid; pixels.

    Attributes:
        shift: ``(2,)`` of the body, and of the head with it.
        rolled: ``(G, 2)`` by the head's shift on its neck, by roll and size, and by what the face's outline
            does besides.
        turned: ``(G, 2)`` by the turn.
        depth: ``(G,)`` after the turn.
    """

    shift: Floats
    rolled: Floats
    turned: Floats
    depth: Floats


@dataclass(frozen=True, slots=True)
class HeadSheet:
    """A head's shape around its face, ``G`` nodes; image pixels.

    Attributes:
        positions: ``(G, 2)`` where the nodes are in the portrait.
        solid: ``(G, 3)`` the same relative to the head's centre, with depth.
        follow: ``(G, 3)`` how far each goes along with the body's shift, the head's roll and size, and its
            turn.
        rim: ``(G,)`` 0 on the face, 1 at the head's rim and beyond.
        ties: ``(G, 36)`` how each follows what the face's outline does besides.
        slack: ``(G,)`` how much less of its depth counts where a turn uncovers it, and ``unit`` the face's.
        known: ``(G, 8)`` as :data:`mien.engine.mesh.following.KNOWN`; None where the person's outline is not.
        neck: ``(3,)`` where the head turns on its neck, relative to the head's centre, with depth.
    """

    positions: Floats
    solid: Floats
    follow: Floats
    rim: Floats
    ties: Floats
    slack: Floats
    unit: float
    known: Floats | None
    neck: Floats

    @staticmethod
    def of(geometry: FaceGeometry, positions: Floats, depth: Floats, person: Floats | None) -> HeadSheet:
        """The sheet of a face (3 ms).

        Args:
            geometry: the face's.
            positions: ``(G, 2)`` nodes in the portrait, pixels.
            depth: ``(G,)`` the face's smooth depth there relative to the head's centre, pixels; counts
                within its outline only.
            person: ``(H, W)`` in 0..1 where the person is in the portrait; None if that is not known.
        """
        mesh, unit = geometry.points[:N_MESH], np.float32(geometry.unit)
        upright = _upright(mesh)
        oval = _to_head(mesh[list(topo.FACE_OVAL)], geometry, upright)
        places = _to_head(positions, geometry, upright)
        middle = 0.5 * (oval[0] + oval[len(oval) // 2])
        away, polar = _polar(places - middle)
        edge_away, edge_polar = _polar(oval - middle)
        edge = _around(polar, edge_polar, edge_away)
        rim = edge + _rim(polar, geometry, upright, middle, edge, person)
        share = np.clip((away - edge) / np.maximum(rim - edge, 1e-3), 0.0, 1.0)
        back = float(geometry.solid[[EAR_RIGHT, EAR_LEFT], 2].mean()) + RIM * unit
        edge_depth = _around(polar, edge_polar, geometry.solid[list(topo.FACE_OVAL), 2])
        across = ROUND + (1 - ROUND) * share
        curve = 1 - np.sqrt(np.maximum(1 - across**2, 0)) / np.sqrt(1 - ROUND**2)
        outside = edge_depth + (np.maximum(back, edge_depth) - edge_depth) * curve
        solid = np.empty((len(positions), 3), np.float32)
        solid[:, :2] = positions - geometry.centre
        solid[:, 2] = np.where(away > edge, outside, depth)
        below = places[:, 1] - oval[len(oval) // 2, 1]
        usual: Floats = 1 - _eased((below + NECK[0]) / (NECK[0] + NECK[1]))
        to_rim = _eased(share)
        known = None
        inside = np.clip(_inside(places, oval), -FARTHEST, DEEPEST)
        if person is None:
            usual *= 1 - _eased((away - rim) / MOST_RIM)
            follow = usual_shares(usual)
        else:
            there = sample(person, positions[None]).ravel()
            known = np.column_stack([places, below, inside, usual, to_rim, there, solid[:, 2] / unit])
            known = known.astype(np.float32)
            follow = shipped_following().shares(known)
            close = usual * (1 - _eased((-inside - CLOSE[0]) / (CLOSE[1] - CLOSE[0])))
            follow = np.maximum(follow, close[:, None])
        outline = list(topo.FACE_OVAL)
        return HeadSheet(
            positions=positions,
            solid=solid,
            follow=follow,
            rim=to_rim,
            ties=_ties(places, oval, inside >= 0),
            slack=slack(
                positions, solid[:, 2] * follow[:, 2], mesh[outline], geometry.solid[outline, 2], inside
            ),
            unit=geometry.unit,
            known=known,
            neck=np.array([*(PIVOT[0] * upright[1]), PIVOT[1]], np.float32) * unit,
        )

    def moved(self, motion: HeadMotion) -> tuple[Floats, Floats]:
        """Where the nodes go, ``(G, 2)``, and their depth, ``(G,)``; pixels."""
        parts = self.parts(motion)
        goal = parts.rolled * self.follow[:, 1:2]
        goal += parts.turned * self.follow[:, 2:]
        goal -= self._held(motion)
        goal += parts.shift * self.follow[:, :1]
        goal += self.positions
        return goal, parts.depth

    def _held(self, motion: HeadMotion) -> Floats:
        """How much less far a turn moves what it would draw out too much, ``(G, 2)``."""
        towards = np.asarray(motion.turn[::-1], np.float32)
        angle = max(float(np.hypot(*towards)), 1e-6)
        share = uncovered_share(self.solid[:, :2] @ towards / np.float32(angle * self.unit))
        less = (self.slack * share)[:, None] * turn_matrix(motion.turn).astype(np.float32)[:2, 2]
        return Similarity(motion.solid.a, 0j).apply(less)

    def parts(self, motion: HeadMotion) -> HeadParts:
        """What a motion would do if all of the sheet were solid."""
        solid = motion.solid
        rotation = turn_matrix(motion.turn).astype(np.float32)
        turned = self.solid @ rotation.T
        centre = (self.positions[0] - self.solid[0, :2])[None]
        whole = (solid.apply(centre) - centre)[0]
        shift = self._body_shift(whole, solid, rotation)
        rolled = solid.apply(self.positions) - self.positions - shift + self.ties @ motion.outline
        aside = turned[:, :2] - self.solid[:, :2] + self._uncovered(motion.turn)
        return HeadParts(shift, rolled, Similarity(solid.a, 0j).apply(aside), turned[:, 2])

    def _body_shift(self, shift: Floats, solid: Similarity, rotation: Floats) -> Floats:
        """The part of a head's shift that is not by its roll and turn on the neck."""
        pivot = (rotation @ self.neck)[None, :2]
        swung = self.neck[:2] - Similarity(solid.a / abs(solid.a), 0j).apply(pivot)[0]
        beside = np.float32(BESIDE * self.unit)
        low, high = np.minimum(shift, 0.0) - beside, np.maximum(shift, 0.0) + beside
        return np.asarray(np.clip(shift - swung, low, high), np.float32)

    def _uncovered(self, turn: tuple[float, float]) -> Floats | float:
        """Skin and hair continued on the side that a turn uncovers: the outline stays round."""
        angle = float(np.hypot(*turn))
        if angle < 1e-6:
            return 0.0
        towards = np.asarray(turn[::-1], np.float32) / angle
        along = np.minimum(self.solid[:, :2] @ towards, 0.0) * self.rim
        return np.asarray((along * np.float32(1 - np.cos(angle)))[:, None] * towards, np.float32)


@lru_cache(maxsize=1)
def sheet_triangles() -> NDArray[np.int32]:
    """``(T, 3)`` of the sheet's grid."""
    index = np.arange(NODES * NODES, dtype=np.int32).reshape(NODES, NODES)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    found = np.stack([a, b, c, b, d, c], axis=-1).reshape(-1, 3)
    found.setflags(write=False)
    return found


def _upright(mesh: Floats) -> Floats:
    """``(2, 2)`` rotation from the image to the head's upright axes."""
    across = mesh[topo.LEFT_EYE_OUTER_CORNER] - mesh[topo.RIGHT_EYE_OUTER_CORNER]
    down = mesh[topo.CHIN] - mesh[topo.FOREHEAD_TOP]
    angle = float(np.arctan2(-down[0], down[1]))
    if across @ across > 0.25 * (down @ down):  # eyes show the roll better, unless the face is in profile
        angle = float(np.arctan2(across[1], across[0]))
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]], np.float32)


def _to_head(points: Floats, geometry: FaceGeometry, upright: Floats) -> Floats:
    """Image points in face units of the upright head, from its centre."""
    return np.asarray((points - geometry.centre) @ upright.T / np.float32(geometry.unit), np.float32)


def _polar(points: Floats) -> tuple[Floats, Floats]:
    return np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 1], points[:, 0])


def _around(angles: Floats, at: Floats, values: Floats) -> Floats:
    """Values known at angles ``at``, at other angles."""
    return np.asarray(np.interp(angles, at, values, period=2 * np.pi), np.float32)


def _rim(
    polar: Floats,
    geometry: FaceGeometry,
    upright: Floats,
    middle: Floats,
    edge: Floats,
    person: Floats | None,
) -> Floats:
    """Face units from the face's outline to the head's rim, in each node's direction."""
    up = np.clip(-np.sin(polar), 0.0, 1.0)
    usual = ASIDE + (SCALP - ASIDE) * up
    if person is None:
        return np.asarray(usual, np.float32)
    directions = np.linspace(-np.pi, np.pi, 73)[:-1]
    starts = np.interp(directions, *_sorted(polar, edge), period=2 * np.pi)
    steps = np.linspace(0.0, MOST_RIM, 33)
    reach = starts[:, None] + steps
    rays = np.stack([np.cos(directions), np.sin(directions)], axis=1)
    places = middle + reach[..., None] * rays[:, None]
    image = (places * geometry.unit) @ upright + geometry.centre
    there = sample(person, image.astype(np.float32))
    gone = there < 0.5
    found = np.where(gone.any(axis=1), steps[gone.argmax(axis=1)], np.nan)
    usual_there = ASIDE + (SCALP - ASIDE) * np.clip(-np.sin(directions), 0.0, 1.0)
    found = np.where(np.isnan(found), usual_there, np.maximum(found, 0.05))
    wide = np.concatenate([found[-2:], found, found[:2]])
    found = np.median([wide[i : i + len(found)] for i in range(5)], axis=0)
    return _around(polar, directions.astype(np.float32), found.astype(np.float32))


def _sorted(polar: Floats, values: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(polar)
    return polar[order], values[order]


def _inside(places: Floats, oval: Floats) -> Floats:
    """``(G,)`` how far inside the face's outline, negative outside."""
    polygon = np.ascontiguousarray(oval)
    return np.array(
        [cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for x, y in places], np.float32
    )


def _ties(places: Floats, oval: Floats, within: NDArray[np.bool_]) -> Floats:
    square = np.square(places[:, None] - oval[None]).sum(axis=2)
    nearest = np.sqrt(square.min(axis=1, keepdims=True))
    weights = np.exp(-(square - nearest**2) / (2 * NEAR**2))
    fade = np.where(within, 1.0, 1 - _eased(nearest[:, 0] / REACH))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True) * fade[:, None], np.float32)


def _eased(share: np.ndarray) -> Floats:
    """From 0 to 1 without a kink, flat beyond."""
    return smoothstep(np.clip(share, 0.0, 1.0).astype(np.float32))
