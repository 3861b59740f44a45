"""The One-Euro filter: adaptive smoothing for live use."""

from __future__ import annotations

from math import pi
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats


class OneEuro:
    """The One-Euro filter (Casiez, Roussel, Vogel, CHI 2012): steady at rest, without lag in motion.

    Args:
        cutoff: cut-off frequency of a signal at rest, Hz.
        speed: increase of the cut-off per unit of speed (1/s).
        speed_cutoff: cut-off frequency of the speed itself, Hz.
        floor: speed up to which a signal counts as at rest.
        near: side of the box of neighbours over which the speed is averaged; values are ``(H, W, C)`` then.
    """

    def __init__(
        self, cutoff: float, speed: float, speed_cutoff: float = 1.0, floor: float = 0.0, near: int = 1
    ) -> None:
        self._cutoff, self._speed_gain, self._speed_cutoff = cutoff, speed, speed_cutoff
        self._floor, self._near = floor, near
        self._time: float | None = None
        self._value: Floats = np.zeros(0, np.float32)
        self._speed: Floats = np.zeros(0, np.float32)

    def reset(self) -> None:
        self._time = None

    def __call__(self, value: Floats, time: float) -> Floats:
        """Return the smoothed value; any shape, the same in every call; ``time`` in seconds."""
        if self._time is None or time <= self._time:
            self._time, self._value, self._speed = time, value.copy(), np.zeros_like(value)
            return value
        step = time - self._time
        share = _share(self._speed_cutoff, step)
        self._speed = self._speed + share * ((value - self._value) / step - self._speed)
        cutoff = self._cutoff + self._speed_gain * self._moving()
        self._value = (self._value + _share(cutoff, step) * (value - self._value)).astype(np.float32)
        self._time = time
        return self._value

    def _moving(self) -> Floats:
        """Speed beyond that of rest."""
        speed = self._speed
        if self._near > 1:
            speed = np.asarray(cv2.blur(speed, (self._near, self._near)), np.float32)
        return np.asarray(np.maximum(np.abs(speed) - self._floor, 0.0), np.float32)


def _share(cutoff: Any, step: float) -> Any:
    """Fraction of the step towards a new value; ``cutoff`` is a number or an array, Hz."""
    rate = 2 * pi * cutoff * step
    return rate / (rate + 1.0)
