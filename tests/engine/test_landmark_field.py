"""What of the landmarks' displacements is believed before the image has been aligned."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.face.layout import GRID, N_MESH
from mien.engine.face.lips import near_lips
from mien.engine.tracking.landmark_field import LIVELY, NOISE, without_noise
from mien.engine.types import Floats

BESIDE = 0
"""A node away from the lips; the middle of the lips is :func:`lips`."""


def lips() -> int:
    return int(near_lips()[N_MESH:].argmax())


def field(most: float, here: float) -> Floats:
    """``(GRID * GRID, 2)``: to the right by ``here`` at two nodes, by ``most`` elsewhere, face units."""
    found = np.zeros((GRID * GRID, 2), np.float32)
    found[:, 0] = most
    found[[BESIDE, lips()], 0] = here
    return found


def test_of_a_calm_face_small_displacements_are_left_to_the_alignment() -> None:
    found = without_noise(field(1.05 * NOISE, 0.5 * NOISE))
    assert found[BESIDE, 0] == 0.0
    assert found[1, 0] == pytest.approx(0.05 * NOISE, abs=1e-6)


def test_in_large_motion_small_displacements_are_believed_too() -> None:
    found = without_noise(field(2 * LIVELY[1], 0.5 * NOISE))
    assert found[BESIDE, 0] == pytest.approx(0.25 * NOISE, rel=1e-3)
    assert found[1, 0] == pytest.approx(2 * LIVELY[1] - 0.25 * NOISE, rel=1e-3)


def test_at_the_lips_they_never_are() -> None:
    assert without_noise(field(2 * LIVELY[1], 0.9 * NOISE))[lips(), 0] < 0.1 * NOISE


def test_nothing_jumps_where_a_face_grows_lively() -> None:
    sizes = np.linspace(0.0, 2 * LIVELY[1], 400)
    seen = np.array([without_noise(field(size, 0.9 * NOISE))[BESIDE, 0] for size in sizes])
    assert np.abs(np.diff(seen)).max() < 0.02 * NOISE
    assert seen[0] == 0.0 and seen[-1] > 0.6 * NOISE
