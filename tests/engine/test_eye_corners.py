"""The corners of an eye stay on the skull however far off they are seen; small movements stay exact."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.eyes.eye_corners import BELIEVED, MOST, hold_corners
from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats

EYES = (
    (topo.RIGHT_EYE_OUTER_CORNER, topo.RIGHT_EYE_INNER_CORNER, topo.RIGHT_EYE),
    (topo.LEFT_EYE_OUTER_CORNER, topo.LEFT_EYE_INNER_CORNER, topo.LEFT_EYE),
)


def moved(rigid: Floats, eye: int, shift: tuple[float, float]) -> tuple[Floats, float]:
    """Places whose eye's outline is moved by so many eye widths, and that width."""
    outer, inner, outline = EYES[eye]
    width = float(np.hypot(*(rigid[outer] - rigid[inner])))
    places = rigid.copy()
    places[list(outline)] += np.float32(width) * np.array(shift, np.float32)
    return places, width


@pytest.mark.parametrize("eye", [0, 1])
def test_a_corner_that_moves_as_expressions_do_is_not_touched(avatar: Avatar, eye: int) -> None:
    places, _ = moved(avatar.source_points[:N_MESH], eye, (0.08, 0.08))
    found = places.copy()
    hold_corners(found, avatar.source_points[:N_MESH])
    np.testing.assert_array_equal(found, places)


@pytest.mark.parametrize("eye", [0, 1])
def test_an_eye_that_lies_elsewhere_comes_back_and_keeps_its_shape(avatar: Avatar, eye: int) -> None:
    rigid = avatar.source_points[:N_MESH]
    places, width = moved(rigid, eye, (0.5, 0.1))
    found = places.copy()
    hold_corners(found, rigid)
    outline = list(EYES[eye][2])
    far = np.hypot(*(found - rigid)[outline].T) / width
    assert far.min() > BELIEVED and far.max() < MOST + 0.01
    np.testing.assert_allclose(
        found[outline] - found[outline].mean(axis=0), rigid[outline] - rigid[outline].mean(axis=0), atol=1e-5
    )
    other = list(EYES[1 - eye][2])
    np.testing.assert_array_equal(found[other], places[other])


def test_one_corner_alone_takes_its_side_of_the_eye_along(avatar: Avatar) -> None:
    """Pushed inwards by half the eye's width, it bunched the lids up."""
    rigid = avatar.source_points[:N_MESH]
    outer, inner, _ = EYES[0]
    places = rigid.copy()
    width = float(np.hypot(*(rigid[outer] - rigid[inner])))
    places[outer] += (rigid[inner] - rigid[outer]) * np.float32(0.5)
    hold_corners(places, rigid)
    assert np.hypot(*(places[outer] - places[inner])) > (1 - MOST) * width
    np.testing.assert_allclose(places[inner], rigid[inner], atol=1e-6)
