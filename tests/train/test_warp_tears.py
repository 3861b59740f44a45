"""The measure of a warp's tears: folds, strips and doubles count; smooth motion and clean cuts do not."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.landmarks import Landmarker
from mien.engine.types import Floats, Image
from mien.train.metrics.warp_tears import warp_tears

SIDE = 256


@pytest.fixture(scope="module")
def points(close_up: Image, landmarker: Landmarker) -> Floats:
    """A face's landmarks, 160 pixels high in the middle of a square of 256."""
    found = landmarker.detect(close_up)[0].landmarks[:, :2]
    low, size = found.min(axis=0), np.ptp(found, axis=0).max()
    return ((found - low) * (160 / size) + 50).astype(np.float32)


def still() -> Floats:
    return np.stack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 2), axis=2)


def test_an_unmoved_turned_or_gently_bent_face_is_whole(points: Floats) -> None:
    turned = still() @ np.array([[0.8, 0.3], [-0.3, 0.8]], np.float32)
    bent = still()
    bent[..., 1] += 6 * np.sin(bent[..., 0] / 25)
    for backward in (still(), turned, bent):
        assert warp_tears(backward, points).torn == 0.0


def test_a_clean_cut_is_whole(points: Floats) -> None:
    # Below a line across the chin 20 pixels of the portrait are hidden, as by a lip in front of them.
    backward = still()
    below = still()[..., 1] > points[14, 1] + 15
    backward[..., 1] += 20 * below
    assert warp_tears(backward, points).torn < 0.002


def test_a_fold_is_found_where_it_is(points: Floats) -> None:
    backward = still()
    lip = (points[0] + points[2]) / 2
    near = np.exp(-((still() - lip) ** 2).sum(axis=2) / (2 * 10.0**2))
    backward[..., 1] -= 2.2 * (still()[..., 1] - lip[1]) * near
    found = warp_tears(backward, points)
    assert found.folded > 0.005
    assert found.doubled > 0.0
    assert found.areas["mouth"] > 0.05
    assert found.areas["eyes"] == 0.0


def test_strips_and_squeezes_are_found(points: Floats) -> None:
    y = still()[..., 1]
    drawn = still()
    drawn[..., 1] = np.where(np.abs(y - points[4, 1]) < 15, points[4, 1] + 0.1 * (y - points[4, 1]), y)
    assert warp_tears(drawn, points).stretched > 0.05
    pressed = still()
    pressed[..., 1] = np.where(np.abs(y - points[4, 1]) < 5, points[4, 1] + 6 * (y - points[4, 1]), y)
    assert warp_tears(pressed, points).squeezed > 0.02


def test_a_ragged_tear_is_no_clean_cut(points: Floats) -> None:
    rng = np.random.default_rng(0)
    backward = still()
    mouth = np.hypot(*(still() - points[14]).transpose(2, 0, 1)) < 15
    backward[mouth] += rng.normal(0, 6, (int(mouth.sum()), 2))
    assert warp_tears(backward, points).areas["mouth"] > 0.1
