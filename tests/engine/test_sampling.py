"""Sampling: OpenCV's cubic kernel, and where it shows a straight line in its place."""

import cv2
import numpy as np
import pytest

from mien.engine.utils.images import planes_of
from mien.engine.utils.sampling import cubic_weights, line_fraction, sample

FRACTIONS = [0.0, 0.05, 0.3, 0.5, 0.72, 1.0]
NEIGHBOURS = np.arange(-1, 3)


@pytest.mark.parametrize("t", FRACTIONS)
def test_the_weights_are_those_of_opencv(t: float) -> None:
    pixels = np.eye(9, dtype=np.float32)[None]
    found = sample(pixels[..., :4], np.array([[[4 + t, 0]]], np.float32), cubic=True).ravel()
    found = np.append(found, sample(pixels[..., 4:8], np.array([[[4 + t, 0]]], np.float32), cubic=True))
    np.testing.assert_allclose(found[3:7], cubic_weights(t), atol=1e-3)


@pytest.mark.parametrize("t", FRACTIONS)
def test_a_straight_line_keeps_its_place(t: float) -> None:
    assert float(cubic_weights(line_fraction(t)) @ NEIGHBOURS) == pytest.approx(t, abs=0.004)
    assert line_fraction(1 - t) == pytest.approx(1 - line_fraction(t))


def test_without_it_lines_move() -> None:
    assert float(cubic_weights(0.3) @ NEIGHBOURS) == pytest.approx(0.342, abs=1e-3)
    line = np.tile(np.arange(20, dtype=np.float32), (4, 1))
    moved = cv2.remap(line, np.float32([[10.3]]), np.float32([[1]]), cv2.INTER_CUBIC)
    assert float(moved[0, 0]) == pytest.approx(10.342, abs=1e-3)


def test_planes_are_the_channels_and_arrays_of_their_own() -> None:
    values = np.random.default_rng(0).random((5, 7, 3), np.float32)
    planes = planes_of(values)
    np.testing.assert_array_equal(np.stack(planes, axis=2), values)
    planes[0][...] = 0
    assert values[..., 0].all()
