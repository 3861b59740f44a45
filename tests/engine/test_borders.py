"""A person whom the portrait's border cuts: the cut stays at the border, the face is free."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.mesh.borders import DRAWN_OUT, REACH, Borders

UNIT, STEP, SIDE = 100.0, 10.0, 400
"""Pixels of a face unit, between two nodes, and of the portrait."""

FACE = 150.0
"""Rows above and below the face."""


def nodes() -> np.ndarray:
    """``(41 * 41, 2)`` a grid over the portrait."""
    axis = np.arange(0, SIDE + STEP, STEP, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)


def borders_of(person: np.ndarray) -> Borders | None:
    down = nodes()[:, 1]
    beside = np.maximum(np.abs(down - SIDE / 2) - (SIDE / 2 - FACE), 0) / np.float32(UNIT)
    return Borders.of(nodes(), beside, UNIT, STEP, person)


def held(borders: Borders, shift: float) -> np.ndarray:
    """``(41,)`` how far the nodes of the middle column still go when all are moved down by ``shift``."""
    moved = nodes() + np.array([0, shift], np.float32)
    borders.hold(moved, nodes())
    return (moved - nodes())[:, 1].reshape(41, 41)[:, 20]


def test_cut_hair_stays_at_the_border_and_is_drawn_out_evenly_down_to_the_face() -> None:
    borders = borders_of(np.ones((SIDE, SIDE), np.float32))
    assert borders is not None
    going = held(borders, 40.0)
    np.testing.assert_allclose(going[:2], 0.0, atol=1e-3)
    np.testing.assert_allclose(going[16:25], 40.0, atol=1e-3)
    steps = np.diff(going[1:11])
    assert steps.min() > 0
    np.testing.assert_allclose(steps, steps[0], atol=1e-3)


def test_what_the_border_does_not_cut_is_free() -> None:
    person = np.ones((SIDE, SIDE), np.float32)
    person[:40] = 0
    borders = borders_of(person)
    assert borders is not None  # the shoulders are cut
    np.testing.assert_allclose(held(borders, 40.0), 40.0)
    assert borders_of(np.pad(person[40:-40], ((40, 40), (0, 0)))) is None


def test_a_motion_towards_the_border_is_free() -> None:
    borders = borders_of(np.ones((SIDE, SIDE), np.float32))
    assert borders is not None
    going = held(borders, -20.0)
    np.testing.assert_allclose(going[:24], -20.0)


@pytest.mark.parametrize("shift", [5.0, 300.0])
def test_nothing_is_drawn_out_more_than_pixels_bear(shift: float) -> None:
    borders = borders_of(np.ones((SIDE, SIDE), np.float32))
    assert borders is not None
    going = held(borders, shift)
    assert np.diff(going).max() / STEP < 1.3 * DRAWN_OUT
    assert shift - going.min() <= DRAWN_OUT * REACH * UNIT


def test_a_head_of_which_the_top_border_cuts_little_is_free() -> None:
    """Held, the little that is cut was drawn out into a cone."""
    person = np.ones((SIDE, SIDE), np.float32)
    person[:20, :160] = person[:20, 240:] = 0
    borders = borders_of(person)
    assert borders is not None
    np.testing.assert_allclose(held(borders, 40.0)[:24], 40.0, atol=1e-3)
