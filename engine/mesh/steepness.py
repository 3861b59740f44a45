"""How steeply a head's depth rises beside its face: no steeper than its pixels can be drawn out.

Beside the face the head's depth falls away to its rim, within a few pixels of beard or of an ear.  Turned,
those few pixels were drawn out into streaks as long as the head is deep, and ears into sails.  On the side
that a turn uncovers the depth rises by as much as the pixels bear; the hidden side goes behind the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep

STEEPEST = (1.0, 1.6)
"""Pixels of depth per pixel of the portrait, beside what is foreshortened and what is seen well: turned
by 30 degrees they are drawn out to 1.4 and 1.7 times their width.  With 1 everywhere turned heads were too
narrow (L1 of the face 23.4 grey levels, 23.2 with these).  With 1.6 everywhere it is 22.8, but far sides that
turn to the front have no more to show: wall in the shape of a cheek."""

SEEN = (0.6, 0.9)
"""Shares of its frontal area between which a place is foreshortened or seen well."""

SCALP, EAR = 4.5, 0.6
"""The same where scalp that is seen well is beside the face, and an ear.  Hair bears it: held like skin, it
left the skull flat behind the temple.  An ear that is drawn out stands off as a sail."""

CROWN = 0.9
"""Face units beyond the middle of the head from which on the scalp comes to be on the uncovered side: it is
round, and what was let go on one side alone came to a point at the crown."""

SIDE = 0.3
"""Face units from the middle of the head to where a place is wholly on the uncovered side."""


@dataclass(frozen=True, slots=True)
class Rising:
    """How depth may rise from a face's outline, closed, of ``n`` landmarks.

    Attributes:
        edge: ``(n, 2)`` where they are.
        depth: ``(n,)`` how deep; in the same unit.
        area: ``(n,)`` how much of its frontal area the portrait shows of the face there.
        up, ear: ``(n,)`` 1 where scalp is beside them, and an ear.
    """

    edge: Floats
    depth: Floats
    area: Floats
    up: Floats
    ear: Floats

    def slack(self, positions: Floats, depth: Floats, inside: Floats) -> Floats:
        """How much of their depth places beside the face have too much, ``(G,)``; none within it.

        Args:
            positions: ``(G, 2)`` the places.
            depth: ``(G,)`` theirs.
            inside: ``(G,)`` how far inside the outline, negative outside.
        """
        seen = smoothstep(np.clip((self.area - SEEN[0]) / (SEEN[1] - SEEN[0]), 0.0, 1.0))
        steepest = STEEPEST[0] + (STEEPEST[1] - STEEPEST[0]) * seen
        steepest += (SCALP - STEEPEST[1]) * seen * self.up
        steepest += (EAR - steepest) * self.ear
        # Between the landmarks, too: they are further apart than the sheet's nodes.
        edge, there, steepest = (
            np.concatenate([known, (known + np.roll(known, -1, axis=0)) / 2])
            for known in (self.edge, self.depth, steepest)
        )
        away = positions[:, None] - edge
        most = (there + steepest * np.hypot(away[..., 0], away[..., 1])).min(axis=1)
        return np.where(inside >= 0, 0.0, np.maximum(depth - most, 0.0)).astype(np.float32)


def uncovered_share(along: Floats, up: Floats) -> Floats:
    """How far places are on the side that a turn uncovers, 0..1.

    Args:
        along: how far from the middle of the head they are, negative on that side; face units.
        up: 0 beside the eyes and below, 1 at the scalp.
    """
    crown = np.float32(CROWN) * up
    return smoothstep(np.clip((crown - along) / (crown + np.float32(SIDE)), 0.0, 1.0))
