"""The head around the face mesh: scalp, hair, ears, neck and shoulders as one sheet with depth.

The sheet is a regular grid over the avatar's crop.  Around the face it takes the depth of a round head whose
rim is the person's outline, and turns and moves with the face as a solid; below the chin it follows less and
less, down to shoulders that follow the head's shift alone.  Where the person's outline is known, how much
less was learned from clips (:mod:`mien.engine.mesh.following`).  Close to the face it goes along with what
the face's outline does besides (a jaw that drops), so that face and sheet meet without a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import Similarity, turn_matrix
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.following import shipped_following, usual_shares
from mien.engine.mesh.head_shape import MOST_RIM, HeadShape, beside_ears, ears_rise, eased, scalp
from mien.engine.mesh.neck import body_shift, neck_of
from mien.engine.mesh.steepness import Rising, uncovered_share
from mien.engine.motion.body import CHEST
from mien.engine.types import Floats
from mien.engine.utils.curves import limited
from mien.engine.utils.sampling import sample

NECK = (0.05, 1.05)
"""Face units above the chin where the neck begins, and below it where the shoulders do."""

CLOSE = (0.15, 0.50)
"""Face units beside the face up to which all is head whatever was learned, and from which on it counts alone:
the rims of far cheeks and beards, which followed less, were drawn out."""

FARTHEST, DEEPEST = 1.5, 0.5
"""Face units outside and inside the face's outline up to which the distance from it tells something."""

BODY = (-1.5, -0.5)
"""Face units below the chin (above it: negative) from which on nodes take part in a measured motion of the
body, and wholly so: hair beside the face hangs down to it, hair above does not."""

STRETCHED = (0.15, 0.30)
"""Face units by which a measured body goes apart from the guess freely, and at most: further, the necks of
other people, and beards, were bent.  One in ten of 186 pairs of clips has 0.19 and more."""

NEAR, REACH = 0.22, 0.7
"""Face units over which the motions of the outline's landmarks are mixed, and within which they fade out."""


