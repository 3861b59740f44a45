"""Whose mouth is seen between the avatar's lips."""

from __future__ import annotations

import pytest

from mien.engine.mouth.crossfade import FADE, Crossfade

STEP = 1 / 30


def test_one_gives_way_to_the_other_gradually() -> None:
    fade = Crossfade()
    assert fade(1.0, STEP, True) == 0.0
    assert fade(0.7, STEP, True) == pytest.approx(STEP / FADE)


def test_teeth_of_lips_that_purse_within_a_frame_are_gone_at_once() -> None:
    fade = Crossfade()
    assert fade(1.0, STEP, True) == 0.0
    assert fade(0.1, STEP, True) == 1.0
    assert fade(1.0, STEP, True) == pytest.approx(1 - STEP / FADE), "and come back gradually"
