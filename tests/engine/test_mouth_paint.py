"""A driver's mouth between painted lips is of the painting's colours and as soft as its strokes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.mouth.paint import paint_of, painted
from mien.engine.mouth.portrait import PortraitLook, is_unlike_skin
from mien.engine.types import Image

GREY = np.array([0.299, 0.587, 0.114], np.float32)
DEEP = np.linspace((0, 0, 0), (255, 120, 80), 256).astype(np.uint8)


@pytest.fixture
def face() -> Image:
    """Ochre and green paint, from 60 to 180 grey levels, and one white stroke."""
    light = np.linspace(0.35, 1.0, 200)[:, None, None] * np.ones((1, 100, 1))
    found = light * np.where(np.arange(100)[:, None] < 50, (200, 180, 90), (150, 190, 130))
    found[-2:, :20] = 255
    return np.asarray(found, np.uint8)


def test_teeth_are_no_lighter_than_the_face_but_for_their_form(face: Image) -> None:
    paint = paint_of(face, DEEP, 90.0, 150.0)
    light = paint @ GREY
    brightest = np.quantile(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), 0.97)
    assert brightest < light[255] < 0.5 * (brightest + 255)
    assert (np.diff(light) > -1.5).all()


def test_what_is_light_has_the_colours_of_the_face_and_what_is_dark_those_of_the_lips(face: Image) -> None:
    paint = paint_of(face, DEEP, 90.0, 150.0).astype(int)
    assert paint[200, 1] > paint[200, 0] - 15, "yellow and green"
    assert paint[70, 0] > 1.5 * paint[70, 1], "red"


def test_edges_of_teeth_are_as_soft_as_strokes(face: Image) -> None:
    teeth = np.full((40, 100, 3), 30, np.uint8)
    teeth[10:20] = 250
    found = painted(teeth, paint_of(face, DEEP, 90.0, 150.0), 100.0)
    steps = [int(np.abs(np.diff((image @ GREY)[:, 50])).max()) for image in (teeth, found)]
    assert steps[1] < 0.4 * steps[0]
    assert found.max() < 235


def test_a_photo_is_not_painted_whatever_lamp_is_on_it(astronaut: Image, avatar: Avatar) -> None:
    warm = np.clip(astronaut * np.array([1.0, 0.6, 0.25], np.float32), 0, 255).astype(np.uint8)
    points, unit = avatar.geometry.points, avatar.geometry.unit
    for image in (astronaut, warm):
        look = PortraitLook.of(image, points, unit)
        assert look.paint is None and not look.drawn
    green = np.clip(astronaut * np.array([0.7, 1.0, 0.6], np.float32), 0, 255).astype(np.uint8)
    look = PortraitLook.of(green, points, unit)
    assert look.drawn and look.paint is not None


@pytest.mark.parametrize("colour", [(0.9, 0.35, 0.07), (0.5, 0.05, 0.002)])
def test_skin_in_orange_light_is_skin(colour: tuple[float, float, float]) -> None:
    assert not is_unlike_skin(np.array(colour, np.float32))
