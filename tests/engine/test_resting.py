"""The avatar at rest: it breathes and blinks, by itself when the driver is lost, and without a jump."""

from __future__ import annotations

import numpy as np

from mien.engine.motion import Motion
from mien.engine.session.resting import BLINKS_S, EASE_S, LOST_S, Resting, at_rest, blink_frames
from mien.engine.types import Frame, Image

UPPER_LID, CHIN = 159, 152
NO_IMAGE: Image = np.zeros((1, 1, 3), np.uint8)


def shown(resting: Resting, time: float, *, lost: bool = False) -> Motion:
    return resting.over(Frame(NO_IMAGE, 0, 0, time), Motion.neutral(time=time), lost=lost)


def test_the_blink_is_the_lids_alone_and_begins_and_ends_open() -> None:
    frames = blink_frames()
    lid = [float(motion.points[UPPER_LID, 1]) for motion in frames]
    assert max(lid) > 0.03 and abs(lid[0]) < 1e-6 and abs(lid[-1]) < 1e-6
    assert max(abs(float(motion.points[CHIN, 1])) for motion in frames) < 0.1 * max(lid)


def test_it_blinks_at_uneven_times_and_breathes_without_a_jump() -> None:
    times = np.arange(0, 2 * sum(BLINKS_S), 1 / 25)
    motions = [at_rest(float(time)) for time in times]
    shut = np.array([motion.points[UPPER_LID, 1] > 0.02 for motion in motions])
    begun = times[1:][shut[1:] & ~shut[:-1]]
    assert len(begun) == 2 * len(BLINKS_S)
    assert len(set(np.round(np.diff(begun), 1))) > 2
    heights = np.array([motion.head.shift[1] for motion in motions])
    assert 0.008 < np.ptp(heights) < 0.02
    assert np.abs(np.diff(heights)).max() < 0.001


def test_hold_eases_in_and_out() -> None:
    resting = Resting()
    assert shown(resting, 100.0).head.shift == (0.0, 0.0)
    resting.held = True
    seen = [shown(resting, 100 + step / 25) for step in range(1, 40)]
    jumps = np.diff([motion.head.turn[1] for motion in seen])
    assert resting.active and np.abs(jumps).max() < 0.004
    assert seen[-1].head == at_rest(100 + 39 / 25).head
    resting.held = False
    for step in range(40, 40 + int(25 * EASE_S) + 3):
        last = shown(resting, 100 + step / 25)
    assert not resting.active and last.head.turn == (0.0, 0.0)


def test_a_lost_face_is_waited_for_and_then_the_avatar_rests() -> None:
    resting = Resting()
    resting.when_lost = True
    for step in range(int(25 * LOST_S)):
        shown(resting, step / 25, lost=True)
    assert not resting.active
    for step in range(int(25 * LOST_S), int(25 * (LOST_S + 1))):
        shown(resting, step / 25, lost=True)
    assert resting.active
    shown(resting, LOST_S + 1.1)
    for step in range(40):
        shown(resting, LOST_S + 1.2 + step / 25)
    assert not resting.active, "the driver is back"
    resting.when_lost = False
    for step in range(200):
        shown(resting, 10 + step / 25, lost=True)
    assert not resting.active
