"""Live alignment of images with known displacement."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.engine.face.layout import EXTENT, GRID, grid_positions
from mien.engine.tracking.alignment import ABOVE, BESIDE, LIVE_SIDE, Aligner, sample_layout
from mien.engine.tracking.flow_refinement import LocalGlobal
from mien.engine.types import Floats

INSIDE = (slice(8, -8), slice(8, -8))


def texture(side: int, softness: float = 2.0) -> Floats:
    """``(side, side)`` smooth random detail of 20 grey levels around 0."""
    noise = np.random.default_rng(3).normal(0.0, 1.0, (side, side)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), softness)
    return np.asarray(20 * soft / soft.std(), np.float32)


def moved(image: Floats, x: float, y: float) -> Floats:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    size = image.shape[1], image.shape[0]
    return np.asarray(
        cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT),
        np.float32,
    )


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.6, 0.6), (0.9, -0.9)])
def test_a_step_approaches_the_true_displacement(start: tuple[float, float]) -> None:
    image, truth = texture(96), np.array([0.5, -0.4], np.float32)
    flow = np.broadcast_to(np.array(start, np.float32), (96, 96, 2)).copy()
    found = LocalGlobal(image, 200.0).improved(moved(image, 0.5, -0.4), flow)
    before, after = (np.abs(field[INSIDE] - truth).mean() for field in (flow, found))
    print(f"{before:.3f} -> {after:.3f} px")
    assert after < 0.5 * before


def test_the_true_displacement_is_kept_and_noise_in_it_smoothed_away() -> None:
    image, truth = texture(96), np.array([0.5, -0.4], np.float32)
    noise = np.random.default_rng(4).normal(0.0, 0.2, (96, 96, 2)).astype(np.float32)
    found = LocalGlobal(image, 200.0).improved(moved(image, 0.5, -0.4), truth + noise)
    assert np.abs(found[INSIDE] - truth).mean() < 0.25 * np.abs(noise).mean()


@pytest.mark.parametrize("pixels", [0.3, 1.5, 4.0])
def test_a_shifted_image_is_measured_and_trusted(pixels: float) -> None:
    image = 128 + texture(LIVE_SIDE, 3.0)
    gray = np.clip(np.round(moved(image, pixels, 0.0)), 0, 255).astype(np.uint8)
    field, trust = Aligner(np.round(image).clip(0, 255).astype(np.uint8)).align(gray)
    found = field[INSIDE] * (LIVE_SIDE / EXTENT)
    assert np.abs(found - np.array([pixels, 0.0])).mean() < 0.05 + 0.03 * pixels
    assert trust[INSIDE].mean() > 0.95


def test_a_live_field_goes_on_around_the_face_where_nothing_is_measured() -> None:
    image = 128 + texture(LIVE_SIDE, 3.0)
    aligner = Aligner(np.round(image).clip(0, 255).astype(np.uint8))
    gray = np.round(moved(image, 1.0, 0.0)).clip(0, 255).astype(np.uint8)
    column = BESIDE * LIVE_SIDE // GRID
    gray[:, : column // 2] = 0  # a hand beside the face
    for values in aligner.align(gray):
        assert values.shape[:2] == (GRID, GRID)
        for node in range(BESIDE):
            np.testing.assert_array_equal(values[:, node], values[:, BESIDE])
            np.testing.assert_array_equal(values[:, -1 - node], values[:, -1 - BESIDE])
        for node in range(ABOVE):
            np.testing.assert_array_equal(values[node], values[ABOVE])
            np.testing.assert_array_equal(values[-1 - node], values[-1 - ABOVE])
    assert aligner.align(gray)[1][INSIDE].mean() > 0.95


def test_a_covered_half_is_not_trusted_and_the_other_half_is() -> None:
    image = np.round(128 + texture(LIVE_SIDE)).clip(0, 255).astype(np.uint8)
    covered = image.copy()
    covered[:, LIVE_SIDE // 2 :] = (255 - image[::-1, ::-1])[:, LIVE_SIDE // 2 :]
    covered[:, LIVE_SIDE // 2 :] = np.where(covered[:, LIVE_SIDE // 2 :] > 128, 220, 30)
    _, trust = Aligner(image).align(covered)
    assert trust[8:-8, 8:16].mean() > 0.95
    assert trust[8:-8, 32:40].mean() < 0.5


@pytest.mark.parametrize("reduction", [1.3, 1.6, 1.84, 2.5, 3.1])
@pytest.mark.parametrize("origin", [(40.0, 30.0), (41.0, 33.0)])
def test_faces_of_any_size_lie_in_the_layout_at_the_same_place(
    reduction: float, origin: tuple[float, float]
) -> None:
    """A smooth image sampled in place: a shift by half a pixel would change it by 0.2 grey levels."""
    per_unit = reduction * LIVE_SIDE / EXTENT
    positions = (grid_positions(GRID) - grid_positions(GRID)[0]) * per_unit + np.array(origin)
    side = int(positions.max()) + 60
    ramp = np.round(np.linspace(20, 235, side))[None, :].repeat(side, 0).astype(np.uint8)
    image = np.repeat(ramp[..., None], 3, axis=2)
    # Rising and falling, so that rounding of grey levels cancels out but a shift does not.
    rising, falling = (
        sample_layout(values, positions.astype(np.float32), per_unit, LIVE_SIDE).astype(np.float32)
        for values in (image, 255 - image)
    )
    found = 0.5 * (rising + 255 - falling)
    at = cv2.resize(positions[:, 0].astype(np.float32).reshape(GRID, GRID), (LIVE_SIDE, LIVE_SIDE))
    # Positions refer to pixel corners: half a pixel less is the position between pixel centres.
    truth = 20 + (at - 0.5) * 215 / (side - 1)
    assert abs((found - truth)[10:-10, 10:-10].mean()) < 0.12


def test_a_face_outside_the_image_is_not_an_error() -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    positions = (grid_positions(GRID) * 400 + 5000).astype(np.float32)
    assert sample_layout(image, positions, 400.0, LIVE_SIDE).shape == (LIVE_SIDE, LIVE_SIDE)


def test_a_repeated_image_is_measured_once() -> None:
    image = np.asarray(128 + texture(LIVE_SIDE), np.uint8)
    other = np.asarray(128 + moved(texture(LIVE_SIDE), 1.0, 0.0), np.uint8)
    aligner, fresh = Aligner(image), Aligner(image)
    first, again = aligner.align(other), aligner.align(other.copy())
    assert first is again
    after, afresh = aligner.align(image), fresh.align(image)
    for one, two in zip(after, afresh, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(after[0], first[0])
