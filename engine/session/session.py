"""Sessions: track, bridge gaps, apply the gains, render, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

from mien.engine.motion import Gains, Motion, apply_gains
from mien.engine.motion.micro_gain import MicroGain
from mien.engine.session.bridging import GapFiller
from mien.engine.session.redraw import ChangeDetector
from mien.engine.session.renderer import AvatarRenderer
from mien.engine.session.resting import Resting
from mien.engine.tracking import Tracker
from mien.engine.types import Face, Frame, Rendered


@dataclass(frozen=True, slots=True)
class Tracked:
    """A driving frame with its measurement.

    Attributes:
        frame: the frame at the size of the reference frame.
        face: the face in it, or None.
        motion: its motion relative to the reference, or None.
        track_ms: milliseconds spent on tracking.
    """

    frame: Frame
    face: Face | None
    motion: Motion | None
    track_ms: float


class Session:
    """One driver and one avatar.

    >>> session = Session(tracker, renderer)          # doctest: +SKIP
    >>> for frame in frames:
    ...     image = session.step(frame).image

    Args:
        tracker: follows the driver (None when only recorded motion is played).
        renderer: draws the avatar.
        gains: strength of each part of the motion; may be replaced at any time.
        on_motion: called with every frame's measured motion (None: no face), before the gains.
        skip_still: return the last image again if nothing has moved since (the same array: for live use,
            where nobody writes into it), unless a background network has a newer result for it.

    :meth:`track` and :meth:`draw` are the two halves of :meth:`step`; each may run in its own thread.

    Attributes:
        skipped: number of images returned again because nothing had moved.
    """

    def __init__(
        self,
        tracker: Tracker | None,
        renderer: AvatarRenderer,
        gains: Gains | None = None,
        on_motion: Callable[[Frame, Motion | None], None] | None = None,
        skip_still: bool = False,
    ) -> None:
        self.tracker = tracker
        self.renderer = renderer
        self.gains = gains or Gains()
        self._micro = MicroGain(self.gains.micro)
        self._on_motion = on_motion
        self._continuity = GapFiller()
        self.resting = Resting()
        self._stillness = ChangeDetector() if skip_still else None
        self._last: Rendered | None = None
        self.skipped = 0

    @property
    def lost(self) -> bool:
        """Whether the last frame showed no face."""
        return self._continuity.lost

    def step(self, frame: Frame) -> Rendered:
        """Render the avatar for a driving frame."""
        return self.draw(self.track(frame))

    def track(self, frame: Frame) -> Tracked:
        """Measure the driver's motion in a frame."""
        if self.tracker is None:
            raise ValueError("this session has no tracker; use play()")
        start = perf_counter()
        motion = self.tracker.track(frame)
        spent = 1000 * (perf_counter() - start)
        return Tracked(self.tracker.frame or frame, self.tracker.face, motion, spent)

    def draw(self, tracked: Tracked) -> Rendered:
        """Render the avatar for a tracked frame."""
        rendered = self.play(tracked.frame, tracked.motion)
        return replace(rendered, stage_ms={"track": tracked.track_ms, **rendered.stage_ms})

    def play(self, frame: Frame, motion: Motion | None) -> Rendered:
        """Render the avatar for an already measured motion (None: no face was seen).

        Only the frame's index and times are used, not its image.
        """
        return self._render(self.shown(frame, motion))

    def shown(self, frame: Frame, motion: Motion | None) -> Motion:
        """Return the motion that :meth:`play` draws: gaps bridged, gains applied."""
        if self._on_motion is not None:
            self._on_motion(frame, motion)
        if self._micro.gain != self.gains.micro:
            self._micro = MicroGain(self.gains.micro)
        shown = self._continuity.fill(frame, None if motion is None else self._micro(motion))
        return self.resting.over(frame, apply_gains(shown, self.gains), lost=motion is None)

    def _render(self, motion: Motion) -> Rendered:
        still = self._stillness
        if still is None:
            return self.renderer.render(motion)
        moved = still.moved(motion, self.renderer.avatar) or self.renderer.unsettled
        if self._last is None or still.drawn is None or moved:
            self._last = self.renderer.render(motion)
            return self._last
        if self._stale:
            # Exactly the motion drawn last, so that a background network sees that nothing is left to add.
            last = self.renderer.render(replace(still.drawn, time=motion.time, mouth=motion.mouth))
        else:
            self.skipped += 1
            last = replace(self._last, stage_ms={})
        self._last = replace(last, index=motion.index, captured_ns=motion.captured_ns, time=motion.time)
        return self._last

    @property
    def _stale(self) -> bool:
        """Whether a background network has a newer result for the last image."""
        return self.renderer.stale
