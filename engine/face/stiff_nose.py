"""A nose is bone and gristle: where landmarks say otherwise, it moves as one piece.

Seen from the side, and in strong turns, landmarks of tip, wings and bridge slide along the nose by as much as
a face unit's fifteenth.  On a portrait in half profile, whose nose is its outline, that broke it into steps.
Where the alignment finds the nose itself, on a driver who is seen from the same side, nothing slides, and
what it moves by is the head's, too: a stiff nose stood a pixel beside the face around it.
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

OUTLINE = (0.55, 0.75)
"""Poses of a portrait from which on its nose becomes a part of its outline, and is."""

FOUND, SAME_SIDE = (0.5, 0.85), (0.08, 0.20)
"""Trust in the alignment from which on a nose counts as found by it, and wholly so; and difference of the
sines of the portrait's yaw and of the driver's in their reference up to which they are seen from the same
side, and from which on not.  On eleven portraits that are turned by 0.28 to 0.48, driven by their own clips,
the skin around mouth and eyes is nearer to the truth by 4 and 2 % with it; driven by frontal faces, noses
drew nearer to the lips."""

KEPT = 0.3
"""How much of the nose's own motion as a whole a stiff one keeps: it is fixed to the skull."""

BENDS, MOST = 0.025, 0.04
"""Face units by which a place of the nose may move against the rest of it as it was measured, and which it
never exceeds.  In 23 clips nine in ten are below 0.02 to 0.04; wings that rise or flare do so by
less than the first."""


def nose_stiffness(own: tuple[float, float], turn: tuple[float, float], found: float = 0.0) -> float:
    """How stiff a nose is, 0..1: of a portrait turned by ``own`` whose driver turns by ``turn``.

    Args:
        found: how far the driver's nose was found from the same side, see :func:`nose_found`.
    """
    aside = hypot(*own)
    slides = 1 - found * (1 - ramp(aside, OUTLINE))
    return smoothstep(max(ramp(aside, ASIDE) * slides, ramp(hypot(*turn), TURNED)))


def nose_found(trust: Floats, apart: float) -> float:
    """How far (0..1) a driver's nose was found by the alignment, from the side that a portrait shows.

    Args:
        trust: ``(GRID, GRID)`` in the field.
        apart: difference of the sines of their yaws.
    """
    return ramp(trust_on_nose(trust), FOUND) * (1 - ramp(abs(apart), SAME_SIDE))


def trust_on_nose(trust: Floats) -> float:
    """Mean on the nose of the trust ``(GRID, GRID)`` in a field."""
    return float(trust.reshape(-1) @ _nose_nodes())


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
def _nose_nodes() -> Floats:
    """``(GRID * GRID,)`` shares of the layout's nodes in a mean over the nose."""
    share = region_maps().at_grid[list(region_indices(["nose"]))].sum(axis=0)
    return np.asarray(share / share.sum(), np.float32)


@lru_cache(maxsize=1)
def _nose() -> Floats:
    """``(478,)`` how far each landmark is the nose's, 0..1."""
    share = region_maps().at_points[list(region_indices(["nose"]))].sum(axis=0)
    share[N_MESH:] = 0.0
    return np.asarray(smoothstep(np.clip(1.5 * share, 0.0, 1.0)), np.float32)
