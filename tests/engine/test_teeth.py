"""A driver's teeth have the colour and the light of teeth in the portrait."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.mouth.colours import teeth_hue, towards_portrait
from mien.engine.mouth.teeth import MOST, own_teeth, tooth_gain
from mien.engine.types import Floats, Image
from mien.engine.utils.light import LUMINANCE, to_srgb

SKIN, LIPS = np.array([0.40, 0.22, 0.17], np.float32), np.array([0.25, 0.10, 0.10], np.float32)
TEETH = np.float32(0.4) * teeth_hue(SKIN)


def mouth(inside: Floats) -> tuple[Image, Floats]:
    """A mouth whose upper half has this linear light and whose lower half is dark, and its inner edges."""
    image = np.broadcast_to(np.round(to_srgb(SKIN)), (60, 80, 3)).astype(np.uint8)
    image[20:30, 20:60] = np.round(to_srgb(inside))
    image[30:40, 20:60] = (40, 15, 15)
    along = np.linspace(20, 59, 11)
    upper = np.stack([along, np.full(11, 20)], axis=1)
    lower = np.stack([along[1:-1][::-1], np.full(9, 39)], axis=1)
    return image, np.concatenate([upper, lower]).astype(np.float32)


def test_the_portraits_own_teeth_are_found() -> None:
    image, inner = mouth(TEETH)
    found = own_teeth(image, inner, SKIN)
    assert found is not None
    np.testing.assert_allclose(found, TEETH, rtol=0.05)


@pytest.mark.parametrize("inside", [np.array([0.35, 0.12, 0.12]), np.array([0.06, 0.03, 0.03])])
def test_a_tongue_and_the_dark_are_no_teeth(inside: Floats) -> None:
    image, inner = mouth(inside.astype(np.float32))
    assert own_teeth(image, inner, SKIN) is None


def test_a_few_pixels_tell_nothing() -> None:
    image, inner = mouth(TEETH)
    assert own_teeth(image, (inner - inner[0]) / 10 + inner[0], SKIN) is None


def test_a_drivers_teeth_take_the_colour_of_the_portraits() -> None:
    grey = np.array([0.3, 0.3, 0.32], np.float32)
    plain, own = (
        towards_portrait(grey, grey, SKIN, LIPS, 120.0, teeth) for teeth in (None, TEETH * [1, 1, 0.9])
    )
    hues = [matrix @ np.ones(3) / (LUMINANCE @ matrix @ np.ones(3)) for matrix in (plain, own)]
    assert hues[1][2] < 0.95 * hues[0][2]


def test_teeth_are_neither_as_dark_as_metal_nor_whiter_than_a_flash_makes_them() -> None:
    light = float(SKIN @ LUMINANCE)
    assert tooth_gain(0.0, SKIN, None) == 1.0
    assert tooth_gain(1.2, SKIN, None) == 1.0
    assert tooth_gain(0.8, SKIN, None) == pytest.approx(1.25)
    assert tooth_gain(0.4, SKIN, None) == MOST
    bright = SKIN * np.float32(0.65 / light)
    assert tooth_gain(1.9, bright, None) < 0.75 < tooth_gain(1.9, SKIN, None)
    white = 1.8 * SKIN
    assert tooth_gain(1.5, SKIN, white) == pytest.approx(1.2)
    assert tooth_gain(2.2, bright, 1.6 * bright) == pytest.approx(1.6 / 2.2)
