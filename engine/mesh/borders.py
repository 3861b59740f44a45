"""A person whom the portrait's border cuts: the cut stays at the border, and what is between goes along.

Hair that the photo cuts off does not go on in it.  Where the head sank, its mirror image came in from beyond
the border and passed into blurred colour.  So between the border and the face the person is drawn out evenly
instead, as far as pixels bear it; only what a head moves beyond that shows what is made up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.types import Bools, Floats
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.sampling import sample

REACH = 1.0
"""Face units from the border within which a motion away from it is held."""

DRAWN_OUT = 1.2
"""By how much of its length at most what lies between the border and the face is drawn out."""

CUT = (0.3, 0.8)
"""How far the border's pixels are the person's, from not cut to cut."""

WIDE = (1.2, 2.2)
"""Face units of a head that the top border cuts from which on it is held, and wholly so: of less, little is
missing (:mod:`mien.engine.avatar.person.crown`), and held, it was drawn out into a cone."""

DOWN, UP = 1.0, -1.0
"""Ways from the top and from the bottom border into the image.  Hair at the sides is free: a turn takes it
behind the face, and held, it folded."""


@dataclass(frozen=True, slots=True)
class Borders:
    """How far the nodes of a sheet are held at each border that cuts the person.

    Attributes:
        share: ``(2, G)`` of a motion away from the top and the bottom border that each node does not take
            part in: 1 at the border, 0 on the face.
        most: ``(2, G)`` pixels of such a motion that are held at most.
    """

    share: Floats
    most: Floats

    @staticmethod
    def of(positions: Floats, beside: Floats, unit: float, step: float, person: Floats) -> Borders | None:
        """Of a portrait; None where no border cuts the person.

        Args:
            positions: ``(G, 2)`` the nodes, pixels.
            beside: ``(G,)`` how far they are from the face, 0 on it; face units.
            unit: pixels of a face unit, and ``step`` between two nodes.
            person: ``(H, W)`` in 0..1 where the person is in the portrait.
        """
        height, width = person.shape
        found = []
        for way, border in ((DOWN, 0.0), (UP, float(height))):
            at = np.full_like(positions, border - 0.5 + way)
            at[:, 0] = np.clip(positions[:, 0], 0, width - 1)
            cut = sample(person, at[None]).ravel()
            cut = smoothstep(np.clip((cut - CUT[0]) / (CUT[1] - CUT[0]), 0.0, 1.0))
            if way == DOWN:
                wide = _widths(person[0] >= CUT[1])[at[:, 0].astype(int)] / np.float32(unit)
                cut *= smoothstep(np.clip((wide - WIDE[0]) / (WIDE[1] - WIDE[0]), 0.0, 1.0))
            # Between two nodes motion is even: the first one within the image stays, too.
            away = np.maximum((positions[:, 1] - border) * way - step, 0.0) / unit
            between = np.minimum(away + beside, REACH)
            share = 1 - np.minimum(away / np.maximum(between, 1e-3), 1.0)
            found.append((cut * share, DRAWN_OUT * between * unit))
        shares, most = (np.asarray(values, np.float32) for values in zip(*found, strict=True))
        return Borders(shares, most) if shares.any() else None

    def hold(self, moved: Floats, positions: Floats) -> None:
        """Hold the moved nodes ``(G, 2)``, in place; ``positions`` are where they are at rest."""
        for way, share, most in zip((DOWN, UP), self.share, self.most, strict=True):
            motion = (moved[:, 1] - positions[:, 1]) * np.float32(way)
            np.clip(motion, 0.0, most, out=motion)
            motion *= share * np.float32(way)
            moved[:, 1] -= motion


def pieces(cut: Bools) -> list[tuple[int, int]]:
    """First and last column, and one, of each piece that a border cuts; ``cut`` is ``(W,)``."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], cut, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(steps[::2], steps[1::2], strict=True)]


def _widths(cut: Bools) -> Floats:
    """``(W,)`` how wide the piece is of which each column is one; 0 where nothing is cut."""
    found = np.zeros(len(cut), np.float32)
    for start, stop in pieces(cut):
        found[start:stop] = stop - start
    return found
