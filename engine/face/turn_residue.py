"""What a turn leaves in measured displacements: a share of the turn itself, not an expression.

Landmarks know a face's depth roughly, and a solid turned by 40 degrees with a depth that is off by a
seventh misses its places by as much as a smile moves them: 0.06 face units on ten turning clips.  Carried
over as an expression, it turned the portrait's features once more, over a head that had turned already.  Such
an error is smooth over the whole face: linear in depth and quadratic in place.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mien.engine.face.layout import N_MESH, layout
from mien.engine.face.regions import region_maps
from mien.engine.landmarks import canonical_mesh
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp, smoothstep

TURNED = (0.40, 0.62)
"""Turns (radians; 23 and 36 degrees) from which on displacements are freed of the residue, and wholly so."""

STIFF = 0.01
"""Ridge of the fit, as a share of each curve's own power: what skin says against it, it need not follow."""

REACH = 0.75
"""Face units from the layout's origin beyond which the quadratic curves go on as straight lines."""

OWN, ROUNDS = 0.02, 4
"""Misses (face units) from which on a landmark moves by itself, and times that the fit asks."""

LOOSE = 0.02
"""Least weight of a landmark: lips and brows move by themselves, yet hold the curves where they are."""


def without_residue(points: Floats, dense: Floats, turn: tuple[float, float]) -> tuple[Floats, Floats]:
    """Displacements freed of what a turn leaves in them.

    Args:
        points: ``(468, 2)`` displacements of the landmarks, face units.
        dense: ``(GRID, GRID, 2)`` the displacement field.
        turn: the head's pitch and yaw, radians.

    Returns:
        The same arrays where the head is hardly turned, else new ones.
    """
    share = smoothstep(ramp(float(np.hypot(*turn)), TURNED))
    if share == 0.0:
        return points, dense
    curves, weights = _curves()
    found = np.float32(share) * _fitted(curves[:N_MESH], weights, points)
    freed = dense - (curves[N_MESH:] @ found).reshape(dense.shape)
    return points - curves[:N_MESH] @ found, freed


def _fitted(curves: Floats, weights: Floats, points: Floats) -> Floats:
    """``(7, 2)`` what fits the curves to the displacements, those that move by themselves left aside."""
    found, now = np.zeros((curves.shape[1], 2), np.float32), weights
    for _ in range(ROUNDS):
        weighed = curves * now[:, None]
        power = weighed.T @ curves
        power[np.diag_indices(len(power))] *= np.float32(1 + STIFF)
        found = np.asarray(np.linalg.solve(power, weighed.T @ points), np.float32)
        miss = np.hypot(*(points - curves @ found).T)
        now = weights / (1 + (miss / OWN) ** 2)
    return found


@lru_cache(maxsize=1)
def _curves() -> tuple[Floats, Floats]:
    """``(N, 7)`` the curves at the layout's nodes, and ``(468,)`` how far each landmark is the skull's."""
    maps = layout()
    mesh = canonical_mesh().astype(np.float32)
    unit = np.float32(mesh[263, 0] - mesh[33, 0])
    depth = maps.to_nodes @ ((mesh[:, 2] - mesh[:, 2].mean()) / unit)
    x, y = np.clip(maps.nodes, -REACH, REACH).T
    curves = np.stack([np.ones_like(x), *maps.nodes.T, depth, x * x, x * y, y * y], axis=1)
    weights = region_maps().rigid_points ** 2 + LOOSE
    return curves.astype(np.float32), weights.astype(np.float32)
