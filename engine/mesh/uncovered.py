"""Skin that a portrait does not show: on the far side of a turned face, it goes on as what is seen beside it.

There the tracker's landmarks are a guess, a few pixels beside the face's outline: where a turn to the front
uncovers the far cheek, the triangles would show what lies behind it, hair and wall, or the bridge of the nose
a second time.
"""

from __future__ import annotations

import numpy as np

from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.unfolding import neighbours
from mien.engine.types import Floats

SEEN = 0.45
"""Share of its frontal area from which on a place is seen well enough to be turned to the front."""

FEATURE_SEEN = 0.1
"""The same of eyes and lips, whose edges the tracker knows better."""

ROUNDS = 80
"""Times that hidden places take the mean of their neighbours."""

_FEATURES = sorted(
    {
        *topo.LEFT_EYE,
        *topo.RIGHT_EYE,
        *topo.LIPS_OUTER,
        *topo.LIPS_INNER,
        *topo.LEFT_EYEBROW,
        *topo.RIGHT_EYEBROW,
    }
)


def continued_skin(points: Floats, axes: Floats, unit: float) -> Floats:
    """What the landmarks of a face show when a turn uncovers them; zero where they are seen.

    Args:
        points: ``(468, 2)`` landmarks in the portrait, pixels.
        axes: ``(468+, 2, 2)`` local maps there, pixels per face unit.
        unit: pixels per face unit.

    Returns:
        ``(468, 2)`` from each landmark to the place that it shows then, pixels.
    """
    local = axes[:N_MESH]
    area = (local[:, 0, 0] * local[:, 1, 1] - local[:, 0, 1] * local[:, 1, 0]) / np.float32(unit**2)
    least = np.full(N_MESH, SEEN, np.float32)
    least[_FEATURES] = FEATURE_SEEN
    hidden = np.flatnonzero(area < least)
    found = np.array(points[:N_MESH], np.float32)
    if 0 < len(hidden) < N_MESH:
        means = neighbours()[hidden]
        for _ in range(ROUNDS):
            found[hidden] = means @ found
    return np.asarray(found - points[:N_MESH], np.float32)
