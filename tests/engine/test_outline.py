"""A turned head's outline has no steps and no line of what lies between its two sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar import Avatar, mesh_canvas
from mien.engine.avatar.canvas import Canvas, make_canvas
from mien.engine.avatar.composition import compose, show_outline
from mien.engine.avatar.outline import Outline, inside_of
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Head, Motion
from mien.engine.types import Floats, Image

SIDE = 512


@pytest.fixture(scope="module")
def canvas(avatar: Avatar) -> Canvas:
    return make_canvas(avatar, SIDE)


def turned(degrees: float) -> Motion:
    return replace(Motion.neutral(), head=Head(turn=(0.0, float(np.radians(degrees)))))


def jumping(at: Floats, height: int = 128, width: int = 128) -> tuple[Floats, Image]:
    """A map that goes from 0 to 40 pixels within three at these columns, and skin, a dark line, nothing."""
    x = np.arange(width, dtype=np.float32)[None]
    along = np.clip((x - at[:, None] + 1.5) / 3, 0, 1)
    shift = np.stack([40 * along, np.zeros((height, width), np.float32)]).astype(np.float32)
    layer = np.zeros((height, width, 4), np.uint8)
    layer[along == 0] = (200, 150, 120, 255)
    layer[(along > 0) & (along < 1)] = (10, 10, 10, 255)
    return shift, layer


def test_what_the_map_runs_through_is_not_shown() -> None:
    shift, layer = jumping(np.full(128, 64, np.float32))
    outline = Outline.of(shift, np.zeros((64, 64), np.uint8))
    assert outline is not None
    outline.soften(layer, (slice(0, 128), slice(0, 128)))
    colours, opacity = layer[..., :3].astype(float), layer[..., 3].astype(float)
    seen = opacity > 20
    assert np.abs(colours[seen] - opacity[seen, None] / 255 * (200, 150, 120)).max() < 3, (
        "no dark line is left"
    )
    assert (np.diff(opacity, axis=1) <= 0).all()
    assert (np.diff(opacity[60]) < 0).sum() >= 3, "it ends softly"
    assert (layer[:, :56] == (200, 150, 120, 255)).all() and (layer[:, 72:] == 0).all()


def test_steps_are_smoothed() -> None:
    steps = 60 + 2 * np.floor(np.arange(128) / 8).astype(np.float32) / 2
    shift, layer = jumping(steps)
    outline = Outline.of(shift, np.zeros((64, 64), np.uint8))
    assert outline is not None
    before = (layer[..., 3] / 255.0).sum(axis=1)
    outline.soften(layer, (slice(0, 128), slice(0, 128)))
    after = (layer[..., 3] / 255.0).sum(axis=1)
    inner = slice(16, 112)
    assert np.abs(np.diff(after[inner])).max() < 0.75 * np.abs(np.diff(before[inner])).max()


def test_jumps_within_the_face_stay() -> None:
    """Lids and lips are cuts that have the canvas's pixels already."""
    shift, layer = jumping(np.full(128, 64, np.float32))
    inside = inside_of(np.ones((50, 60), np.float32), (slice(70, 120), slice(34, 94)), (128, 128))
    outline = Outline.of(shift, inside)
    assert outline is not None
    before = layer.copy()
    outline.soften(layer, (slice(0, 128), slice(0, 128)))
    np.testing.assert_array_equal(layer[84:108, 60:68], before[84:108, 60:68])
    assert (layer[4:60, 60:68] != before[4:60, 60:68]).any()


def test_a_steep_place_is_no_jump() -> None:
    """A chin that an opened mouth squeezes to a third, and a jump that is short."""
    steep = np.zeros((2, 128, 128), np.float32)
    steep[1] = np.clip(3 * (np.arange(128, dtype=np.float32)[:, None] - 60), 0, 24)
    assert Outline.of(steep, np.zeros((64, 64), np.uint8)) is None
    short = np.zeros((2, 128, 128), np.float32)
    short[0, 40:42, 40:44] = 40
    assert Outline.of(short, np.zeros((64, 64), np.uint8)) is None


def test_a_head_that_looks_ahead_has_no_jumps(avatar: Avatar, canvas: Canvas) -> None:
    for motion in (Motion.neutral(), turned(5)):
        assert canvas.mesh.warp(carry_over(motion, avatar).mesh).outline is None


@pytest.mark.parametrize("degrees", [-28, 28])
def test_a_turned_head_has_no_line_along_its_outline(avatar: Avatar, canvas: Canvas, degrees: float) -> None:
    """How far pixels of the outline lie outside of the colours on both sides: those of a line do."""
    warp = canvas.mesh.warp(carry_over(turned(degrees), avatar).mesh)
    assert warp.outline is not None
    jumps = warp.outline.jumps.repeat(2, axis=0).repeat(2, axis=1) > 0
    assert 500 < jumps.sum() < 30_000
    hard, soft = (
        compose(canvas, None, replace(warp, outline=outline)).astype(int) for outline in (None, warp.outline)
    )
    np.testing.assert_array_equal(hard[~jumps], soft[~jumps])

    def off(image: np.ndarray) -> float:
        grey = image.mean(axis=2)
        left, right = np.roll(grey, 6, axis=1), np.roll(grey, -6, axis=1)
        low, high = np.minimum(left, right), np.maximum(left, right)
        return float((np.maximum(low - grey, 0) + np.maximum(grey - high, 0))[jumps].mean())

    assert off(soft) < 0.6 * off(hard)


def test_a_small_canvas_keeps_its_pixels(avatar: Avatar) -> None:
    assert make_canvas(avatar, 256).mesh.warp(carry_over(turned(28), avatar).mesh).outline is None


@pytest.mark.parametrize("crop", [None, 400])
def test_another_runtime_shows_the_same_outline(
    avatar: Avatar, crop: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mesh_canvas, "LEAST_SIDE", 0)  # the built-in portrait is smaller
    canvas = make_canvas(avatar, crop)
    warp = canvas.mesh.warp(carry_over(turned(25), avatar).mesh)
    image = compose(canvas, None, replace(warp, outline=None))
    wanted = compose(canvas, None, warp)
    assert (image != wanted).any()
    show_outline(canvas, image, warp)
    assert (np.abs(image.astype(int) - wanted).max(axis=2) > 2).mean() < 1e-4
