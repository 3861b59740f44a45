"""What of the landmarks' displacements is believed before the image has been aligned."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.tracking.landmark_field import LIVELY, NOISE, without_noise
from mien.engine.types import Floats


def field(large: float, small: float) -> Floats:
    """A third of the nodes displaced to the right by ``large``, the others by ``small``, face units."""
    return np.array([[large, 0.0], [small, 0.0], [small, 0.0]] * 100, np.float32)


def test_of_a_calm_face_small_displacements_are_left_to_the_alignment() -> None:
    found = without_noise(field(1.5 * NOISE, 0.5 * NOISE))
    assert not found[1].any()
    assert found[0, 0] == pytest.approx(0.5 * NOISE)


def test_in_large_motion_small_displacements_are_believed_too() -> None:
    found = without_noise(field(3 * LIVELY[1], 0.5 * NOISE))
    assert found[1, 0] == pytest.approx(0.25 * NOISE)
    assert found[0, 0] == pytest.approx(3 * LIVELY[1] - 0.25 * NOISE)


def test_nothing_jumps_where_a_face_grows_lively() -> None:
    sizes = np.linspace(0.0, 2 * LIVELY[1], 400)
    seen = np.array([without_noise(field(size, 0.9 * NOISE))[1, 0] for size in sizes])
    assert np.abs(np.diff(seen)).max() < 0.02 * NOISE
    assert seen[0] == 0.0 and seen[-1] > 0.6 * NOISE
