"""Lips whose shape does not tremble: what is placed between them stays as quiet as teeth."""

from __future__ import annotations

from math import pi

import numpy as np

from mien.engine.types import Floats
from mien.engine.utils.vectors import as_complex, as_points

CUTOFF, SPEED = 1.5, 20.0
"""Cut-off frequency of a shape at rest, Hz; its increase per mouth width a second: speech has no lag."""

SPEED_CUTOFF = 8.0
"""Cut-off frequency of the speed itself, Hz."""

LONGEST = 0.2
"""Seconds between two frames from which on the filter begins anew."""


class SteadyLips:
    """The One-Euro filter (Casiez, Roussel, Vogel, CHI 2012) on the shape of lips.

    Place, size and direction of the mouth are taken as they are; all of the shape shares one cut-off, so that
    a mouth that opens quickly opens everywhere.
    """

    def __init__(self) -> None:
        self._time: float | None = None
        self._shape = np.zeros(0, np.complex128)
        self._speed = 0.0

    def __call__(self, rings: Floats, time: float) -> Floats:
        """The lips' edges ``(40, 2)``, inner and outer, at ``time`` (seconds), as steady as they are slow."""
        points = as_complex(rings)
        middle, across = points.mean(), points[10] - points[0] + points[30] - points[20]
        if abs(across) < 1e-6:
            return rings
        shape = (points - middle) / across
        step = -1.0 if self._time is None else time - self._time
        if not 0 < step <= LONGEST:
            if step != 0:
                self._shape, self._speed = shape, 0.0
        else:
            apart = shape - self._shape
            # ``across`` is two widths: shapes are halves of a width.
            speed = 2 * float(np.sqrt(np.vdot(apart, apart).real / len(apart))) / step
            self._speed += _share(SPEED_CUTOFF, step) * (speed - self._speed)
            self._shape = self._shape + _share(CUTOFF + SPEED * self._speed, step) * apart
        self._time = time
        return as_points(self._shape * across + middle)


def _share(cutoff: float, step: float) -> float:
    rate = 2 * pi * cutoff * step
    return rate / (rate + 1)
