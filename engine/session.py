"""Frame after frame: track, bridge what is lost, apply the gains, render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

from engine.continuity import Continuity
from engine.micro import MicroGain
from engine.motion import Gains, Motion, apply_gains
from engine.renderer import AvatarRenderer
from engine.tracker import Tracker
from engine.types import Frame, Rendered


class Session:
    """One driver and one avatar.

    >>> session = Session(tracker, renderer)          # doctest: +SKIP
    >>> for frame in frames:
    ...     picture = session.step(frame).image

    Args:
        tracker: follows the driver (None when only recorded motion is played).
        renderer: draws the avatar.
        gains: how much of the motion is taken over; may be replaced at any time.
        on_motion: called with every frame's measured motion (None: no face), before the gains.
    """

    def __init__(
        self,
        tracker: Tracker | None,
        renderer: AvatarRenderer,
        gains: Gains | None = None,
        on_motion: Callable[[Frame, Motion | None], None] | None = None,
    ) -> None:
        self.tracker = tracker
        self.renderer = renderer
        self.gains = gains or Gains()
        self._micro = MicroGain(self.gains.micro)
        self._on_motion = on_motion
        self._continuity = Continuity()

    @property
    def lost(self) -> bool:
        """Whether the last frame showed no face."""
        return self._continuity.lost

    def step(self, frame: Frame) -> Rendered:
        """The avatar's picture for a driving frame."""
        if self.tracker is None:
            raise ValueError("this session has no tracker: use play")
        start = perf_counter()
        motion = self.tracker.track(frame)
        spent = 1000 * (perf_counter() - start)
        rendered = self.play(frame, motion)
        return replace(rendered, stage_ms={"track": spent, **rendered.stage_ms})

    def play(self, frame: Frame, motion: Motion | None) -> Rendered:
        """The avatar's picture for an already measured motion (None: no face was seen).

        Only the frame's index and times are used, not its picture.
        """
        if self._on_motion is not None:
            self._on_motion(frame, motion)
        if self._micro.gain != self.gains.micro:
            self._micro = MicroGain(self.gains.micro)
        shown = self._continuity.fill(frame, None if motion is None else self._micro(motion))
        return self.renderer.render(apply_gains(shown, self.gains))
