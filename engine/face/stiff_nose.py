"""A nose is bone and gristle: where landmarks say otherwise, it moves as one piece.

Seen from the side, and in strong turns, landmarks of tip, wings and bridge slide along the nose by as much as
a face unit's fifteenth.  On a portrait in half profile, whose nose is its outline, that broke it into steps.
Of drivers who shout, with their moustache over the lip, nostrils came nearer to each other by a quarter.
"""

from __future__ import annotations

from functools import lru_cache
from math import hypot

import numpy as np

from mien.engine.face.layout import N_MESH
from mien.engine.face.regions import region_indices, region_maps
from mien.engine.types import Floats
from mien.engine.utils.curves import limited, ramp, smoothstep

ASIDE, TURNED = (0.25, 0.55), (0.35, 0.6)
"""Poses of a portrait, and turns of a head, from which on a nose becomes stiff, and is; radians."""

KEPT = 0.3
"""How much of the nose's own motion as a whole a stiff one keeps: it is fixed to the skull."""

BENDS, MOST = 0.025, 0.04
"""Face units by which a place of the nose may move against the rest of it as it was measured, and which it
never exceeds.  In 23 clips nine in ten are below 0.02 to 0.04; wings that rise or flare do so by
less than the first."""


def nose_stiffness(own: tuple[float, float], turn: tuple[float, float]) -> float:
    """How stiff a nose is, 0..1: of a portrait turned by ``own`` whose driver turns by ``turn``."""
    return smoothstep(max(ramp(hypot(*own), ASIDE), ramp(hypot(*turn), TURNED)))


def with_stiff_nose(points: Floats, stiffness: float) -> Floats:
    """Displacements ``(478, 2)`` with a nose that moves as one; ``points`` itself where it is not stiff."""
    if stiffness == 0.0:
        return points
    share = _nose()
    mean = np.float32(KEPT) * (share @ points) / share.sum()
    found: Floats = points + np.float32(stiffness) * share[:, None] * (mean - points)
    return found


def with_held_nose(points: Floats) -> Floats:
    """Displacements ``(478, 2)`` with a nose that keeps its shape; ``points`` itself where it does."""
    share = _nose()
    bent = points - (share @ points) / share.sum()
    bent[share == 0] = 0.0
    far = np.hypot(bent[:, 0], bent[:, 1])
    if float(far.max()) <= BENDS:
        return points
    most = limited(far, BENDS, MOST) / np.maximum(far, np.float32(1e-6))
    return np.asarray(points + (share * (most - 1))[:, None] * bent, np.float32)


@lru_cache(maxsize=1)
def _nose() -> Floats:
    """``(478,)`` how far each landmark is the nose's, 0..1."""
    share = region_maps().at_points[list(region_indices(["nose"]))].sum(axis=0)
    share[N_MESH:] = 0.0
    return np.asarray(smoothstep(np.clip(1.5 * share, 0.0, 1.0)), np.float32)
