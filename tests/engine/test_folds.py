"""Folds that darken a driver's skin darken the avatar's at the same place, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import cv2
import numpy as np
import pytest
from known_motion import Push, added, warped

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.canvas.folds import UNIT, Folds, draw_folds, folds_of
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import GRID, layout, to_pixels
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Gains, Motion, apply_gains
from mien.engine.session.renderer import Renderer
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.tracking.skin_light import SkinLight, skin_map
from mien.engine.types import Face, Floats, Frame, Image

CHEEK, OTHER_CHEEK, LIP, EYE = 205, 425, 13, 159
"""Landmarks on the right and the left cheek, and on the edges of the upper lip and the right upper lid."""


def at(light: Floats, landmark: int) -> float:
    column, row = np.round(to_pixels(layout().points[[landmark]], GRID)[0]).astype(int)
    return float(light[row, column])


def lit(image: Image, factor: Floats | float) -> Image:
    return np.asarray(np.clip(image * np.float32(1) * factor + 0.5, 0, 255), np.uint8)


def with_fold(image: Image, face: Face, depth: float) -> Image:
    """The photo with a narrow upright shadow on the right cheek."""
    y, x = np.indices(image.shape[:2], np.float32)
    across, down = ((axis - face.landmarks[CHEEK, k]) / unit_of(face) for k, axis in enumerate((x, y)))
    shadow = np.exp(-0.5 * (across / 0.05) ** 2 - 0.5 * (down / 0.12) ** 2)
    return lit(image, (1 - depth * shadow)[..., None])


def smiling(image: Image, face: Face) -> Image:
    """The photo with both cheeks raised, by a twelfth of a face unit."""
    unit = unit_of(face)
    centres = [(float(x), float(y)) for x, y in face.landmarks[[CHEEK, OTHER_CHEEK], :2]]
    return warped(image, added(*(Push(centre, (0.0, -unit / 12), unit / 3) for centre in centres)))


def unit_of(face: Face) -> float:
    return float(np.hypot(*(face.landmarks[263, :2] - face.landmarks[33, :2])))


@pytest.fixture(scope="module")
def face(astronaut: Image, landmarker: Landmarker) -> Face:
    return landmarker.detect(astronaut)[0]


def measured(reference: Image, image: Image, face: Face, landmarker: Landmarker, live: bool) -> Motion:
    tracker = Tracker(TrackerSettings(live=live, mouth=True), landmarker)
    tracker.set_reference(reference, face)
    return tracker.measure(Frame(image, 0, 0, 0.0), landmarker.detect(image)[0])


@pytest.mark.parametrize("live", [False, True])
def test_a_fold_is_seen_where_it_is(astronaut: Image, face: Face, landmarker: Landmarker, live: bool) -> None:
    folded = with_fold(smiling(astronaut, face), face, 0.25)
    light = measured(astronaut, folded, face, landmarker, live).light
    assert light is not None
    assert at(light, CHEEK) < -0.1
    assert abs(at(light, OTHER_CHEEK)) < 0.03


def test_a_lamp_that_is_turned_up_is_no_fold(astronaut: Image, face: Face, landmarker: Landmarker) -> None:
    smile = smiling(astronaut, face)
    dim, bright = (
        measured(astronaut, image, face, landmarker, False).light for image in (smile, lit(smile, 1.1))
    )
    assert dim is not None and bright is not None
    assert np.abs(bright - dim).max() < 0.02


def test_a_shadow_on_a_still_face_is_no_fold(astronaut: Image, face: Face, landmarker: Landmarker) -> None:
    light = measured(astronaut, with_fold(astronaut, face, 0.1), face, landmarker, False).light
    assert light is not None
    assert np.abs(light).max() < 0.01


def test_a_turned_head_has_no_folds() -> None:
    gray = np.random.default_rng(1).integers(60, 200, (96, 96)).astype(np.uint8)
    skin, still, sure = (
        SkinLight.of(gray),
        np.zeros((GRID, GRID, 2), np.float32),
        np.ones((GRID, GRID), np.float32),
    )
    other = cv2.add(gray, 40)
    change = skin.change(other, still, sure)
    assert change.folds((0.0, 0.0)) is not None
    assert change.folds((0.0, 0.3)) is None


def test_what_the_alignment_does_not_trust_has_no_folds() -> None:
    gray = np.full((96, 96), 120, np.uint8)
    dark, still = gray.copy(), np.zeros((GRID, GRID, 2), np.float32)
    dark[50:60, 30:36] = 80
    skin, trust = SkinLight.of(gray), np.ones((GRID, GRID), np.float32)
    seen = skin.change(dark, still, trust).folds((0.0, 0.0))
    hidden = skin.change(dark, still, np.zeros_like(trust)).folds((0.0, 0.0))
    assert seen is not None and hidden is not None
    assert np.abs(seen).max() > 0.1
    assert np.abs(hidden).max() < 0.01


def test_lips_and_eyes_are_no_skin() -> None:
    assert at(skin_map(), CHEEK) > 0.99
    assert at(skin_map(), LIP) < 0.05
    assert at(skin_map(), EYE) < 0.6


def shadow() -> Floats:
    """A shadow on the right cheek, ``(GRID, GRID)``."""
    column, row = to_pixels(layout().points[[CHEEK]], GRID)[0]
    y, x = np.indices((GRID, GRID), np.float32)
    return np.asarray(-0.2 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 8), np.float32)


def drawn(avatar: Avatar, motion: Motion) -> tuple[Image, Image]:
    """The portrait before and after."""
    canvas = make_canvas(avatar, None)
    image = canvas.still.copy()
    warp = canvas.mesh.warp(carry_over(motion, avatar).mesh)
    draw_folds(canvas, image, folds_of(motion, avatar, canvas, warp))
    return canvas.still, image


def test_the_avatar_is_darker_there_and_the_same_elsewhere(avatar: Avatar) -> None:
    before, after = drawn(avatar, replace(Motion.neutral(), light=shadow()))
    column, row = np.round(avatar.geometry.points[CHEEK]).astype(int)
    there = np.s_[row - 1 : row + 2, column - 1 : column + 2]
    # The model's grid is coarser than the layout's: a narrow shadow loses an eighth of its depth.
    assert after[there].mean() == pytest.approx(np.exp(-0.17) * before[there].mean(), rel=0.03)
    changed = np.argwhere((before != after).any(axis=2))[:, ::-1]
    far = np.hypot(*(changed - avatar.geometry.points[CHEEK]).T)
    assert far.max() < 0.5 * avatar.geometry.unit


def test_without_light_nothing_is_drawn(avatar: Avatar) -> None:
    for light in (None, np.zeros((GRID, GRID), np.float32)):
        before, after = drawn(avatar, replace(Motion.neutral(), light=light))
        assert np.array_equal(before, after)


def test_folds_go_with_the_expressions_gain() -> None:
    motion = replace(Motion.neutral(), light=shadow())
    for gain in (0.0, 0.5):
        light = apply_gains(motion, Gains(expression=gain)).light
        assert light is not None
        assert light == pytest.approx(gain * shadow(), abs=1e-6)


def test_folds_fade_as_a_lost_driver_becomes_neutral() -> None:
    motion = replace(Motion.neutral(), light=shadow())
    light = motion.mixed(Motion.neutral(), 0.75).light
    assert light is not None
    assert light == pytest.approx(0.25 * shadow(), abs=1e-6)
    assert Motion.neutral().mixed(Motion.neutral(), 0.5).light is None


def test_who_wants_none_of_the_drivers_pixels_gets_no_folds(
    astronaut: Image, face: Face, landmarker: Landmarker, avatar: Avatar
) -> None:
    tracker = Tracker(TrackerSettings(), landmarker)
    tracker.set_reference(astronaut, face)
    assert tracker.measure(Frame(smiling(astronaut, face), 0, 0, 0.0), face).light is None
    motion, images = replace(Motion.neutral(), light=shadow()), []
    for own in (False, True):
        renderer = Renderer(avatar)
        renderer.mouth.own = own
        images.append(renderer.render(motion).image)
    painted, shown = images
    assert np.array_equal(painted, avatar.image)
    assert not np.array_equal(shown, avatar.image)


class Whole:
    """A canvas that is one moving part."""

    @staticmethod
    def moving_part(image: Image) -> Image:
        return image


def test_a_fold_in_fair_skin_is_as_deep_as_it_was_and_redder_and_grey_stays_grey() -> None:
    fold = Folds((slice(0, 4), slice(0, 4)), np.full((4, 4), round(0.8 * UNIT), np.uint8))
    for colour, grey in (((250, 200, 180), False), ((200, 200, 200), True)):
        image = np.full((4, 4, 3), colour, np.uint8)
        draw_folds(cast(Canvas, Whole()), image, fold, grey)
        light = np.array([0.299, 0.587, 0.114])
        assert image[0, 0] @ light == pytest.approx(0.8 * (np.array(colour) @ light), rel=0.02)
        if grey:
            assert np.ptp(image[0, 0].astype(int)) == 0
        else:
            assert image[0, 0, 0] / image[0, 0, 1] > 1.06 * colour[0] / colour[1]


def test_light_in_bytes_is_that_of_numbers() -> None:
    """Every grey level and every gain that there is: no pixel is off by more than one grey level."""
    gains = np.linspace(0.8, 1.1, 301, dtype=np.float32)
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 301, axis=1)
    image = np.repeat(levels[..., None], 3, axis=2)
    exact = np.clip(np.rint(image * gains[None, :, None]), 0, 255)
    stored = np.broadcast_to(np.rint(gains * UNIT).astype(np.uint8), (256, 301)).copy()

    whole = Folds((slice(0, 256), slice(0, 301)), stored)
    draw_folds(cast(Canvas, Whole()), image, whole, grey=True)
    assert np.abs(image - exact).max() <= 1
