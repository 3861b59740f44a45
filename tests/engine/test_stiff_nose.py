"""A nose moves as one piece where landmarks slide along it: in strong turns and on turned portraits."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.face.layout import GRID, N_MESH, layout
from mien.engine.face.stiff_nose import (
    KEPT,
    nose_found,
    nose_stiffness,
    trust_on_nose,
    with_held_nose,
    with_stiff_nose,
)
from mien.engine.landmarks import topology as topo

NOSE, CHEEK = [1, 4, 5, 195, 197], 205


def test_a_frontal_face_that_hardly_turns_keeps_every_landmark() -> None:
    points = np.random.default_rng(0).normal(0, 0.05, (478, 2)).astype(np.float32)
    assert with_stiff_nose(points, nose_stiffness((0.1, -0.1), (0.1, 0.2))) is points


@pytest.mark.parametrize(("own", "turn"), [((0.0, 0.7), (0.0, 0.0)), ((0.0, 0.0), (0.1, -0.7))])
def test_a_half_profile_and_a_strong_turn_have_a_nose_of_one_piece(
    own: tuple[float, float], turn: tuple[float, float]
) -> None:
    points = np.zeros((478, 2), np.float32)
    points[NOSE[:3]] = (0.08, 0.0)  # the tip slides off the bridge
    found = with_stiff_nose(points, nose_stiffness(own, turn))
    assert np.abs(found[NOSE]).max() < 0.02
    assert np.ptp(found[NOSE], axis=0).max() < 0.005


def test_what_is_not_nose_is_free() -> None:
    points = np.full((478, 2), 0.1, np.float32)
    found = with_stiff_nose(points, 1.0)
    free = [CHEEK, topo.CHIN, *topo.LIPS_INNER, *topo.LEFT_EYE]
    np.testing.assert_allclose(found[free], points[free], atol=0.02)
    np.testing.assert_allclose(found[NOSE], KEPT * 0.1, atol=0.02)


def test_small_motion_of_a_nose_stays_as_it_was_measured() -> None:
    points = np.zeros((478, 2), np.float32)
    points[98], points[327] = (0.01, -0.02), (-0.01, -0.02)  # wings that rise
    assert with_held_nose(points) is points


def test_nostrils_do_not_come_to_each_other() -> None:
    """As a driver's did who shouted: his moustache lay over the lip."""
    points = np.zeros((478, 2), np.float32)
    points[[98, 64]], points[[327, 294]] = (0.08, 0.0), (-0.04, 0.0)
    found = with_held_nose(points)
    for right, left in ((98, 327), (64, 294)):
        assert found[left, 0] - found[right, 0] > -0.085
    free = [CHEEK, topo.CHIN, *topo.LIPS_INNER, *topo.LEFT_EYE]
    np.testing.assert_allclose(found[free], 0.0, atol=1e-3)
    shifted = with_held_nose(np.full((478, 2), 0.2, np.float32))
    np.testing.assert_allclose(shifted, 0.2, atol=1e-6)


def test_a_nose_that_the_alignment_finds_moves_as_it_does_unless_it_is_the_outline() -> None:
    aside, half_profile, strong_turn = (0.0, 0.45), (0.0, 0.8), (0.0, 0.7)
    assert nose_stiffness(aside, (0.0, 0.1)) > 0.7
    assert nose_stiffness(aside, (0.0, 0.1), found=1.0) == 0.0
    assert nose_stiffness(half_profile, (0.0, 0.1), found=1.0) == 1.0
    assert nose_stiffness((0.0, 0.0), strong_turn, found=1.0) == 1.0


def test_trust_on_a_nose_is_its_own() -> None:
    nodes = layout().nodes[N_MESH:] - layout().points[NOSE].mean(axis=0)
    trust = (np.hypot(*nodes.T) < 0.35).reshape(GRID, GRID).astype(np.float32)
    assert trust_on_nose(trust) > 0.7
    assert trust_on_nose(1 - trust) < 0.3
    assert trust_on_nose(np.ones((GRID, GRID), np.float32)) == pytest.approx(1.0)
    assert nose_found(trust, 0.05) == nose_found(trust, -0.05) > 0.5
    assert nose_found(trust, 0.4) == nose_found(np.zeros_like(trust), 0.0) == 0.0
