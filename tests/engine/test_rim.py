"""The silhouette of a turned head has no steps where the turn squeezes it, and stays as it is elsewhere."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.person.changes import Changes, step_of
from mien.engine.avatar.person.rim import Rim
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Head, Motion
from mien.engine.types import Floats, Image

SKIN = (200, 150, 120)
SIDES = [256, 512]


def squeezed(side: int) -> tuple[Floats, Image, Floats]:
    """A map that is steep around a leaning edge of its lower half, a layer with steps there, and the edge."""
    unit = side // 256
    edge = (side / 3 + np.arange(side) / 2.5).astype(np.float32)
    stepped = np.floor(edge / (4 * unit)) * 4 * unit
    x = np.arange(side, dtype=np.float32)[None]
    layer = np.zeros((side, side, 4), np.uint8)
    layer[x < stepped[:, None]] = (*SKIN, 255)
    shift = np.zeros((2, side, side), np.float32)
    shift[0] = 4 * np.clip(x - edge[:, None], -4 * unit, 4 * unit)
    shift[:, : side // 2] = 0.0
    return shift, layer, edge


def rim_of(shift: Floats) -> Rim | None:
    size = shift.shape[1], shift.shape[2]
    cells = np.zeros([side // step_of(size) for side in size], np.uint8)
    return Rim.of(Changes.of(shift), cells, size)


@pytest.mark.parametrize("side", SIDES)
def test_steps_of_a_squeezed_silhouette_are_gone(side: int) -> None:
    shift, layer, edge = squeezed(side)
    rim = rim_of(shift)
    assert rim is not None
    found = layer.copy()
    rim.smooth(found, (slice(0, side), slice(0, side)))
    lower, unit = slice(side // 2 + 16 * side // 256, -16), side / 256

    def roughness(image: Image) -> float:
        ends = (image[..., 3] / 255.0).sum(axis=1) - edge
        return float(ends[lower].std())

    assert roughness(found) < 0.5 * roughness(layer)
    soft = ((found[lower, :, 3] > 25) & (found[lower, :, 3] < 230)).sum(axis=1)
    assert soft.max() <= 3, "its edge is one of a pixel or two, not a blur"
    shown = found[..., 3] > 128
    colour = found[shown][:, :3] / (found[shown][:, 3:] / 255.0)
    assert np.abs(colour - SKIN).max() < 4, "what is added has the colour of what is beside it"
    np.testing.assert_array_equal(found[: int(side // 2 - 16 * unit)], layer[: int(side // 2 - 16 * unit)])


@pytest.mark.parametrize("side", SIDES)
def test_a_part_of_a_layer_is_smoothed_as_the_whole_is(side: int) -> None:
    shift, layer, _ = squeezed(side)
    rim = rim_of(shift)
    assert rim is not None
    whole, part = layer.copy(), layer[side // 4 :].copy()
    rim.smooth(whole, (slice(0, side), slice(0, side)))
    rim.smooth(part, (slice(side // 4, side), slice(0, side)))
    np.testing.assert_array_equal(part, whole[side // 4 :])
    beside = layer[: side // 8, : side // 8].copy()
    rim.smooth(beside, (slice(0, side // 8), slice(0, side // 8)))
    np.testing.assert_array_equal(beside, layer[: side // 8, : side // 8])


def test_the_smallest_canvas_keeps_what_is_opaque_and_what_is_clear() -> None:
    shift, layer, _ = squeezed(256)
    shift, layer = shift[:, 128:192, 128:192] * 4, layer[128:192, 128:192].copy()
    rim = rim_of(shift)
    assert rim is not None
    found = layer.copy()
    rim.smooth(found, (slice(0, 64), slice(0, 64)))
    same = np.ones((5, 5), np.uint8)
    opaque, clear = (cv2.erode((layer[..., 3] == value).astype(np.uint8), same) > 0 for value in (255, 0))
    np.testing.assert_array_equal(found[opaque | clear], layer[opaque | clear])


def test_a_map_that_is_nowhere_steep_has_no_rim() -> None:
    x = np.arange(256, dtype=np.float32)
    assert rim_of(np.stack([np.tile(0.9 * x, (256, 1))] * 2)) is None


@pytest.mark.parametrize("side", SIDES)
def test_a_turned_head_changes_at_its_rim_alone(avatar: Avatar, side: int) -> None:
    canvas = make_canvas(avatar, side)
    ahead = canvas.mesh.warp(carry_over(Motion.neutral(), avatar).mesh)
    assert ahead.rim is None
    motion = replace(Motion.neutral(), head=Head(turn=(0.0, float(np.radians(28)))))
    warp = canvas.mesh.warp(carry_over(motion, avatar).mesh)
    assert warp.rim is not None
    plain = compose(canvas, None, replace(warp, rim=None))
    changed = (compose(canvas, None, warp) != plain).any(axis=2)
    assert 20 < changed.sum() < 0.02 * changed.size
    changed[warp.rim.box] &= warp.rim.share == 0
    assert not changed.any()


def test_a_bright_edge_does_not_wrap_around_to_black() -> None:
    """What is nearly clear has no colour to go by: beyond white, bytes began again at black."""
    shift, layer, _ = squeezed(256)
    rim = rim_of(shift)
    assert rim is not None
    layer[layer[..., 3] == 255] = 255
    layer[..., :3] += (layer[..., 3:] == 0) * np.uint8(60)  # lighter than clear
    rim.smooth(layer, (slice(0, 256), slice(0, 256)))
    shown = layer[layer[..., 3] > 60].astype(int)
    assert (shown[:, :3] > shown[:, 3:] - 30).all()
