"""Skin that does not fold: where a motion would turn triangles over, their corners follow their neighbours.

What a turn hides is turned over as well and stays so: a motion is compared with the head's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.mesh.topology import SKIN_LAYER, face_topology
from mien.engine.types import Floats

LEAST = 0.15
"""Share of its area that a triangle keeps."""

SEEN = 0.15
"""Share of their mean area from which on triangles count as seen from the front."""

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
    front = before > SEEN * np.abs(before).mean()
    own = moved - solid
    for turn in range(ROUNDS):
        bad = front & (_areas(solid + own, triangles) < LEAST * before)
        if not bad.any():
            return moved if turn == 0 else np.asarray(solid + own, np.float32)
        corners = np.setdiff1d(triangles[bad], kept)
        own[corners] = neighbours[corners] @ own
    return np.asarray(solid + own, np.float32)


def neighbours() -> Floats:
    """``(468, 468)``: the mean over each landmark and its neighbours on the skin."""
    return _skin()[1]


def _areas(points: Floats, triangles: NDArray[np.int32]) -> Floats:
    """Twice the signed areas; positive from the front."""
    a, b, c = points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]]
    b, c = b - a, c - a
    found = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    return np.asarray(found * _sign(), np.float32)


@lru_cache(maxsize=1)
def _sign() -> float:
    """What makes the layout's triangles positive."""
    from mien.engine.face.layout import layout

    points, triangles = layout().points, _skin()[0]
    a, b, c = points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]]
    b, c = b - a, c - a
    return float(np.sign((b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]).sum()))


@lru_cache(maxsize=1)
def _skin() -> tuple[NDArray[np.int32], Floats]:
    """The skin's triangles, and ``(468, 468)`` the mean over each landmark and its neighbours on the skin."""
    mesh = face_topology()
    skin = (mesh.layer[mesh.triangles] == SKIN_LAYER).all(axis=1)
    triangles = mesh.triangles[skin]
    joined = np.eye(468, dtype=np.float32)
    for first in range(3):
        for second in range(3):
            joined[triangles[:, first], triangles[:, second]] = 1.0
    joined /= joined.sum(axis=1, keepdims=True)
    for array in (triangles, joined):
        array.setflags(write=False)
    return triangles, joined
