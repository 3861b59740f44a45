"""One driver, one avatar: the parts that a frame passes through, put together for every kind of run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Gains, Motion
from mien.engine.mouth.mode import OWN, PAINTED, MouthMode
from mien.engine.presets import PresetRuntime, preset_of
from mien.engine.runtime import default_runtime
from mien.engine.session.renderer import AvatarRenderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Face, Frame, Image, Rendered

NO_IMAGE: Image = np.zeros((1, 1, 3), np.uint8)
"""In the place of a driver's image where only its motion is used."""

_STEP = 1 / 30
"""Seconds from one motion to the next where a played motion has no time of its own."""


class Animator:
    """An avatar that moves as the driver does, frame after frame.

    All motion is relative to the reference frame: the first with a face, or the one that
    :meth:`set_reference` takes.  One animator belongs to one thread at a time.

    >>> with Animator(avatar) as animator:            # doctest: +SKIP
    ...     for frame in frames:
    ...         image = animator.step(frame).image    # (H, W, 3) uint8 RGB

    Args:
        avatar: whom to draw, prepared with a runtime of the same model.
        live: track as a live run does: quicker, and smoothed over time.
        gains: how much of the motion is taken over.
        runtime: what computes, of any preset; it stays the caller's.  The built-in model on the CPU when left
            out.
        settings: of the tracker; those that ``live`` stands for when left out.
        landmarker: finds the driver's face; it is closed with the animator.  One is made when left out.
        crop: side of the square face crop to draw, in pixels; None draws the whole portrait.
        mouth: what is between the avatar's lips: the driver's ``own`` mouth, where their frame shows it well
            enough (24 pixels wide, lit, nothing before it), or the ``painted`` one alone.
        skip_still: see :class:`~mien.engine.session.session.Session`.
        on_motion: see :class:`~mien.engine.session.session.Session`.

    Attributes:
        runtime: what computes.
        session: the steps of a frame, for whoever gives each a thread of its own
            (:class:`~mien.engine.session.live_pipeline.LivePipeline`).

    Raises:
        MienError: the built-in model's files are missing or damaged.
    """

    def __init__(
        self,
        avatar: Avatar,
        live: bool = False,
        *,
        gains: Gains | None = None,
        runtime: PresetRuntime | None = None,
        settings: TrackerSettings | None = None,
        landmarker: Landmarker | None = None,
        crop: int | None = None,
        mouth: MouthMode = OWN,
        skip_still: bool = False,
        on_motion: Callable[[Frame, Motion | None], None] | None = None,
    ) -> None:
        self.runtime: PresetRuntime = default_runtime() if runtime is None else runtime
        self._owns_runtime = runtime is None
        self._preset = preset_of(self.runtime)
        self._settings = settings or TrackerSettings(live=live)
        self._landmarker = landmarker
        self.session = Session(
            None,
            self._preset.make_renderer(avatar, self.runtime, crop),
            gains,
            on_motion,
            skip_still,
        )
        self.mouth = mouth
        self._played, self._time = 0, -_STEP
        self._closed = False

    def __enter__(self) -> Animator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks that were loaded for this animator.  A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self.session.tracker is not None:
            self.session.tracker.close()
        elif self._landmarker is not None:
            self._landmarker.close()
        if self._owns_runtime:
            self.runtime.close()

    def load(self) -> Tracker:
        """Load the tracker's networks now, not at the first frame.

        An animator that plays recorded motion alone never needs them.

        Raises:
            MienError: their files are missing or damaged.
        """
        if self.session.tracker is None:
            if self._closed:
                raise ValueError("this animator is closed")
            settings = replace(self._settings, mouth=self.mouth == OWN)
            self.session.tracker = self._preset.make_tracker(self.runtime, settings, self._landmarker)
        return self.session.tracker

    @property
    def tracker(self) -> Tracker:
        """What follows the driver; see :meth:`load`."""
        return self.load()

    @property
    def renderer(self) -> AvatarRenderer:
        """What draws the avatar."""
        return self.session.renderer

    @property
    def avatar(self) -> Avatar:
        """Whom it draws; another one, prepared with a runtime of the same model, from the next frame on."""
        return self.renderer.avatar

    @avatar.setter
    def avatar(self, avatar: Avatar) -> None:
        self.renderer.set_avatar(avatar)

    @property
    def gains(self) -> Gains:
        """How much of the motion is taken over, from the next frame on."""
        return self.session.gains

    @gains.setter
    def gains(self, gains: Gains) -> None:
        self.session.gains = gains

    @property
    def mouth(self) -> MouthMode:
        """What is between the avatar's lips, from the next frame on."""
        return OWN if self.renderer.mouth.own else PAINTED

    @mouth.setter
    def mouth(self, mode: MouthMode) -> None:
        self.renderer.mouth.own = mode == OWN
        tracker = self.session.tracker
        if tracker is not None:
            tracker.settings = replace(tracker.settings, mouth=mode == OWN)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the images that it draws."""
        return self.renderer.size

    @property
    def lost(self) -> bool:
        """Whether the last frame showed no face."""
        return self.session.lost

    def set_reference(self, image: Image, face: Face | None = None) -> bool:
        """Make ``image`` the reference frame.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            face: the face in it, if it has been found already.

        Returns:
            False, and nothing changes, when there is no face in it.
        """
        return self.tracker.set_reference(image, face)

    def step(self, frame: Frame) -> Rendered:
        """The avatar as the driver is in ``frame``; in its own pose while no face is seen."""
        self.load()
        return self.session.step(frame)

    def play(self, motion: Motion | None, time: float | None = None) -> Rendered:
        """The avatar with a motion that was measured already: of a recording, the next one.

        Args:
            motion: None where no face was seen.
            time: seconds; the motion's own when left out, and for None a little after the last one's.
        """
        if time is None:
            time = self._time + _STEP if motion is None else motion.time
        frame = Frame(NO_IMAGE, self._played, 0, time)
        self._played, self._time = self._played + 1, time
        return self.session.play(frame, motion)
