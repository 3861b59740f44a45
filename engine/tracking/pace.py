"""Which frames the landmark network is left out of: every second one, where it would not be in time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.engine.face.head_pose import Similarity
from mien.engine.types import Face, Floats

BUSY = 0.6
"""Share of a frame's interval from which on tracking with the network takes too long: 10 ms at 60 fps."""

SHARE = 0.1
"""Weight of a frame in the means of intervals and of time spent."""

LONGEST_S = 0.2
"""Intervals beyond are gaps and no frame rate."""

CALM = 0.03
"""Face units by which a head may move between two frames for the second to do without the network: half of
what the alignment still follows."""


class Pace:
    """Running means of a stream's frame interval and of the time that a frame with the network takes."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._interval = self._spent = 0.0
        self._spared = False

    def spares(self, time: float) -> bool:
        """Whether the frame at ``time`` (seconds) is to do without the network; never two in a row."""
        if self._last is not None and 0 < time - self._last < LONGEST_S:
            self._interval = _mean(self._interval, time - self._last)
        self._last = time
        self._spared = not self._spared and 0 < BUSY * self._interval < self._spent
        return self._spared

    def took(self, seconds: float) -> None:
        """A frame with the network took so long."""
        self._spent = _mean(self._spent, seconds)


def _mean(before: float, value: float) -> float:
    return before + SHARE * (value - before) if before else value


@dataclass(frozen=True, slots=True)
class Carried:
    """A face as it was measured last, to be carried along with its head.

    Attributes:
        head: the head's similarity since the reference.
        before: the same one frame earlier.
        points: ``(478, 2)`` the landmarks as the head would have them in the reference, pixels.
    """

    head: Similarity
    before: Similarity
    points: Floats

    @staticmethod
    def of(face: Face, head: Similarity, last: Carried | None, source: Carried | None) -> Carried:
        """From a measured face and its head; ``source`` is what it was itself carried from, if it was."""
        points = head.inverse().apply(face.landmarks[:, :2]) if source is None else source.points
        return Carried(head, head if last is None else last.head, points)

    def moved(self, face: Face, head: Similarity) -> Face:
        """The face with landmarks that go along with the head."""
        landmarks = face.landmarks.copy()
        landmarks[:, :2] = head.apply(self.points)
        return replace(face, landmarks=landmarks)

    def expected(self, centre: Floats, unit: float) -> Similarity | None:
        """The head's similarity one frame later, at the same speed; None if it moves too fast for that.

        Args:
            centre: ``(2,)`` the head's centre in the reference, pixels.
            unit: face unit of the reference, pixels.
        """
        back = self.before.inverse()
        step = Similarity(self.head.a * back.a, self.head.a * back.b + self.head.b)
        ends = np.stack([centre, centre + np.array([unit, 0], np.float32)]).astype(np.float32)
        now = self.head.apply(ends)
        moved = np.abs(step.apply(now) - now).max()
        if moved > CALM * unit * abs(self.head.a):
            return None
        return Similarity(step.a * self.head.a, step.a * self.head.b + step.b)
