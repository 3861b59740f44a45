"""The inside of a mouth is no darker than the portrait's own shadows."""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.mouth import Cavity
from mien.engine.mouth.blacks import (
    BESIDE,
    DEEP,
    INSIDE,
    MOST,
    darkest,
    hollow,
    lifted,
    lit_from_below,
    lit_rim,
)
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.types import Floats, Image
from mien.engine.utils.light import LUMINANCE, to_linear


def faded(image: Image, black: int) -> Image:
    """A print whose black has become ``black``."""
    return np.asarray(black + image.astype(np.float32) * (255 - black) / 255 + 0.5, np.uint8)


def grey(colours: Floats | Image) -> Floats:
    return np.asarray(np.asarray(colours, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))


def test_a_photograph_with_black_in_it_keeps_a_black_mouth(astronaut: Image, avatar: Avatar) -> None:
    assert grey(darkest(astronaut, avatar.geometry.points)) < 3


def test_the_mouth_of_a_faded_print_is_as_dark_as_its_shadows(astronaut: Image, avatar: Avatar) -> None:
    points, unit = avatar.geometry.points, avatar.geometry.unit
    print_ = faded(astronaut, 50)
    black = darkest(print_, points)
    np.testing.assert_allclose(grey(black), 50, atol=4)
    cavity = Cavity.of(print_, points, unit)
    assert grey(cavity.deep) > 45 and grey(cavity.tongue) > 45
    look = PortraitLook.of(print_, points, unit)
    assert grey(look.palette).min() > 45
    sepia = PortraitLook.of(np.repeat(print_[..., 1:2], 3, axis=2), points, unit)
    assert sepia.tone is not None and sepia.tone.min() > 45
    np.testing.assert_array_equal(sepia.tone[80:200], np.repeat(np.arange(80, 200)[:, None], 3, axis=1))


def test_a_face_without_any_shadow_still_has_a_dark_mouth(avatar: Avatar) -> None:
    pale = np.full((512, 512, 3), 220, np.uint8)
    np.testing.assert_allclose(darkest(pale, avatar.geometry.points), MOST * 220, atol=1)


def test_a_face_beside_the_images_border_is_looked_at_as_far_as_it_is_seen(astronaut: Image) -> None:
    points = np.random.default_rng(0).uniform(-60, 20, (478, 2)).astype(np.float32)
    assert np.isfinite(darkest(astronaut, points)).all()
    assert np.isfinite(darkest(astronaut, points - 500)).all()


PALE, PALE_LIPS = np.array([0.9, 0.7, 0.6], np.float32), np.array([0.7, 0.35, 0.35], np.float32)


def test_the_mouth_of_a_bright_face_is_no_black_hole_though_its_hair_is_black(
    astronaut: Image, avatar: Avatar
) -> None:
    black = hollow(astronaut, avatar.geometry.points, PALE, PALE_LIPS)
    light = to_linear(black)
    np.testing.assert_allclose(light @ LUMINANCE, INSIDE * (PALE @ LUMINANCE), rtol=0.1)
    assert light[0] > 1.5 * light[1]
    dark = hollow(astronaut, avatar.geometry.points, PALE / 10, PALE_LIPS / 10)
    assert to_linear(dark) @ LUMINANCE < 0.2 * float(light @ LUMINANCE)


def test_light_reaches_the_inside_from_the_lower_lip() -> None:
    black, rim = np.array([50, 25, 25], np.float32), np.array([130, 70, 70], np.float32)
    along = np.linspace(10, 50, 11)
    upper = np.stack([along, np.full(11, 20.0)], axis=1)
    lower = np.stack([along[1:-1][::-1], np.full(9, 60.0)], axis=1)
    inner = np.concatenate([upper, lower]).astype(np.float32)
    box = slice(15, 65), slice(5, 55)
    found = grey(lit_from_below(np.zeros((50, 50, 3), np.uint8), inner, box, black, rim))[:, 25]
    assert found[44] > DEEP * grey(rim) - 8 and (np.diff(found[5:45]) >= -1).all()
    # Deep in the mouth it is dark, and from there on it becomes lighter step by step.
    np.testing.assert_allclose(found[5:20], DEEP * grey(black), atol=1)
    assert found[25] + 3 < found[32] < found[38] - 3
    teeth = np.full((50, 50, 3), 200, np.uint8)
    np.testing.assert_array_equal(lit_from_below(teeth, inner, box, black, rim), teeth)


def test_what_is_in_the_shadow_of_a_mouth_stays_apart() -> None:
    """A dark tongue before a darker throat was one plate with it."""
    black = np.array([60, 40, 40], np.float32)
    far = np.array([[x, 1000.0] for x in range(20)], np.float32)
    shades = np.repeat(np.array([[[5], [25], [45], [90], [200]]], np.uint8), 3, axis=2)
    found = grey(lit_from_below(shades, far, (slice(0, 1), slice(0, 5)), black, black))[0]
    assert (np.diff(found) > 3).all()
    np.testing.assert_allclose(found[3:], [90, 200], rtol=1e-6)


def test_the_rim_is_no_lighter_than_the_lips() -> None:
    dark_lips = PALE_LIPS / 5
    rim = to_linear(lit_rim(PALE, dark_lips, np.zeros(3, np.float32))) @ LUMINANCE
    assert float(rim) <= 1.01 * float(dark_lips @ LUMINANCE) < BESIDE * float(PALE @ LUMINANCE)


def test_what_is_lighter_than_the_shadows_stays_as_it_is_and_a_dark_tongue_stays_red() -> None:
    black = np.array([60, 50, 40], np.float32)
    colours = np.array([[[0, 0, 0], [80, 20, 20], [120, 90, 80], [255, 255, 255]]], np.uint8)
    found = lifted(colours, black)
    np.testing.assert_array_equal(found[0, 0], [60, 50, 40])
    np.testing.assert_array_equal(found[0, 2:], colours[0, 2:])
    red, green, blue = found[0, 1].astype(int)
    assert red > green + 40 and red > blue + 40
    assert abs(int(cv2.cvtColor(found, cv2.COLOR_RGB2GRAY)[0, 1]) - 51) <= 2


def test_without_shadows_to_keep_nothing_is_copied() -> None:
    colours = np.zeros((4, 4, 3), np.uint8)
    assert lifted(colours, np.zeros(3, np.float32)) is colours
