"""Uniform bars along a portrait's borders: found to the pixel, and still whatever the face behind does."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.person.background import Background, BackgroundKind
from mien.engine.avatar.person.bars import Bars
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Head, Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Bools, Image

GREEN = (0, 255, 0)


def framed(image: Image, bars: Bools, colour: tuple[int, int, int]) -> Image:
    found: Image = image.copy()
    found[bars] = colour
    return found


def as_jpeg(image: Image) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_COLOR), np.uint8)


def upright(image: Image) -> Bools:
    bars = np.ones(image.shape[:2], bool)
    bars[20:-16, 34:] = False
    return bars


def slanted(image: Image, slope: float = 0.12) -> Bools:
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    return np.asarray((x < 40 - slope * y) | (width - x < slope * y - 20), bool)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 90, 90)])
@pytest.mark.parametrize("shape", [upright, slanted])
def test_bars_are_found_to_the_pixel_also_in_a_jpeg(
    astronaut: Image, shape: object, colour: tuple[int, int, int]
) -> None:
    bars = shape(astronaut)  # type: ignore[operator]
    # The shuttle beside her is black: nothing begins at a black bar's edge there.
    light = np.asarray(40 + 0.7 * astronaut, np.uint8)
    image = as_jpeg(framed(light, bars, colour))
    found = Bars.of(image)
    assert found is not None
    before = found.before(np.full_like(found.inner, 128))
    kept = (before == image).all(axis=2)
    assert (kept & bars).sum() > 0.99 * bars.sum()
    assert (kept & ~bars).sum() < 0.012 * bars.size
    np.testing.assert_array_equal(found.before(found.inner), image)


def test_a_plain_background_is_no_bar(avatar: Avatar) -> None:
    assert Bars.of(avatar.image) is None
    for colour in ((255, 255, 255), (0, 0, 0), (120, 120, 130)):
        plain = make_canvas(avatar.before(Background(BackgroundKind.COLOUR, colour)), None).still
        assert Bars.of(as_jpeg(plain)) is None, colour


@pytest.mark.parametrize("shape", [upright, slanted])
def test_bars_stand_still_and_nothing_of_them_moves_into_the_portrait(
    astronaut: Image, landmarker: Landmarker, runtime: Runtime, shape: object
) -> None:
    bars = shape(astronaut)  # type: ignore[operator]
    image = framed(astronaut, bars, GREEN)
    avatar = Avatar.of(image, landmarker, runtime)
    renderer = Renderer(avatar, runtime)
    for head in (Head((0.5, 0.0)), Head((-0.5, 0.2)), Head((0.0, 0.45)), Head((0.0, -0.4), turn=(0.1, 0.3))):
        result = renderer.render(replace(Motion.neutral(), head=head)).image
        assert result.shape == image.shape
        np.testing.assert_array_equal(result[bars], image[bars])
        inside = result[~cv2.dilate(bars.astype(np.uint8), np.ones((5, 5))).astype(bool)].astype(int)
        green = inside[:, 1] - np.maximum(inside[:, 0], inside[:, 2])
        assert np.abs(result.astype(int) - image)[~bars].mean() > 2
        assert green.max() < 90


def test_a_face_crop_and_another_background_show_no_bars(
    astronaut: Image, landmarker: Landmarker, runtime: Runtime
) -> None:
    image = framed(astronaut, upright(astronaut), GREEN)
    avatar = Avatar.of(image, landmarker, runtime)
    crop = Renderer(avatar, runtime, 128).render(Motion.neutral()).image.astype(int)
    assert crop.shape == (128, 128, 3)
    assert (crop[..., 1] - np.maximum(crop[..., 0], crop[..., 2])).max() < 90
    white = avatar.before(Background(BackgroundKind.COLOUR, (255, 255, 255)))
    whole = Renderer(white, runtime).render(Motion.neutral()).image
    assert whole.shape == image.shape and whole[:10].min() > 240


def test_a_thin_bar_is_one_beside_others_only(astronaut: Image) -> None:
    """Two rows of black moved with the forehead as a line."""
    light = np.asarray(40 + 0.7 * astronaut, np.uint8)
    light[:2] = 0
    assert Bars.of(light) is None
    light[:, -20:] = 0
    found = Bars.of(light)
    assert found is not None
    left, top, right, bottom = found.box
    assert (left, right, bottom) == (0, 512 - 20, 512) and 2 <= top <= 3


@pytest.mark.parametrize("share", [0.08, -0.1])
def test_rows_beside_a_bar_that_are_tinged_or_ring_are_the_bars(astronaut: Image, share: float) -> None:
    image = np.asarray(40 + 0.6 * astronaut, np.uint8)
    image[:20] = 0
    image[20] = np.clip((1 - share) * image[21].astype(float), 0, 255)
    found = Bars.of(image)
    assert found is not None and found.box[1] == 21


def test_a_picture_that_shades_off_towards_a_bar_is_no_bar(astronaut: Image) -> None:
    """Rows of it stood still at the border, and a forehead moved below them."""
    shade = np.ones(512, np.float32)
    shade[20:30] = np.linspace(0.8, 1.0, 10)
    image = np.asarray((40 + 0.6 * astronaut) * shade[:, None, None], np.uint8)
    image[:20] = 0
    found = Bars.of(image)
    assert found is not None and found.box[1] == 20
