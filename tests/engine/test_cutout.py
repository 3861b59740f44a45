"""The person before another background: the hair's edge, no rim of the old one, opacity in the result."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.composition import compose, with_opacity
from mien.engine.avatar.crop import Square
from mien.engine.avatar.person import matte
from mien.engine.avatar.person.background import KEEP, Background, BackgroundKind, filling, out_of_focus
from mien.engine.avatar.person.looks import Look
from mien.engine.avatar.person.matte import over
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Head, Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Floats, Image, SourceError

GREEN = Background(BackgroundKind.COLOUR, (0, 255, 0))
CLEAR = Background(BackgroundKind.NONE)
SWAYING = replace(Motion.neutral(), head=Head((0.1, 0.0), 1.0, 0.05, (0.0, 0.2)))


@pytest.fixture(scope="module")
def green(avatar: Avatar) -> Avatar:
    return avatar.before(GREEN)


@pytest.fixture(scope="module")
def clear(avatar: Avatar) -> Avatar:
    return avatar.before(CLEAR)


def test_the_whole_person_is_cut_out_and_nothing_else(green: Avatar) -> None:
    assert green.cutout is not None
    opacity = green.cutout.matte.opacity
    for column, row in ((225, 120), (200, 300), (230, 440), (60, 420)):  # face, badge, suit, sleeve
        assert opacity[row, column] > 0.98
    for column, row in ((40, 100), (380, 120), (460, 200), (330, 60)):  # flag, shuttle, wall
        assert opacity[row, column] == 0


def test_nothing_of_the_old_background_is_left_at_the_edge(
    green: Avatar, landmarker: Landmarker, runtime: Runtime
) -> None:
    """A person whose edge is known, before magenta: cut out again, no magenta comes along."""
    assert green.cutout is not None
    truth = green.cutout.matte
    magenta = np.full((512, 512, 3), (255, 0, 255), np.uint8)
    again = Avatar.of(truth.over(magenta), landmarker, runtime).before(GREEN)
    assert again.cutout is not None
    found = again.cutout.matte
    edge = (truth.opacity > 0.05) & (truth.opacity < 0.95)
    edge[170:] = False  # hair, face and neck
    assert edge.sum() > 500
    assert np.abs(found.opacity - truth.opacity)[edge].mean() < 0.25

    def tint(colours: Image) -> float:
        """Grey levels of magenta at the edge."""
        shown = colours[edge].astype(int)
        return float(np.maximum(np.minimum(shown[:, 0], shown[:, 2]) - shown[:, 1], 0).mean())

    cut_alone = np.asarray(truth.over(magenta) * found.opacity[..., None], np.uint8)
    assert tint(found.colours) < 8
    assert tint(cut_alone) > 20, "what is cut out without cleaning has a rim"


@pytest.mark.parametrize("crop", [None, 256])
def test_at_rest_it_is_the_person_before_the_colour(
    green: Avatar, runtime: Runtime, crop: int | None
) -> None:
    found = Renderer(green, runtime, crop=crop).render(Motion.neutral()).image
    canvas = make_canvas(green, crop)
    wanted = canvas.still
    if not canvas.pasted:
        wanted = wanted[canvas.top : canvas.bottom, canvas.left : canvas.right]
    np.testing.assert_array_equal(found, wanted)
    far = found[20:40, 5:25] if crop is None else found[:20, :20]
    assert (far == (0, 255, 0)).all()


@pytest.mark.parametrize("crop", [None, 256])
def test_what_is_clear_can_be_laid_over_anything(
    green: Avatar, clear: Avatar, runtime: Runtime, crop: int | None
) -> None:
    rgba = Renderer(clear, runtime, crop=crop).render(SWAYING).image
    assert rgba.shape[2] == 4 and 0 < (rgba[..., 3] == 0).mean() < 0.9
    laid = rgba[..., :3] * (rgba[..., 3:] / 255) + np.array([0, 255, 0]) * (1 - rgba[..., 3:] / 255)
    wanted = Renderer(green, runtime, crop=crop).render(SWAYING).image
    different = np.abs(laid - wanted).max(axis=2)
    assert np.quantile(different, 0.99) < 3 and different.mean() < 0.2


def test_what_a_gpu_drew_before_black_gets_the_same_opacity(clear: Avatar) -> None:
    canvas = make_canvas(clear, 256)
    warp = canvas.mesh.warp(carry_over(SWAYING, clear).mesh)
    rgba = compose(canvas, None, warp)
    black = np.asarray(rgba[..., :3] * (rgba[..., 3:] / 255) + 0.5, np.uint8)
    np.testing.assert_array_equal(with_opacity(canvas, black, warp)[..., 3], rgba[..., 3])


def test_the_background_stands_still(green: Avatar, runtime: Runtime) -> None:
    found = Renderer(green, runtime).render(SWAYING).image
    assert (found[10:40, 10:60] == (0, 255, 0)).all()


def test_a_transparent_portrait_is_its_own_outline(
    astronaut: Image, landmarker: Landmarker, runtime: Runtime
) -> None:
    disc = cv2.circle(np.zeros((512, 512), np.uint8), (225, 140), 130, 255, cv2.FILLED, cv2.LINE_AA)
    white = np.full_like(astronaut, 255)
    shown = over(np.asarray(astronaut * (disc[..., None] / 255), np.uint8), disc / np.float32(255), white)
    avatar = Avatar.of(np.dstack([shown, disc]), landmarker, runtime)
    before = avatar.before(GREEN)
    assert before.cutout is not None
    np.testing.assert_allclose(before.cutout.matte.opacity, disc / 255, atol=1e-6)
    still = make_canvas(before, None).still
    assert (still[disc == 0] == (0, 255, 0)).all()
    np.testing.assert_array_equal(still[disc == 255], astronaut[disc == 255])


def test_blurred_it_is_the_same_place_without_the_person(avatar: Avatar, runtime: Runtime) -> None:
    blurred = avatar.before(Background(BackgroundKind.BLUR))
    found = Renderer(blurred, runtime).render(Motion.neutral()).image
    place = slice(20, 60), slice(330, 480)
    own = avatar.image[place].astype(float)
    assert abs(found[place].mean() - own.mean()) < 8
    assert (
        np.abs(np.diff(found[place].astype(int), axis=1)).mean() < 0.5 * np.abs(np.diff(own, axis=1)).mean()
    )


def test_an_image_fills_what_is_seen_of_the_portrait(avatar: Avatar, runtime: Runtime) -> None:
    halves = np.zeros((100, 400, 3), np.uint8)
    halves[:, 200:] = 255
    found = Renderer(avatar.before(Background(BackgroundKind.IMAGE, image=halves)), runtime, crop=256)
    image = found.render(Motion.neutral()).image
    assert image[:5, :60].max() < 3 and image[:5, 200:].min() > 252
    assert filling(halves, (50, 80)).shape == (80, 50, 3)
    assert out_of_focus(halves).shape == halves.shape


def test_the_first_background_costs_and_the_next_ones_do_not(green: Avatar) -> None:
    assert green.cutout is not None
    again = green.before(CLEAR)
    assert again.cutout is not None and again.cutout.matte is green.cutout.matte
    assert green.before(KEEP).cutout is None


def _beside_stripes(astronaut: Image, opacity: Floats) -> Image:
    """The person before what makes matting err: stripes in the colours of hair, skin and suit, and grain."""
    random = np.random.default_rng(3)
    stripes = np.array([(70, 50, 35), (215, 165, 140), (235, 235, 235), (190, 90, 40)], np.float32)
    wall = stripes[(np.arange(512)[:, None] + np.arange(512)) // 24 % 4]
    noisy = over(np.asarray(astronaut * opacity[..., None], np.uint8), opacity, np.asarray(wall, np.uint8))
    return np.asarray(np.clip(noisy + random.normal(0, 12, noisy.shape), 0, 255), np.uint8)


def test_a_busy_and_grainy_background_leaves_no_specks_and_no_holes(
    green: Avatar, astronaut: Image, landmarker: Landmarker, runtime: Runtime
) -> None:
    assert green.cutout is not None
    truth = green.cutout.matte.opacity
    found = Avatar.of(_beside_stripes(astronaut, truth), landmarker, runtime).before(GREEN).cutout
    assert found is not None
    shown = (found.matte.opacity > 0.05).astype(np.uint8)
    _, _, parts, _ = cv2.connectedComponentsWithStats(shown)
    assert sum(parts[1:, cv2.CC_STAT_AREA]) - parts[1:, cv2.CC_STAT_AREA].max() < 30
    deep = cv2.erode((truth > 0.9).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    deep[200:] = False  # hair and face
    assert deep.sum() > 5000 and found.matte.opacity[deep].min() > 0.95


def test_of_a_vague_outline_what_is_certain_is_cut_out(avatar: Avatar) -> None:
    vague = replace(avatar, layers=None).before(GREEN)
    assert vague.cutout is not None
    opacity = vague.cutout.matte.opacity
    assert opacity[120, 225] == 1 and opacity[100, 40] == 0  # face, flag


def test_where_nobody_is_found_it_says_what_to_do(avatar: Avatar, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(image: Image, crop: Square, points: Floats) -> Look:
        return Look(np.zeros(image.shape[:2], np.float32), crop, 0.0, 0.0, 0.0)

    monkeypatch.setattr(matte, "surest_look", nobody)
    with pytest.raises(SourceError, match=r"No outline of a person.*PNG that is transparent") as caught:
        replace(avatar, layers=None, name="me.png").before(GREEN)
    assert "me.png" in str(caught.value) and "\n" not in str(caught.value)