@dataclass(frozen=True, slots=True)
class BodyMotion:
    """Shoulders' motion in a portrait's image; pixels.

    Attributes:
        solid: their shift, roll and size.
        trust: 0..1, how far that is to be believed; the rest is guessed from the head's motion.
    """

    solid: Similarity
    trust: float


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """A head's motion in its image; pixels.

    Attributes:
        solid, turn: its shift, roll and size, and its turn.
        outline: ``(36, 2)`` what the face's outline does besides.
        body: the shoulders' motion; None where it was not measured.
    """

    solid: Similarity
    turn: tuple[float, float]
    outline: Floats
    body: BodyMotion | None = None


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
        round: ``(G,)`` 0 on the face and on ears, 1 at the head's rim and beyond.
        ties: ``(G, 36)`` how each follows what the face's outline does besides.
        slack: ``(G,)`` how much less of its depth counts where a turn uncovers it, and ``unit`` the face's.
        known: ``(G, 8)`` as :data:`mien.engine.mesh.following.KNOWN`; None where the person's outline is not.
        up: ``(G,)`` 0 beside the eyes and below, 1 at the scalp.
        neck: ``(3,)`` where the head turns on its neck, relative to the head's centre, with depth.
        body: ``(G, 2)`` where the body's motion was measured, how much more of the guessed shift each node
            takes, and how much of the measured motion; None where the person's outline is not known.
    """

    positions: Floats
    solid: Floats
    follow: Floats
    round: Floats
    ties: Floats
    slack: Floats
    unit: float
    known: Floats | None
    up: Floats
    neck: Floats
    body: Floats | None = None

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
        shape, unit = HeadShape.of(geometry, positions, person), np.float32(geometry.unit)
        solid = np.empty((len(positions), 3), np.float32)
        solid[:, :2] = positions - geometry.centre
        solid[:, 2] = np.where(shape.outside, shape.depth, depth)
        uncovered = solid[:, 2] - shape.less
        usual: Floats = 1 - eased((shape.below + NECK[0]) / (NECK[0] + NECK[1]))
        known = None
        if person is None:
            usual *= 1 - eased(shape.beyond / MOST_RIM)
            follow = usual_shares(usual)
        else:
            inside = np.clip(shape.inside, -FARTHEST, DEEPEST)
            there = sample(person, positions[None]).ravel()
            known = np.column_stack(
                [shape.places, shape.below, inside, usual, shape.rim, there, uncovered / unit]
            ).astype(np.float32)
            follow = shipped_following().shares(known)
            close = usual * (1 - eased((-inside - CLOSE[0]) / (CLOSE[1] - CLOSE[0])))
            follow = np.maximum(follow, close[:, None])
        outline, turns = list(topo.FACE_OVAL), follow[:, 2]
        level = shape.oval - ears_rise(shape.oval)
        rising = Rising(
            edge=geometry.points[outline],
            depth=geometry.solid[outline, 2],
            area=geometry.shown_area()[outline],
            up=scalp(level),
            ear=beside_ears(level),
        )
        return HeadSheet(
            positions=positions,
            solid=solid,
            follow=follow,
            round=shape.rim * (1 - shape.ear),
            ties=_ties(shape.places, shape.oval, shape.inside >= 0),
            slack=shape.less * turns + rising.slack(positions, uncovered * turns, shape.inside),
            unit=geometry.unit,
            known=known,
            up=scalp(shape.level),
            neck=neck_of(shape.upright[1], geometry.unit),
            body=None if known is None else _of_body(follow, shape.below),
        )

    def moved(self, motion: HeadMotion) -> tuple[Floats, Floats]:
        """Where the nodes go, ``(G, 2)``, and their depth, ``(G,)``; pixels."""
        parts = self.parts(motion)
        goal = parts.rolled * self.follow[:, 1:2]
        goal += parts.turned * self.follow[:, 2:]
        goal -= self._held(motion)
        goal += parts.shift * self.follow[:, :1]
        goal += self.positions
        if motion.body is not None and self.body is not None:
            goal += self._of_body(motion.body, parts.shift, self.body)
        return goal, parts.depth

    def _of_body(self, motion: BodyMotion, guess: Floats, shares: Floats) -> Floats:
        """What is different where the body's motion was measured, ``(G, 2)``; necks stretch only so far."""
        own = motion.solid.apply(self.positions)
        own -= self.positions
        chest = self.positions[:1] - self.solid[:1, :2]
        chest[:, 1] += np.float32(CHEST * self.unit)
        apart = (motion.solid.apply(chest) - chest)[0] - guess
        length = max(float(np.hypot(*apart)) / self.unit, 1e-6)
        own -= apart * np.float32(1 - float(limited(length, *STRETCHED)) / length)
        own *= shares[:, 1:]
        own += guess * shares[:, :1]
        own *= np.float32(motion.trust)
        return own

    def _held(self, motion: HeadMotion) -> Floats:
        """How much less far a turn moves what it would draw out too much, ``(G, 2)``."""
        towards = np.asarray(motion.turn[::-1], np.float32)
        angle = max(float(np.hypot(*towards)), 1e-6)
        share = uncovered_share(self.solid[:, :2] @ towards / np.float32(angle * self.unit), self.up)
        less = (self.slack * share)[:, None] * turn_matrix(motion.turn).astype(np.float32)[:2, 2]
        return Similarity(motion.solid.a, 0j).apply(less)

    def parts(self, motion: HeadMotion) -> HeadParts:
        """What a motion would do if all of the sheet were solid."""
        solid = motion.solid
        rotation = turn_matrix(motion.turn).astype(np.float32)
        turned = self.solid @ rotation.T
        centre = (self.positions[0] - self.solid[0, :2])[None]
        whole = (solid.apply(centre) - centre)[0]
        shift = body_shift(whole, solid, rotation, self.neck, self.unit)
        rolled = solid.apply(self.positions) - self.positions - shift + self.ties @ motion.outline
        aside = turned[:, :2] - self.solid[:, :2] + self._uncovered(motion.turn)
        return HeadParts(shift, rolled, Similarity(solid.a, 0j).apply(aside), turned[:, 2])

    def _uncovered(self, turn: tuple[float, float]) -> Floats | float:
        """Skin and hair continued on the side that a turn uncovers: the outline stays round."""
        angle = float(np.hypot(*turn))
        if angle < 1e-6:
            return 0.0
        towards = np.asarray(turn[::-1], np.float32) / angle
        along = np.minimum(self.solid[:, :2] @ towards, 0.0) * self.round
        return np.asarray((along * np.float32(1 - np.cos(angle)))[:, None] * towards, np.float32)


def _of_body(follow: Floats, below: Floats) -> Floats:
    """``(G, 2)`` as :attr:`HeadSheet.body`: low down, what does not roll with the head is the body's.

    Args:
        follow: ``(G, 3)`` how far each node goes along without it.
        below: ``(G,)`` how far it is below the chin, face units.
    """
    low = eased((below - BODY[0]) / (BODY[1] - BODY[0]))
    head = np.minimum(follow[:, 1], 1.0)
    return np.stack([low * (head - follow[:, 0]), low * (1 - head)], axis=1).astype(np.float32)


def _ties(places: Floats, oval: Floats, within: NDArray[np.bool_]) -> Floats:
    square = np.square(places[:, None] - oval[None]).sum(axis=2)
    nearest = np.sqrt(square.min(axis=1, keepdims=True))
    weights = np.exp(-(square - nearest**2) / (2 * NEAR**2))
    fade = np.where(within, 1.0, 1 - eased(nearest[:, 0] / REACH))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True) * fade[:, None], np.float32)
