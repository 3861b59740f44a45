"""The avatar at rest while nobody drives it: it breathes, sways a little, and blinks as somebody once did."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import pi, sin

import numpy as np

from mien.engine.motion import Gains, Head, Motion, apply_gains
from mien.engine.motion.recording import load_recording
from mien.engine.motion.region_fit import RegionFits
from mien.engine.types import Floats, Frame
from mien.engine.utils.assets import DEMO_MOTION
from mien.engine.utils.curves import smoothstep

LOST_S = 3.0
"""Seconds without a face after which the avatar rests by itself."""

EASE_S = 0.6
"""Seconds over which rest and the driver's motion pass into each other."""

BLINK = (38, 57)
"""First frame of the blink in the built-in recording, and the one after its last."""

BLINKS_S = (3.1, 4.7, 2.6, 5.3)
"""Seconds from one blink to the next, again and again."""

BREATH_S, SWAY_S = 4.2, (7.3, 11.0)
"""Periods of breathing, and of the head's swaying."""


class Resting:
    """Puts rest in the place of the driver's motion.

    Attributes:
        held: whether the avatar rests whatever the driver does.
        when_lost: whether it rests by itself when no face is seen for :data:`LOST_S`.
    """

    def __init__(self) -> None:
        self.held = self.when_lost = False
        self._lost_since: float | None = None
        self._share, self._then = 0.0, 0.0

    @property
    def active(self) -> bool:
        """Whether the avatar rests now, or is about to."""
        return self.held or self._share > 0.5

    def over(self, frame: Frame, motion: Motion, *, lost: bool) -> Motion:
        """What is shown in place of ``motion``.

        Args:
            lost: whether no face is seen.
        """
        now = frame.time
        if not lost:
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
        gone = self.when_lost and self._lost_since is not None and now - self._lost_since > LOST_S
        step = min(max(now - self._then, 0.0), 0.2) / EASE_S
        self._then = now
        self._share = min(1.0, self._share + step) if self.held or gone else max(0.0, self._share - step)
        if self._share == 0.0:
            return motion
        rest = replace(at_rest(now), index=motion.index, captured_ns=motion.captured_ns)
        shown = rest if self._share == 1.0 else motion.mixed(rest, smoothstep(self._share))
        # The driver's own mouth would go on talking.
        return replace(shown, mouth=None)


def at_rest(time: float) -> Motion:
    """The motion of somebody who waits, ``time`` in seconds."""
    blink = blink_frames()
    since = time % sum(BLINKS_S)
    for pause in BLINKS_S:
        if since < pause:
            break
        since -= pause
    index = int(since * 25)
    motion = blink[index] if index < len(blink) else blink[0]
    breath = sin(2 * pi * time / BREATH_S)
    sway, nod = (sin(2 * pi * time / period) for period in SWAY_S)
    head = Head((0.004 * sway, 0.006 * breath), 1 + 0.003 * breath, 0.006 * sway, (0.010 * nod, 0.018 * sway))
    return replace(motion, head=head, time=time)


@lru_cache(maxsize=1)
def blink_frames() -> tuple[Motion, ...]:
    """The lids' motion through the recorded blink, 25 frames a second, beginning and ending with none."""
    recording = load_recording(DEMO_MOTION)
    frames = [motion for motion in recording.motions[BLINK[0] : BLINK[1]] if motion is not None]
    lids = Gains.only(["upper_lid_right", "upper_lid_left", "lower_lid_right", "lower_lid_left"])
    first, last = frames[0], frames[-1]
    found = []
    for index, motion in enumerate(frames):
        along = index / (len(frames) - 1)
        # The face had been moving before: what goes on from the first frame to the last is not the blink.
        points, dense, gaze, regions = (
            np.asarray(now - (1 - along) * before - along * after, np.float32)
            for now, before, after in zip(*map(_displacements, (motion, first, last)), strict=True)
        )
        rest = Motion.neutral(index)
        fits = RegionFits.given(regions, rest.affines)
        lid = replace(rest, shape=motion.shape, points=points, dense=dense, gaze=gaze, fits=fits)
        found.append(apply_gains(lid, lids))
    return tuple(found)


def _displacements(motion: Motion) -> tuple[Floats, Floats, Floats, Floats]:
    return motion.points, motion.dense, motion.gaze, motion.regions
