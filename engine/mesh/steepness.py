"""How steeply a head's depth rises beside its face: no steeper than its pixels can be drawn out.

Beside the face the head's depth falls away to its rim, within a few pixels of beard or of an ear.  Turned,
those few pixels were drawn out into streaks as long as the head is deep, and ears into sails.  On the side
that a turn uncovers the depth rises by as much as the pixels bear; the hidden side goes behind the face.
"""

from __future__ import annotations

import numpy as np

from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep

STEEPEST = 1.0
"""Pixels of depth per pixel of the portrait: a turn by 30 degrees draws them out by half."""

SIDE = 0.3
"""Face units from the middle of the head to where a place is wholly on the uncovered side."""


def slack(positions: Floats, depth: Floats, edge: Floats, edge_depth: Floats, inside: Floats) -> Floats:
    """How much of their depth places beside a face have too much, ``(G,)``; none within the face.

    Args:
        positions: ``(G, 2)`` the places.
        depth: ``(G,)`` theirs.
        edge: ``(n, 2)`` the face's outline, closed.
        edge_depth: ``(n,)`` its depth; all in one unit.
        inside: ``(G,)`` how far inside the outline, negative outside.
    """
    # Between the landmarks, too: they are further apart than the sheet's nodes.
    closer = np.concatenate([edge, (edge + np.roll(edge, -1, axis=0)) / 2])
    there = np.concatenate([edge_depth, (edge_depth + np.roll(edge_depth, -1)) / 2])
    away = positions[:, None] - closer
    most = (there + STEEPEST * np.hypot(away[..., 0], away[..., 1])).min(axis=1)
    return np.where(inside >= 0, 0.0, np.maximum(depth - most, 0.0)).astype(np.float32)


def uncovered_share(along: Floats) -> Floats:
    """How far places are on the side that a turn uncovers, 0..1; ``along`` is negative there, face units."""
    return smoothstep(np.clip(along * np.float32(-1 / SIDE), 0.0, 1.0))
