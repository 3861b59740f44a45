"""Bridging of gaps in which the driver's face is out of sight."""

from __future__ import annotations

from dataclasses import replace

from mien.engine.motion import Motion, Shape
from mien.engine.types import Frame
from mien.engine.utils.curves import smoothstep

HOLD = 0.15
"""Seconds for which the last motion is held: a hand in front of the face is no reason to move."""

NEUTRAL_AFTER = 0.5
"""Seconds after the loss by which the avatar has returned to its portrait's own pose."""

RECOVERY = 0.25
"""Seconds over which motion fades in again after a gap or a change of the reference."""


class GapFiller:
    """Fills gaps in a stream of motions without jumps: hold, ease back to neutral, recover.

    Times are those of the frames (media time), so a file gives the same result at any speed.
    """

    def __init__(self) -> None:
        self._shown: Motion | None = None
        self._lost_at: float | None = None
        self._found_at: float | None = None
        self._from: Motion | None = None
        self._measured_shape: Shape | None = None

    @property
    def lost(self) -> bool:
        """Whether the last frame showed no face."""
        return self._lost_at is not None

    def fill(self, frame: Frame, motion: Motion | None) -> Motion:
        """Return the motion to show for ``frame``: the measured one, or a bridge across the gap."""
        shown = self._bridge(frame) if motion is None else self._measured(frame, motion)
        self._shown = shown
        return shown

    def _new_reference(self, motion: Motion) -> bool:
        """Whether the motion is relative to a different reference than the last one."""
        return self._measured_shape is not None and motion.shape is not self._measured_shape

    def _bridge(self, frame: Frame) -> Motion:
        neutral = Motion.neutral(frame.index, frame.time, frame.captured_ns)
        self._found_at = None
        if self._lost_at is None:
            self._lost_at, self._from = frame.time, self._shown
        if self._from is None:
            return neutral
        share = _ease((frame.time - self._lost_at - HOLD) / (NEUTRAL_AFTER - HOLD))
        return neutral.mixed(self._from, 1.0 - share)

    def _measured(self, frame: Frame, motion: Motion) -> Motion:
        if self._lost_at is not None:
            self._lost_at, self._found_at, self._from = None, frame.time, self._shown
        elif self._shown is not None and self._new_reference(motion):
            self._found_at, self._from = frame.time, self._shown
        self._measured_shape = motion.shape
        if self._found_at is None or self._from is None:
            return motion
        share = _ease((frame.time - self._found_at) / RECOVERY)
        if share >= 1.0:
            self._found_at = self._from = None
            return motion
        return replace(motion.mixed(self._from, 1.0 - share), confidence=motion.confidence)


def _ease(share: float) -> float:
    """0 before 0, 1 after 1, smooth in between."""
    return smoothstep(min(max(share, 0.0), 1.0))
