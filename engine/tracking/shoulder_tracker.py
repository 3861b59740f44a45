"""The driver's shoulders from frame to frame: steady at rest, and guessed again where they are not seen."""

from __future__ import annotations

from math import exp, hypot, log

import numpy as np

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import Similarity, turn_matrix
from mien.engine.mesh.neck import body_shift, neck_of
from mien.engine.motion import Body
from mien.engine.tracking.one_euro import OneEuro
from mien.engine.tracking.shoulders import Shoulders
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp

REST, SPEED, SPEED_CUTOFF, STILL = 1.5, 15.0, 2.0, 0.02
"""One-Euro filter of the motion: cut-off at rest, Hz, its increase with the speed, cut-off of the speed, Hz,
and the speed of rest, face units a second."""

TRUST_S = 0.3
"""Seconds over which trust comes and goes: a hand that passes is no reason to jump to a guess."""

FULL = 0.9
"""Trust from which on a frame's measurement counts whole; with less, it moves what was known by less."""


LIKELY = 0.5
"""Trust from which on the next frame's search begins where this one's ended."""

STRETCHED = (0.4, 0.8)
"""Face units between the shoulders' shift and that which the head suggests up to which a neck does that, and
from which on it does not: of 186 pairs of clips 2 % have more than the first, none the second."""

JITTER, FASTEST = 0.03, 2.0
"""Face units, and face units a second, by which shoulders move from frame to frame; jumps are mistakes."""


class ShoulderTracker:
    """Follows one reference's shoulders."""

    def __init__(self, shoulders: Shoulders) -> None:
        self._shoulders = shoulders
        self._smooth = OneEuro(REST, SPEED, SPEED_CUTOFF, STILL)
        self._seen = Body()
        self._time: float | None = None
        self._values: Floats = np.zeros(4, np.float32)
        self._trust = 0.0

    def track(self, image: Image, time: float, expected: tuple[float, float]) -> Body:
        """The shoulders' motion in a frame.

        Args:
            image: ``(H, W, 3) uint8`` RGB, as large as the reference.
            time: the frame's, seconds.
            expected: shift that the head's motion suggests, face units.
        """
        first = self._time is None or time <= self._time
        start = self._seen.shift if self._seen.trust >= LIKELY and not first else expected
        seen = self._shoulders.seen(image, start)
        found = np.array([*seen.shift, log(seen.scale), seen.roll], np.float32)
        trust = seen.trust * (1 - ramp(_apart(seen.shift, expected), STRETCHED))
        step = 0.0 if first or self._time is None else time - self._time
        if first:
            self._trust = trust
        else:
            jumped = _apart(seen.shift, self._seen.shift) / (JITTER + FASTEST * step)
            trust /= (1 + jumped * jumped) ** 2
            found = self._values + np.float32(min(trust / FULL, 1.0) ** 3) * (found - self._values)
            self._trust += (1 - exp(-step / TRUST_S)) * (trust - self._trust)
        self._seen = seen
        self._time = time
        self._values = self._smooth(found, time)
        x, y, size, roll = (float(value) for value in self._values)
        return Body((x, y), exp(size), roll, self._trust)


def expected_shift(
    geometry: FaceGeometry, head: Similarity, turn: tuple[float, float]
) -> tuple[float, float]:
    """How far a head's motion suggests that the shoulders shifted, face units.

    Args:
        geometry: of the reference.
        head, turn: since the reference.
    """
    centre = geometry.centre[None]
    neck = neck_of(np.array([0.0, 1.0], np.float32), geometry.unit)
    rotation = turn_matrix(turn).astype(np.float32)
    shift = body_shift((head.apply(centre) - centre)[0], head, rotation, neck, geometry.unit)
    return float(shift[0]) / geometry.unit, float(shift[1]) / geometry.unit


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])
