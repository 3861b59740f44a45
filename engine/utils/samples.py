"""Measured values without growth: the last so many, and their percentiles."""

from __future__ import annotations

import numpy as np

from mien.engine.types import Floats

REMEMBERED = 20_000
"""Values kept: eleven minutes at 30 per second."""


class Samples:
    """A ring of the newest values.

    >>> samples = Samples(2)
    >>> for value in (1.0, 2.0, 4.0):
    ...     samples.add(value)
    >>> samples.count, samples.percentile(50)
    (3, 3.0)

    Attributes:
        count: how many values were ever added.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._values = np.zeros(remembered, np.float32)
        self.count = 0

    def add(self, value: float) -> None:
        """Remember a value, in the place of the oldest."""
        self._values[self.count % len(self._values)] = value
        self.count += 1

    @property
    def values(self) -> Floats:
        """The values still remembered, oldest first, a copy."""
        size = len(self._values)
        if self.count <= size:
            return np.array(self._values[: self.count], np.float32)
        begin = self.count % size
        return np.concatenate([self._values[begin:], self._values[:begin]])

    def percentile(self, share: float) -> float:
        """The value below which ``share`` percent of the values lie; nan when there are none."""
        values = self.values
        return float(np.percentile(values, share)) if len(values) else float("nan")
