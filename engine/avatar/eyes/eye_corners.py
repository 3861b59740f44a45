"""The corners of an eye, which no expression moves far: they hang on the skull.

Far from the reference's pose the landmark network places them by half an eye's width inside or beyond.
Carried over, that bunched up an eye, with its lids in folds.
"""

from __future__ import annotations

import numpy as np

from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from mien.engine.utils.curves import limited, smoothstep

BELIEVED, MOST = 0.12, 0.20
"""Widths of the eye up to which a corner moves on the skull as it was seen to, and which it never reaches: in
lively clips without strong turns 98 of 100 movements are below 0.13."""

AROUND = (0.6, 1.6)
"""Widths from the eye's middle up to which what is around goes along wholly, and from which on not."""

_EYES = (
    [topo.RIGHT_EYE_OUTER_CORNER, topo.RIGHT_EYE_INNER_CORNER],
    [topo.LEFT_EYE_OUTER_CORNER, topo.LEFT_EYE_INNER_CORNER],
)


def hold_corners(places: Floats, rigid: Floats) -> None:
    """Hold the corners of both eyes on the skull, and what is around with them, in place.

    Args:
        places: ``(478, 2)`` where the landmarks go; the mesh's are changed.
        rigid: ``(468, 2)`` where the head's motion alone puts them.
    """
    for eye in _EYES:
        corners, moved = rigid[eye], places[eye] - rigid[eye]
        width = np.float32(np.hypot(*(corners[0] - corners[1])))
        far = np.hypot(moved[:, 0], moved[:, 1])
        if far.max() > BELIEVED * width:
            held = limited(far, BELIEVED * width, MOST * width) / np.maximum(far, np.float32(1e-9))
            places[:N_MESH] += _around(rigid, corners, moved * (held - 1)[:, None])


def _around(rigid: Floats, corners: Floats, shifts: Floats) -> Floats:
    """``(468, 2)`` how landmarks move with an eye: as its corners between them, less what is further off.

    Args:
        rigid: ``(468, 2)`` where they are without an expression.
        corners, shifts: ``(2, 2)`` where its corners are, and by how much these move.
    """
    axis = corners[0] - corners[1]
    width = np.float32(np.hypot(*axis))
    to_outer = np.clip((rigid - corners[1]) @ axis / width**2, 0.0, 1.0)[:, None]
    away = rigid - corners.mean(axis=0)
    far = (np.hypot(away[:, 0], away[:, 1]) / width - AROUND[0]) / (AROUND[1] - AROUND[0])
    share = 1 - smoothstep(np.clip(far, 0.0, 1.0))
    return np.asarray(share[:, None] * (shifts[1] + to_outer * (shifts[0] - shifts[1])), np.float32)
