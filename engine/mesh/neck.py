"""The neck that a head turns and rolls on: what of a head's shift is its own, and what its body's."""

from __future__ import annotations

import numpy as np

from mien.engine.face.head_pose import Similarity
from mien.engine.types import Floats

PIVOT = (0.8, 1.6)
"""Face units below and behind the head's centre at which it turns on its neck.

The place that explains most of how shoulders move across in 400 pairs of 59 clips: a share of the head's
shift alone leaves 0.060 face units, a share of what the neck does not explain 0.045."""

BESIDE = 0.12
"""Face units by which a body may go beyond or against its head's shift: a head that turns on its neck shifts,
too, and where a driver's does not, the body is not to swing the other way."""


def neck_of(down: Floats, unit: float) -> Floats:
    """``(3,)`` where a head turns on its neck, from its centre, pixels; ``down`` is its own direction."""
    pivot = np.array([*(PIVOT[0] * down), PIVOT[1]], np.float32)
    return np.asarray(pivot * np.float32(unit), np.float32)


def body_shift(shift: Floats, solid: Similarity, rotation: Floats, neck: Floats, unit: float) -> Floats:
    """The part of a head's shift ``(2,)`` that is not by its roll and turn on the neck; pixels.

    Args:
        solid: the head's similarity.
        rotation: ``(3, 3)`` its turn.
        neck: as :func:`neck_of`.
    """
    pivot = (rotation @ neck)[None, :2]
    swung = neck[:2] - Similarity(solid.a / abs(solid.a), 0j).apply(pivot)[0]
    beside = np.float32(BESIDE * unit)
    low, high = np.minimum(shift, 0.0) - beside, np.maximum(shift, 0.0) + beside
    return np.asarray(np.clip(shift - swung, low, high), np.float32)
