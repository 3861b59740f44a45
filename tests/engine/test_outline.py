"""A turned head's outline has no steps and no line of what lies between its two sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.canvas.composition import compose, show_outline
from mien.engine.avatar.person.changes import Changes, step_of
from mien.engine.avatar.person.outline import Outline, inside_of
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Head, Motion
from mien.engine.types import Floats, Image

SMALL, LARGE = 128, 400
"""Pixels per side of a map whose cells are of one pixel, and of one whose cells are of 2 x 2."""


@pytest.fixture(scope="module", params=[256, 512])
def canvas(avatar: Avatar, request: pytest.FixtureRequest) -> Canvas:
    return make_canvas(avatar, request.param)


def turned(degrees: float) -> Motion:
    return replace(Motion.neutral(), head=Head(turn=(0.0, float(np.radians(degrees)))))


def jumping(at: Floats, side: int = SMALL) -> tuple[Floats, Image]:
    """A map that goes from 0 to 60 pixels within three at these columns, and skin, a dark line, nothing."""
    x = np.arange(side, dtype=np.float32)[None]
    along = np.clip((x - at[:, None] + 1.5) / 3, 0, 1)
    shift = np.stack([60 * along, np.zeros((side, side), np.float32)]).astype(np.float32)
    layer = np.zeros((side, side, 4), np.uint8)
    layer[along == 0] = (200, 150, 120, 255)
    layer[(along > 0) & (along < 1)] = (10, 10, 10, 255)
    return shift, layer


def softened(shift: Floats, layer: Image, cuts: Image | None = None) -> Image:
    size = shift.shape[1:]
    none = np.zeros([side // step_of(size) for side in size], np.uint8)
    outline = Outline.of(Changes.of(shift), none if cuts is None else cuts)
    assert outline is not None
    found = layer.copy()
    outline.soften(found, (slice(0, size[0]), slice(0, size[1])))
    return found


@pytest.mark.parametrize("side", [SMALL, LARGE])
def test_what_the_map_runs_through_is_not_shown(side: int) -> None:
    layer = softened(*jumping(np.full(side, side // 2, np.float32), side))
    colours, opacity = layer[..., :3].astype(float), layer[..., 3].astype(float)
    seen = opacity > 20
    assert np.abs(colours[seen] - opacity[seen, None] / 255 * (200, 150, 120)).max() < 3, (
        "no dark line is left"
    )
    assert (np.diff(opacity, axis=1) <= 0).all()
    assert 2 <= (np.diff(opacity[side // 2]) < 0).sum() <= 4, "it ends softly, and not blurred"
    assert (layer[:, : side // 2 - 8] == (200, 150, 120, 255)).all() and (
        layer[:, side // 2 + 8 :] == 0
    ).all()


@pytest.mark.parametrize(("side", "step"), [(SMALL, 1.33), (LARGE, 2.7)])
def test_steps_are_smoothed(side: int, step: float) -> None:
    """Of an outline that leans, in steps of a raster that is coarser than the canvas."""
    straight = side / 2 + np.arange(side, dtype=np.float32) / 5
    shift, layer = jumping(np.round(straight / np.float32(step)) * np.float32(step), side)

    def off(image: Image) -> float:
        ends = (image[..., 3] / 255.0).sum(axis=1)
        return float((ends - straight)[16:-16].std())

    assert off(softened(shift, layer)) < 0.5 * off(layer)


def test_jumps_within_the_face_stay() -> None:
    """Lids and lips are cuts that have the canvas's pixels already."""
    shift, layer = jumping(np.full(128, 64, np.float32))
    inside = inside_of(np.ones((50, 60), np.float32), (slice(70, 120), slice(34, 94)), (128, 128))
    soft = softened(shift, layer, inside)
    np.testing.assert_array_equal(soft[84:108, 60:68], layer[84:108, 60:68])
    assert (soft[4:60, 60:68] != layer[4:60, 60:68]).any()


def test_a_steep_place_is_no_jump() -> None:
    """A chin that an opened mouth squeezes, hair that is foreshortened, a jump that is short."""
    none = np.zeros((128, 128), np.uint8)
    steep = np.zeros((2, 128, 128), np.float32)
    steep[1] = np.clip(3 * (np.arange(128, dtype=np.float32)[:, None] - 60), 0, 24)
    assert Outline.of(Changes.of(steep), none) is None
    wide = np.zeros((2, 128, 128), np.float32)
    wide[0] = np.clip(8 * (np.arange(128, dtype=np.float32) - 60), 0, 80)
    assert Outline.of(Changes.of(wide), none) is None
    short = np.zeros((2, 128, 128), np.float32)
    short[0, 40:42, 40:44] = 40
    assert Outline.of(Changes.of(short), none) is None


def test_a_head_that_looks_ahead_has_no_jumps(avatar: Avatar, canvas: Canvas) -> None:
    for motion in (Motion.neutral(), turned(5)):
        assert canvas.mesh.warp(carry_over(motion, avatar).mesh).outline is None


@pytest.mark.parametrize("degrees", [-28, 28])
def test_a_turned_head_has_no_line_along_its_outline(avatar: Avatar, canvas: Canvas, degrees: float) -> None:
    """How far pixels of the outline lie outside of the colours on both sides: those of a line do."""
    warp = replace(canvas.mesh.warp(carry_over(turned(degrees), avatar).mesh), rim=None)
    assert warp.outline is not None
    jumps = warp.outline.changed()
    assert 200 < jumps.sum() < 30_000
    hard, soft = (
        compose(canvas, None, replace(warp, outline=outline)).astype(int) for outline in (None, warp.outline)
    )
    np.testing.assert_array_equal(hard[~jumps], soft[~jumps])

    def off(image: np.ndarray) -> float:
        grey = image.mean(axis=2)
        left, right = np.roll(grey, 6, axis=1), np.roll(grey, -6, axis=1)
        low, high = np.minimum(left, right), np.maximum(left, right)
        return float((np.maximum(low - grey, 0) + np.maximum(grey - high, 0))[jumps].mean())

    assert off(soft) < 0.65 * off(hard)


@pytest.mark.parametrize("crop", [None, 400])
def test_another_runtime_shows_the_same_outline(avatar: Avatar, crop: int | None) -> None:
    canvas = make_canvas(avatar, crop)
    warp = canvas.mesh.warp(carry_over(turned(25), avatar).mesh)
    image = compose(canvas, None, replace(warp, outline=None, rim=None))
    wanted = compose(canvas, None, warp)
    assert (image != wanted).any()
    show_outline(canvas, image, warp)
    assert (np.abs(image.astype(int) - wanted).max(axis=2) > 2).mean() < 1e-4
