"""Skin that does not fold: where a motion would turn triangles over, their corners follow their neighbours.

What a turn hides is turned over as well and stays so: a motion is compared with the head's own.  Skin below a
full lower lip is hidden in many portraits, too: it follows the lip, and is not turned over any further.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.landmarks import topology as topo
from mien.engine.mesh.topology import SKIN_LAYER, face_topology
from mien.engine.types import Bools, Floats

LEAST = 0.15
"""Share of its area that a triangle keeps."""

SEEN = 0.15
"""Share of their mean area from which on triangles count as seen from the front."""

FURTHER, NEAR_LIPS = 0.1, 0.25
"""Share of that area by which a triangle that is hidden may be turned over further, and face units from the
lips within which that is so: a turned head's rim is hidden, too, and free."""

ROUNDS = 8
"""Times that neighbours are asked, at most; a fold of one vertex is gone after one or two."""


def unfolded(solid: Floats, moved: Floats, kept: Sequence[int] = ()) -> Floats:
    """The moved mesh without folds that its motion made.

    Args:
        solid: ``(468, 2)`` the mesh as the head's motion alone has it.
        moved: ``(468, 2)`` as it is to be.
        kept: landmarks that go where they are to be: what is around them gives way.

    Returns:
        ``moved`` itself where nothing folds, else a new array.
    """
    triangles, neighbours = _skin()
    before = _areas(solid, triangles)
    mean = np.abs(before).mean()
    hidden = np.where(_near_lips(), np.minimum(before, 0) - FURTHER * mean, -np.inf)
    least = np.where(before > SEEN * mean, LEAST * before, hidden)
    own = moved - solid
    for turn in range(ROUNDS):
        bad = _areas(solid + own, triangles) < least
        if not bad.any():
            return moved if turn == 0 else np.asarray(solid + own, np.float32)
        asked = np.zeros(len(moved), np.bool_)
        asked[triangles[:, bad]] = True
        asked[list(kept)] = False
        corners = np.flatnonzero(asked)
        own[corners] = neighbours[corners] @ own
    return np.asarray(solid + own, np.float32)


def neighbours() -> Floats:
    """``(468, 468)``: the mean over each landmark and its neighbours on the skin."""
    return _skin()[1]


def skin_triangles() -> NDArray[np.intp]:
    """``(3, T)`` landmarks of the skin's triangles, corner by corner."""
    return _skin()[0]


def _areas(points: Floats, triangles: NDArray[np.intp]) -> Floats:
    """Twice the signed areas; positive from the front."""
    return np.asarray(_crossed(points, triangles) * _sign(), np.float32)


def _crossed(points: Floats, triangles: NDArray[np.intp]) -> Floats:
    """Twice the signed areas, by the order of the corners; axis by axis, which takes a third of the time."""
    first, second, third = triangles
    x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
    x0, y0 = x[first], y[first]
    return np.asarray((x[second] - x0) * (y[third] - y0) - (y[second] - y0) * (x[third] - x0))


@lru_cache(maxsize=1)
def _sign() -> float:
    """What makes the layout's triangles positive."""
    from mien.engine.face.layout import layout

    return float(np.sign(_crossed(layout().points, _skin()[0]).sum()))


@lru_cache(maxsize=1)
def _near_lips() -> Bools:
    """``(T,)`` which of the skin's triangles are next to the lips."""
    from mien.engine.face.layout import layout

    flat = layout().points
    middles = flat[_skin()[0]].mean(axis=0)
    away = middles[:, None] - flat[list(topo.LIPS_OUTER)]
    near: Bools = np.hypot(away[..., 0], away[..., 1]).min(axis=1) < NEAR_LIPS
    near.setflags(write=False)
    return near


@lru_cache(maxsize=1)
def _skin() -> tuple[NDArray[np.intp], Floats]:
    """The skin's triangles ``(3, T)``, and the means over each landmark and its neighbours on the skin.

    The second is ``(468, 468)``.
    """
    mesh = face_topology()
    skin = (mesh.layer[mesh.triangles] == SKIN_LAYER).all(axis=1)
    triangles = mesh.triangles[skin]
    joined = np.eye(468, dtype=np.float32)
    for first in range(3):
        for second in range(3):
            joined[triangles[:, first], triangles[:, second]] = 1.0
    joined /= joined.sum(axis=1, keepdims=True)
    corners = np.ascontiguousarray(triangles.T, np.intp)
    for array in (corners, joined):
        array.setflags(write=False)
    return corners, joined
