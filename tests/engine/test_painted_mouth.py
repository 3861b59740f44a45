"""Where the network's paint counts within an opened mouth, in which colours, and what is seen besides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.head.mesh_openings import hang_teeth
from mien.engine.avatar.mouth import CLOSING, PAINTED, Cavity, paint_strength, painted_share
from mien.engine.landmarks import topology as topo
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.mouth.view import skin_light
from mien.engine.types import Image
from mien.engine.utils.light import lit


def test_a_place_without_paint_within_a_painted_mouth_is_no_hole() -> None:
    """Paint crosses zero between a tooth and a dark gap; by itself that pixel showed the black cavity."""
    paint = np.zeros((64, 64, 3), np.float32)
    paint[20:40, 20:32], paint[20:40, 33:44] = 0.4, -0.4
    share = painted_share(paint_strength(paint))
    assert share[20:40, 20:44].min() == 1.0
    assert share[:20].max() == share[40:].max() == share[:, :20].max() == 0.0, "and it grows nowhere"


def test_a_wide_place_without_paint_stays_as_it_is() -> None:
    paint = np.full((64, 64, 3), 0.4, np.float32)
    paint[20 : 20 + 2 * CLOSING, 20 : 20 + 2 * CLOSING] = PAINTED[0] / 2
    assert painted_share(paint_strength(paint))[20 + CLOSING, 20 + CLOSING] == 0.0


DARK, TONGUE, FLESH = (np.full(3, value, np.float32) for value in (20, 60, 110))
SMILE = Cavity(DARK, TONGUE, FLESH, 0.1, np.zeros((20, 2), np.float32))
DOWN = np.linspace(0, 1, 101, dtype=np.float32)


def test_teeth_that_the_portrait_shows_keep_their_size_in_a_mouth_that_opens_further() -> None:
    np.testing.assert_array_equal(SMILE.kept(DOWN, 0.1, 9.0), 1)
    laughing = SMILE.kept(DOWN, 0.4, 9.0)
    assert laughing[:18].min() == 1.0, "three quarters of the own opening, a quarter of this one"
    assert laughing[26:].max() == 0.0
    assert (np.diff(laughing) <= 0).all()
    assert SMILE.is_whole(0.08, 9.0) and not SMILE.is_whole(0.15, 9.0)


def test_no_light_reaches_teeth_in_a_slit() -> None:
    assert SMILE.lit(0.01, 9.0) == SMILE.lit(0.1, 0.9) == 0.0
    assert SMILE.kept(DOWN, 0.01, 9.0).max() == 0.0
    assert not SMILE.is_whole(0.03, 9.0) and not SMILE.is_whole(0.08, 2.0)
    assert (np.diff([SMILE.lit(gap, 9.0) for gap in np.linspace(0.0, 0.1, 50)]) >= 0).all()


def test_lips_that_are_shut_in_the_portrait_hide_nothing_of_the_cavity() -> None:
    shut = replace(SMILE, gap=0.01)
    assert not shut.shows_inside
    assert shut.kept(DOWN, 0.4, 9.0).max() == 0.0


def test_paint_is_believed_where_teeth_are_and_not_deep_in_a_wide_mouth() -> None:
    assert SMILE.calm(DOWN, 0.06).max() == 0.0
    wide = SMILE.calm(DOWN, 0.5)
    assert wide[:14].max() == 0.0
    assert wide[29:].min() == 1.0


def test_a_tongue_lies_in_the_lower_half_of_a_mouth_that_speaks() -> None:
    speaking = SMILE.shade(DOWN, 0.15)
    np.testing.assert_allclose(speaking[:40], np.broadcast_to(SMILE.deep, (40, 3)))
    np.testing.assert_allclose(speaking[96:], np.broadcast_to(SMILE.tongue, (5, 3)))
    assert (SMILE.shade(DOWN, 0.02)[-1] < speaking[-1] / 2).all(), "a slit shows none"


def test_what_hangs_from_the_upper_lip_is_not_stretched(avatar: Avatar) -> None:
    source = avatar.source_points
    places = source.copy()
    places[list(topo.LIPS_LOWER_INNER[1:-1]), 1] += 0.2
    shows = source[list(topo.LIPS_INNER)].copy()
    hang_teeth(source, places, 1.0, shows)
    np.testing.assert_array_equal(shows[:11], source[list(topo.LIPS_UPPER_INNER)])
    middle = shows[15] - shows[5], places[topo.LIPS_LOWER_INNER[5]] - places[topo.LIPS_UPPER_INNER[5]]
    np.testing.assert_allclose(middle[0], middle[1], atol=0.01)
    halved = source[list(topo.LIPS_INNER)].copy()
    nearer = source.copy()
    upper, lower = topo.LIPS_UPPER_INNER[5], topo.LIPS_LOWER_INNER[5]
    nearer[list(topo.LIPS_LOWER_INNER[1:-1])] += 0.4 * (source[upper] - source[lower])
    hang_teeth(source, nearer, 1.0, halved)
    np.testing.assert_allclose(halved[15] - halved[5], 0.6 * (source[lower] - source[upper]), atol=1e-3)
    still = source[list(topo.LIPS_INNER)].copy()
    hang_teeth(source, source, 1.0, still)
    np.testing.assert_allclose(still, source[list(topo.LIPS_INNER)], atol=1e-6)


@pytest.mark.parametrize("skin", [(0.45, 0.25, 0.18), (0.10, 0.05, 0.03), (0.35, 0.33, 0.36)])
def test_a_painted_mouth_has_the_colours_of_lips_and_of_light_on_the_skin(
    astronaut: Image, avatar: Avatar, skin: tuple[float, float, float]
) -> None:
    factor = np.array(skin, np.float32) / skin_light(astronaut, avatar.geometry.points, avatar.geometry.unit)
    image = lit(astronaut, np.broadcast_to(factor, astronaut.shape).astype(np.float32))
    look = PortraitLook.of(image, avatar.geometry.points, avatar.geometry.unit)
    palette = look.palette.astype(int)
    grey = palette @ (0.299, 0.587, 0.114)
    as_bright = np.maximum(np.arange(160), look.black @ (0.299, 0.587, 0.114))
    assert np.abs(grey[:160] - as_bright).max() < 3, "as bright as the paint"
    red, _, blue = palette[2:160].T
    assert (blue <= red + 12).all()
    teeth = palette[240]
    assert np.ptp(teeth) < 0.3 * teeth.max()
