"""The far side of a turned face: where a turn to the front would uncover it, it goes along with what is seen.

There the tracker's landmarks are a guess, a few pixels beside the face's outline, and they show hair or
wall as often as skin.  Turned out by their depth they made a second cheek; so the hidden part keeps its place
beside the part that is seen, and the outline that the portrait has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.unfolding import neighbours
from mien.engine.types import Floats

SEEN = 0.45
"""Share of its frontal area from which on a place is seen well enough to be turned to the front."""

FEATURE_SEEN = 0.1
"""The same of eyes, brows and lips, whose edges the tracker knows better."""

_EYES = (*topo.LEFT_EYE, *topo.RIGHT_EYE)
_FEATURES = sorted({*_EYES, *topo.LIPS_OUTER, *topo.LIPS_INNER, *topo.LEFT_EYEBROW, *topo.RIGHT_EYEBROW})


@dataclass(frozen=True, slots=True)
class FarSide:
    """Landmarks of a face that it hardly shows.

    Attributes:
        hidden: ``(n,)`` which they are.
        follow: ``(n, 468)`` how each goes along with the landmarks that are seen, smoothly; rows add up to 1.
    """

    hidden: NDArray[np.intp]
    follow: Floats

    @staticmethod
    def of(axes: Floats, unit: float) -> FarSide:
        """From a face's local maps ``(468+, 2, 2)`` and scale, both pixels per face unit (5 ms)."""
        local = axes[:N_MESH]
        area = (local[:, 0, 0] * local[:, 1, 1] - local[:, 0, 1] * local[:, 1, 0]) / np.float32(unit**2)
        least = np.full(N_MESH, SEEN, np.float32)
        least[_FEATURES] = FEATURE_SEEN
        seen = area >= least
        hidden = np.flatnonzero(~seen)
        follow = np.zeros((len(hidden), N_MESH), np.float32)
        if 0 < len(hidden) < N_MESH:
            means = neighbours()[hidden].astype(np.float64)
            among = np.eye(len(hidden)) * (1 + 1e-9) - means[:, hidden]
            follow[:, seen] = np.linalg.solve(among, means[:, seen])
        return FarSide(hidden, follow)

    def held(self, places: Floats, rigid: Floats, share: float) -> Floats:
        """The mesh with its far side going along with what is seen.

        Args:
            places: ``(468, 2)`` where the landmarks go.
            rigid: ``(468, 2)`` where the head's motion without its turn puts them.
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
