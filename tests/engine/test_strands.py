"""Hair that a border cuts goes on beyond it in its own direction, not back in a zigzag."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar.strands import beyond_borders, slopes

SIDE, RIM = 200, 12


def stripes(slope: float, width: int, height: int, first: int = 0) -> np.ndarray:
    """Strands that run across by ``slope`` pixels a row, from row ``first`` on, ``(height, width, 3)``."""
    y, x = np.mgrid[first : first + height, :width]
    grey = 128 + 60 * np.sin((x - slope * y) / 4)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("slope", [0.0, 0.5, -0.9])
def test_strands_run_on_straight(slope: float) -> None:
    inner = stripes(slope, SIDE, SIDE)
    true = stripes(slope, SIDE, SIDE + 2 * RIM, -RIM)
    middle = slice(40, -40)
    np.testing.assert_allclose(slopes(inner[:10], SIDE)[middle], slope, atol=0.1)
    found = beyond_borders(inner, (RIM, RIM, 0, 0), SIDE)
    np.testing.assert_array_equal(found[RIM:-RIM], inner)
    mirrored = np.pad(inner, ((RIM, RIM), (0, 0), (0, 0)), mode="reflect")
    missed, before = (np.abs(one.astype(float) - true)[:, middle].mean() for one in (found, mirrored))
    assert missed < 2
    assert before > 5 * missed or slope == 0


def test_all_four_borders_go_on_likewise() -> None:
    inner = stripes(0.5, SIDE, SIDE)
    found = beyond_borders(inner, (RIM, RIM, 0, 0), SIDE)
    aside = beyond_borders(inner.transpose(1, 0, 2).copy(), (0, 0, RIM, RIM), SIDE)
    np.testing.assert_array_equal(aside.transpose(1, 0, 2), found)
    whole = beyond_borders(inner, (1, 2, 3, 4), SIDE)
    assert whole.shape == (SIDE + 3, SIDE + 7, 3)
    np.testing.assert_array_equal(whole[1:-2, 3:-4], inner)
    assert beyond_borders(inner, (0, 0, 0, 0), SIDE) is inner


def test_what_has_no_strands_is_mirrored() -> None:
    rng = np.random.default_rng(3)
    even = np.full((SIDE, SIDE, 4), 90, np.uint8)
    even += rng.integers(0, 3, even.shape, np.uint8)
    assert np.abs(slopes(even[:10], SIDE)).max() < 0.1
    wall = np.repeat(np.linspace(0, 250, SIDE).astype(np.uint8)[:, None, None], SIDE, 1).repeat(3, 2)
    np.testing.assert_array_equal(slopes(wall[:10], SIDE), 0)


def test_an_image_of_a_few_rows_goes_on() -> None:
    small = stripes(0.5, 30, 3)
    assert beyond_borders(small, (RIM, RIM, 2, 2), SIDE).shape == (3 + 2 * RIM, 34, 3)
