"""Components of a composed motion: facial actions, each the expression of some regions at its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.motion.phases import find_phases
from mien.engine.motion.recording import Recording
from mien.engine.types import NoFaceError, UsageError

EASE = 0.25
"""Share of rise and fall over which a recorded time course is faded in and out."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Onset, apex and offset in seconds: nothing moves before the first and after the last."""

    onset: float
    apex: float
    offset: float

    def __post_init__(self) -> None:
        if not 0 <= self.onset < self.apex < self.offset:
            raise UsageError(
                f"Onset, apex and offset must follow each other, not {self.onset:g}, {self.apex:g} and "
                f"{self.offset:g} s."
            )

    def envelope(self, time: float) -> float:
        """0 at onset and offset, 1 at the apex, with zero velocity and acceleration there (minimum jerk)."""
        if time <= self.apex:
            return _minimum_jerk((time - self.onset) / (self.apex - self.onset))
        return _minimum_jerk((self.offset - time) / (self.offset - self.apex))

    def window(self, time: float) -> float:
        """1 between onset and offset, with smooth edges."""
        rise = (time - self.onset) / (EASE * (self.apex - self.onset))
        fall = (self.offset - time) / (EASE * (self.offset - self.apex))
        return _minimum_jerk(min(rise, fall))

    def to(self, other: Timing, time: float) -> float:
        """Map ``time`` to ``other``, so that onsets, apexes and offsets coincide."""
        if time <= self.apex:
            share = (time - self.onset) / (self.apex - self.onset)
            return other.onset + share * (other.apex - other.onset)
        share = (time - self.apex) / (self.offset - self.apex)
        return other.apex + share * (other.offset - other.apex)


@dataclass(frozen=True, slots=True)
class FacialAction:
    """The expression of some regions at one time.

    Attributes:
        regions: indices on the K axis.
        timing: when.
        move: ``(x, y)`` at the apex, face units: a synthetic push.  None: the recording's own movement.
        gain: factor on the recording's movement.
        strength: length of each region's displacement at the apex, face units; replaces the gain.
        source: passage of the recording from which the movement is taken.
        smooth: play the recorded apex with the smooth envelope instead of the recorded course.
    """

    regions: tuple[int, ...]
    timing: Timing
    move: tuple[float, float] | None = None
    gain: float = 1.0
    strength: float | None = None
    source: Timing | None = None
    smooth: bool = False


def source_timing(recording: Recording, regions: Sequence[int], start: float, end: float) -> Timing:
    """Find the regions' strongest expression between ``start`` and ``end`` (seconds).

    The detected onset and offset lie where a fifth of the apex is reached; they are extrapolated linearly
    to where the movement would start and end at rest.

    Raises:
        NoFaceError: nothing was measured in the passage.
    """
    chosen = [i for i, time in enumerate(recording.times) if start <= time <= end]
    found = [m for i in chosen if (m := recording.motions[i]) is not None]
    if len(found) < 3:
        raise NoFaceError(
            "The recording shows fewer than three frames with a face there. Choose another passage."
        )
    times = [m.time for m in found]
    courses = np.stack([m.regions[list(regions)] for m in found])
    phases = find_phases(times, courses)
    step = (times[-1] - times[0]) / (len(times) - 1)
    apex = min(max(times[phases.apex], 1.5 * step), times[-1])
    onset = apex - 1.25 * max(apex - times[phases.onset], step)
    offset = apex + 1.25 * max(times[phases.offset] - apex, step)
    return Timing(max(onset, 0.0), apex, offset)


def _minimum_jerk(share: float) -> float:
    """0 before 0, 1 after 1, and the minimum-jerk curve in between."""
    s = min(max(share, 0.0), 1.0)
    return s * s * s * (10.0 - 15.0 * s + 6.0 * s * s)
