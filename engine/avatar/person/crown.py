"""The top of a head that the portrait's border cuts: beyond the border it is round, and then it ends.

The person goes on there as their mirror image.  Where a head sank, hair had a second head of hair on top; a
round one has little more above a border that cuts little of it.
"""

from __future__ import annotations

import numpy as np

from mien.engine.mesh.borders import pieces
from mien.engine.types import Bools, Floats, Image

ROUND = 0.9
"""Radius of a head's top, face units."""

SEEN = 128
"""Opacity from which on a pixel of the border's row is the person's."""


def rounded(layer: Image, rim: int, unit: float) -> Image:
    """A person's layer with a round top beyond the border.

    Args:
        layer: ``(H, W, 4) uint8`` colours times opacity, then opacity; its first ``rim`` rows are beyond the
            portrait's top border.
        rim: as above.
        unit: pixels of a face unit.

    Returns:
        ``layer`` itself where there is nothing beyond, else a new array.
    """
    if rim == 0:
        return layer
    height = caps(layer[rim, :, 3] >= SEEN, ROUND * unit)
    away = np.arange(rim, 0, -1, dtype=np.float32) - np.float32(0.5)
    share = np.clip(height - away[:, None] + np.float32(0.5), 0.0, 1.0)
    found = layer.copy()
    found[:rim] = layer[:rim] * share[..., None] + np.float32(0.5)
    return np.asarray(found, np.uint8)


def caps(cut: Bools, radius: float) -> Floats:
    """``(W,)`` how far a round head goes on above each column, where ``cut`` says that the border cuts it."""
    found = np.zeros(len(cut), np.float32)
    for start, stop in pieces(cut):
        half = (stop - start) / 2
        across = np.arange(start, stop) + 0.5 - (start + stop) / 2
        ball = max(radius, half)
        found[start:stop] = np.sqrt(ball**2 - across**2) - np.sqrt(ball**2 - half**2)
    return found
