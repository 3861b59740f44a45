"""The far side of a turned face: where a turn to the front would uncover it, it goes along with what is seen.

There the tracker's landmarks are a guess, a few pixels beside the face's outline, and they show hair or
wall as often as skin.  Turned out by their depth they made a second cheek; so the hidden part keeps its place
beside the part that is seen, and the outline that the portrait has.  At its edge, landmarks lie on what is
beside the face: turned out, the far cheek had a bright rim of wall.  It shows skin from within instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.geometry import area_of
from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.unfolding import neighbours
from mien.engine.types import Bools, Floats
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.sampling import sample

SEEN = 0.45
"""Share of its frontal area from which on a place is seen well enough to be turned to the front."""

FEATURE_SEEN = 0.1
"""The same of eyes, brows and lips, whose edges the tracker knows better."""

PROFILE_SEEN = 0.35
"""The same of lips, in profile: their far half is the face's outline there; an opening mouth drew it out."""

EDGE = (0.9, 0.6)
"""Shares of its frontal area between which a place comes to lie at the far side's edge."""

FIRM, STEP, MOST_INSET = 0.9, 0.02, 0.4
"""How much of the person there is where skin is theirs without doubt, how far apart places are that are tried
on the way to the face's middle, and how far that way is followed, face units."""

MARGIN = 0.08
"""Face units around a place within which all is to be skin: next to the edge it is half wall."""

SMOOTH = 2
"""Times that neighbours are asked, so that what is moved inwards fades out over the cheek."""

_LIPS = [*topo.LIPS_OUTER, *topo.LIPS_INNER]
_EYES = (*topo.LEFT_EYE, *topo.RIGHT_EYE)
_FEATURES = sorted({*_EYES, *topo.LIPS_OUTER, *topo.LIPS_INNER, *topo.LEFT_EYEBROW, *topo.RIGHT_EYEBROW})


@dataclass(frozen=True, slots=True)
class Unseen:
    """Landmarks that go along with those that are seen.

    Attributes:
        hidden: ``(n,)`` which they are.
        follow: ``(n, 468)`` how each goes along with the landmarks that are seen, smoothly; rows add up to 1.
    """

    hidden: NDArray[np.intp]
    follow: Floats

    @staticmethod
    def of(seen: Bools) -> Unseen:
        """Of which of the 468 are seen."""
        hidden = np.flatnonzero(~seen)
        follow = np.zeros((len(hidden), N_MESH), np.float32)
        if 0 < len(hidden) < N_MESH:
            means = neighbours()[hidden].astype(np.float64)
            among = np.eye(len(hidden)) * (1 + 1e-9) - means[:, hidden]
            follow[:, seen] = np.linalg.solve(among, means[:, seen])
        return Unseen(hidden, follow)

    def held(self, places: Floats, rigid: Floats, share: float) -> Floats:
        """The mesh with what is hidden going along with what is seen.

        Args:
            places: ``(468, 2)`` where the landmarks go.
            rigid: ``(468, 2)`` where the motion puts them in which they take part themselves.
            share: how far, 0..1.

        Returns:
            ``places`` itself where nothing is hidden, else a new array.
        """
        if share == 0.0 or len(self.hidden) == 0:
            return places
        own = places - rigid
        found: Floats = places.copy()
        found[self.hidden] += np.float32(share) * (self.follow @ own - own[self.hidden])
        return found


@dataclass(frozen=True, slots=True)
class FarSide:
    """Landmarks of a face that it hardly shows.

    Attributes:
        unseen: what a turn to the front would uncover.
        in_profile: what goes along with the rest of an expression in profile.
        inset: ``(468, 2)`` from each landmark to the place of the portrait that it shows where it is
            uncovered, pixels: skin from within the far cheek's edge instead of the wall beside it.
    """

    unseen: Unseen
    in_profile: Unseen
    inset: Floats

    @staticmethod
    def of(points: Floats, axes: Floats, unit: float, person: Floats | None = None) -> FarSide:
        """From a face (6 ms).

        Args:
            points: ``(468+, 2)`` the face's landmarks, pixels.
            axes: ``(468+, 2, 2)`` its local maps, and ``unit`` its scale; both pixels per face unit.
            person: ``(H, W)`` in 0..1 where the person is in the portrait; None if that is not known.
        """
        area = area_of(axes[:N_MESH], unit)
        least = np.full(N_MESH, SEEN, np.float32)
        least[_FEATURES] = FEATURE_SEEN
        unseen = Unseen.of(area >= least)
        least[_LIPS] = PROFILE_SEEN
        in_profile = Unseen.of(area >= least)
        return FarSide(unseen, in_profile, _inset(points[:N_MESH], np.float32(unit), area, person))


def _inset(points: Floats, unit: np.float32, area: Floats, person: Floats | None) -> Floats:
    edge = smoothstep(np.clip((EDGE[0] - area) / (EDGE[0] - EDGE[1]), 0.0, 1.0))
    inwards = points.mean(axis=0) - points
    inwards /= np.maximum(np.hypot(inwards[:, 0], inwards[:, 1]), 1e-6)[:, None]
    if person is None:
        away = np.zeros(N_MESH, np.float32)
        away[list(topo.FACE_OVAL)] = MARGIN
    else:
        # Skin from here on, and as far outwards as the margin.
        steps = np.arange(-MARGIN, MOST_INSET, STEP, dtype=np.float32)
        places = points[:, None] + (steps[:, None] * unit) * inwards[:, None]
        firm = sample(person, places.astype(np.float32)) >= FIRM
        margin = round(MARGIN / STEP)
        inside = firm[:, margin:] & firm[:, : firm.shape[1] - margin]
        away = np.where(inside.any(axis=1), STEP * inside.argmax(axis=1), 0.0).astype(np.float32)
    found = (edge * away * unit)[:, None] * inwards
    for _ in range(SMOOTH):
        found[_FEATURES] = 0.0
        found = np.maximum(neighbours() @ np.abs(found), np.abs(found)) * np.sign(inwards)
    found[_FEATURES] = 0.0
    return np.asarray(found, np.float32)
