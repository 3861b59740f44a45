"""A layer that is enlarged once shows what the cubic kernel would show."""

import cv2
import numpy as np
import pytest

from mien.engine.avatar import fine_layer
from mien.engine.avatar.fine_layer import FineLayer
from mien.engine.types import Floats, Image

PART = 120, 100
WHOLE = slice(0, 100), slice(0, 120)


@pytest.fixture
def layer() -> Image:
    """Texture as photos have it; 200 x 180 RGBA."""
    rng = np.random.default_rng(0)
    fine, coarse = (rng.normal(0, size, (200, 180, 4)).astype(np.float32) for size in (60, 900))
    mixed = cv2.GaussianBlur(fine, (0, 0), 1.0) + cv2.GaussianBlur(coarse, (0, 0), 6.0)
    return np.clip(mixed + 128, 0, 255).astype(np.uint8)


def bent() -> Floats:
    y, x = np.mgrid[:100, :120].astype(np.float32)
    return np.stack([3 * np.sin(y / 17), 4 * np.cos(x / 23)]).astype(np.float32)


def cubic(layer: Image, shift: Floats) -> Image:
    y, x = np.mgrid[:100, :120].astype(np.float32)
    border = cv2.BORDER_REFLECT_101
    found = cv2.remap(layer, x + 30 + shift[0], y + 20 + shift[1], cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(found, np.uint8)


@pytest.mark.parametrize("channels", [3, 4])
def test_at_rest_it_is_the_layer(layer: Image, channels: int) -> None:
    fine = FineLayer(np.ascontiguousarray(layer[..., :channels]), (30, 20), PART)
    found = fine.at(np.zeros((2, 100, 120), np.float32), WHOLE)
    np.testing.assert_array_equal(found, layer[20:120, 30:150, :channels])


def test_bent_it_is_what_the_cubic_kernel_shows(layer: Image) -> None:
    wanted = cubic(layer, bent()).astype(int)
    found = FineLayer(layer, (30, 20), PART).at(bent(), WHOLE)
    off = np.abs(found - wanted)
    assert off.mean() < 0.5
    assert (off <= 2).mean() > 0.99


@pytest.mark.parametrize("t", [0.2, 1 / 3, 0.5, 2 / 3, 0.8, 1.3])
def test_a_shift_by_a_fraction_of_a_pixel_is_as_large_as_it_should_be(t: float) -> None:
    """``cv2.resize`` would draw 10 % too much at a third, and 4 % too little at two thirds."""
    x = np.tile(np.arange(180, dtype=np.float32), (200, 1)) + 0.37 * np.arange(200, dtype=np.float32)[:, None]
    waves = np.clip(127.5 + 120 * np.sin(x / 3.1), 0, 255)
    layer = np.repeat(np.round(waves)[..., None], 4, axis=2).astype(np.uint8)
    shift = np.zeros((2, 100, 120), np.float32)
    shift[0] = t
    moved = FineLayer(layer, (30, 20), PART).at(shift, WHOLE)[..., 0].astype(np.float32)
    slope = 120 / 3.1 * np.cos((x + t / 2) / 3.1)[20:120, 30:150]
    found = float((slope * (moved - layer[20:120, 30:150, 0])).sum() / np.square(slope).sum())
    assert found == pytest.approx(t, rel=0.015)


def test_a_part_is_the_same_as_in_the_whole(layer: Image) -> None:
    fine = FineLayer(layer, (30, 20), PART)
    whole = fine.at(bent(), WHOLE)
    box = slice(10, 60), slice(25, 90)
    np.testing.assert_array_equal(fine.at(bent(), box), whole[box])


@pytest.mark.parametrize("far", [0.0, -400.0, 400.0])
def test_strips_show_what_one_lookup_shows(layer: Image, monkeypatch: pytest.MonkeyPatch, far: float) -> None:
    """Of a head that rolls, and where nothing but what lies beyond the layer is asked for."""
    y, x = np.mgrid[:100, :120].astype(np.float32)
    shift = np.stack([far - 0.4 * y, far + 0.5 * x]).astype(np.float32)
    found = FineLayer(layer, (30, 20), PART).at(shift, WHOLE)
    monkeypatch.setattr(fine_layer, "STRIP", 1000)
    np.testing.assert_array_equal(found, FineLayer(layer, (30, 20), PART).at(shift, WHOLE))


def test_a_layer_that_would_be_too_large_is_sampled_as_it_is(
    layer: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_layer, "MOST", 1000)
    found = FineLayer(layer, (30, 20), PART).at(bent(), WHOLE)
    assert np.abs(found.astype(int) - cubic(layer, bent())).max() <= 1
