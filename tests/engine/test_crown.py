"""The top of a head that the portrait's border cuts: round beyond the border, and no second head of hair."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar.person.crown import ROUND, caps, rounded

UNIT, RIM, WIDTH = 100.0, 60, 400


def head(cut: slice) -> np.ndarray:
    """``(RIM + 100, WIDTH, 4)`` a person whom the top border cuts there, going on beyond it."""
    layer = np.zeros((RIM + 100, WIDTH, 4), np.uint8)
    layer[:, cut] = 200
    return layer


def test_a_head_ends_as_a_ball_beyond_the_border() -> None:
    cut = slice(150, 250)
    found = rounded(head(cut), RIM, UNIT)
    rows = RIM - (found[:RIM, :, 3] > 100).sum(axis=0)
    top = int(rows[200])
    ball = ROUND * UNIT
    assert RIM - top == pytest.approx(ball - np.sqrt(ball**2 - 50**2), abs=1)
    assert rows[151] >= RIM - 2  # at its ends nothing is missing
    assert (np.diff(rows[150:200]) <= 0).all()
    np.testing.assert_array_equal(found[RIM:], head(cut)[RIM:])


def test_colours_and_opacity_end_together() -> None:
    found = rounded(head(slice(150, 250)), RIM, UNIT)
    np.testing.assert_array_equal(found[..., 0], found[..., 3])


def test_a_wide_cut_is_half_a_ball_of_its_own_width() -> None:
    cut = np.zeros(WIDTH, bool)
    cut[50:350] = True
    assert caps(cut, ROUND * UNIT).max() == pytest.approx(150, abs=1)
    assert caps(~np.ones(WIDTH, bool), ROUND * UNIT).max() == 0


def test_nothing_beyond_the_border_changes_nothing() -> None:
    layer = head(slice(0, WIDTH))
    assert rounded(layer, 0, UNIT) is layer
