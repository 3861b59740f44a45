"""A driver's teeth and tongue have the colours of the portrait's light, whatever a codec made of them."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.mouth.colours import (
    IVORY,
    deep_hue,
    line_share,
    towards_portrait,
    towards_shadow,
    without_blocks,
)
from mien.engine.types import Floats
from mien.engine.utils.light import LUMINANCE, relit, to_linear

PINK, PINK_LIPS = (to_linear(np.array(colour, np.float32)) for colour in ((184, 141, 143), (150, 95, 100)))
WARM, WARM_LIPS = (to_linear(np.array(colour, np.float32)) for colour in ((238, 188, 180), (190, 110, 90)))
SMALL, LARGE = 40.0, 160.0


def hue(colour: Floats) -> Floats:
    return np.asarray(colour / float(colour @ LUMINANCE), np.float32)


def teeth(skin: Floats) -> Floats:
    return np.asarray(1 + np.float32(IVORY) * (hue(skin) - 1), np.float32)


def flesh(skin: Floats, lips: Floats) -> Floats:
    return hue(np.sqrt(skin * lips))


def across(one: Floats, other: Floats) -> Floats:
    """Off the line from one hue to the other, of no light."""
    found = np.cross(other - one, LUMINANCE)
    return np.asarray(found / np.linalg.norm(found), np.float32)


@pytest.mark.parametrize("width", [SMALL, LARGE])
def test_teeth_become_teeth_and_flesh_flesh_of_the_same_light(width: float) -> None:
    matrix = towards_portrait(PINK, PINK_LIPS, WARM, WARM_LIPS, width)
    np.testing.assert_allclose(matrix @ teeth(PINK), teeth(WARM), atol=1e-3)
    np.testing.assert_allclose(hue(matrix @ flesh(PINK, PINK_LIPS)), flesh(WARM, WARM_LIPS), atol=0.25)
    for colour in (PINK, PINK_LIPS, np.ones(3, np.float32)):
        assert float(matrix @ colour @ LUMINANCE) == pytest.approx(float(colour @ LUMINANCE), rel=1e-3)


def test_what_is_neither_is_mostly_taken_out_of_a_small_mouth_and_left_in_a_large_one() -> None:
    purple = 0.2 * across(teeth(PINK), flesh(PINK, PINK_LIPS))
    left = [
        np.linalg.norm(towards_portrait(PINK, PINK_LIPS, WARM, WARM_LIPS, width) @ purple) / 0.2
        for width in (SMALL, LARGE)
    ]
    assert left[0] < 0.3 and left[1] > 0.7


def test_a_codecs_noise_does_not_become_red_lips() -> None:
    """The driver's lips have hardly a colour, the portrait's are painted."""
    pale, painted = PINK * np.float32(0.8), to_linear(np.array([200, 20, 40], np.float32))
    line = flesh(PINK, pale) - teeth(PINK)
    matrix = towards_portrait(PINK, pale, WARM, painted, SMALL)
    assert np.linalg.norm(matrix @ line) < 1.81 * np.linalg.norm(line)


def test_grey_video_tells_no_line() -> None:
    grey = np.full(3, 0.4, np.float32)
    assert line_share(grey, grey * np.float32(0.7), SMALL) == 0.0
    assert line_share(PINK, PINK_LIPS, SMALL) > line_share(PINK, PINK_LIPS, LARGE) > 0.0


def test_a_small_mouths_black_is_dark_and_as_red_as_flesh() -> None:
    """Of a driver darker than the portrait it became wine-red patches beside the teeth."""
    wine = np.full((4, 4, 3), (60, 20, 35), np.uint8)
    bright = np.float32(1.8)
    matrix = bright * towards_portrait(PINK, PINK_LIPS, WARM, WARM_LIPS, SMALL)
    shadows = towards_shadow(WARM, WARM_LIPS, matrix, SMALL)
    plain, found = relit(wine, matrix)[0, 0], relit(wine, matrix, shadows, 0.036)[0, 0]
    assert int(found.max()) < 0.8 * int(plain.max())
    assert np.ptp(found.astype(int)) < 0.7 * np.ptp(plain.astype(int))
    light = np.full((4, 4, 3), 200, np.uint8)
    assert np.abs(relit(light, matrix, shadows, 0.036).astype(int) - relit(light, matrix)).max() <= 1


def test_a_large_mouths_dark_keeps_its_light_and_is_redder_than_the_portraits_flesh() -> None:
    """A camera's grey black between the lips of a warm face was a hole."""
    grey = np.full(3, 0.02, np.float32)
    found = towards_shadow(WARM, WARM_LIPS, np.eye(3, dtype=np.float32), LARGE) @ grey
    assert float(found @ LUMINANCE) == pytest.approx(0.02, rel=1e-3)
    tongue = flesh(WARM, WARM_LIPS)
    assert found[0] / found[1] > 1.2 * tongue[0] / tongue[1]


def test_the_dark_of_a_face_without_colour_has_none() -> None:
    ash = np.full(3, 0.4, np.float32)
    np.testing.assert_allclose(deep_hue(ash, 0.6 * ash), 1.0, atol=1e-5)


def test_blocks_of_colour_are_averaged_and_light_stays() -> None:
    rng = np.random.default_rng(3)
    image = np.full((40, 60, 3), (170, 150, 140), np.int16)
    coloured = rng.integers(-12, 13, (20, 30)).repeat(2, 0).repeat(2, 1)
    image[..., 0] += coloured
    image[..., 2] -= coloured
    blocks = image.astype(np.uint8)
    found = without_blocks(blocks, SMALL)
    red, was = (picture[..., 0].astype(float) - picture[..., 2] for picture in (found, blocks))
    assert red.std() < 0.6 * was.std()
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(found @ weights - blocks @ weights).max() < 2
    assert without_blocks(blocks, LARGE) is blocks
