"""The micro gain: small movements grow, noise and large movements do not."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from mien.engine.face.layout import GRID, N_MESH, layout
from mien.engine.face.regions import region_indices, region_maps
from mien.engine.motion import Gains, Motion
from mien.engine.motion.micro_gain import MicroGain
from mien.engine.motion.region_fit import RegionFits, fit_regions
from mien.engine.types import Floats, MienError

BROWS = list(region_indices(["brow_inner"]))
LIPS = list(region_indices(["lips"]))


@lru_cache
def fitted_share(regions: tuple[int, ...]) -> float:
    """A region's fit to a field equal to its soft map."""
    grid = region_maps().at_grid[list(regions)].sum(axis=0).reshape(GRID, GRID, 1) * np.float32([0, -1])
    return float(
        -fit_regions(grid.astype(np.float32), np.ones((GRID, GRID), np.float32))[0][list(regions), 1].mean()
    )


def motion(size: float, noise: float = 0.0, seed: int = 0, regions: list[int] = BROWS) -> Motion:
    """Regions raised by ``size`` face units (their fits), with noise as smooth as the measured field's."""
    maps = region_maps()
    up = np.array([0.0, -size / fitted_share(tuple(regions))], np.float32)
    grid = maps.at_grid[regions].sum(axis=0)[:, None] * up
    rng = np.random.default_rng(seed)
    # A random smooth field: white noise at the landmarks, spread by the layout's spline.
    grid = grid + noise * (layout().to_nodes[N_MESH:] @ rng.normal(size=(N_MESH, 2))).astype(np.float32)
    field = grid.reshape(GRID, GRID, 2).astype(np.float32)
    points = (maps.at_points[regions].sum(axis=0)[:, None] * up).astype(np.float32)
    trust = np.ones((GRID, GRID), np.float32)
    fits = fit_regions(field, trust)
    return replace(Motion.neutral(), points=points, dense=field, fits=RegionFits.given(*fits))


def rise(found: Motion, regions: list[int] = BROWS) -> float:
    """Mean upward motion where the regions are, face units."""
    maps = region_maps().at_grid[regions].sum(axis=0) ** 4
    flat = found.dense.reshape(-1, 2)
    return float(-(maps @ flat[:, 1]) / maps.sum())


def settled(gain: MicroGain, noise: float = 0.0) -> MicroGain:
    for index in range(30):
        gain(motion(0.0, noise, seed=index))
    return gain


@pytest.mark.parametrize("gain", [2.0, 4.0, 8.0])
def test_a_micro_movement_grows_by_the_gain(gain: float) -> None:
    small = motion(0.008)
    grown = settled(MicroGain(gain))(small)
    assert rise(grown) / rise(small) == pytest.approx(gain, rel=0.1)
    np.testing.assert_allclose(grown.regions[BROWS], small.regions[BROWS] * gain, rtol=0.1, atol=1e-4)


@pytest.mark.parametrize("gain", [2.0, 4.0, 8.0])
def test_noise_at_rest_grows_by_at_most_half_of_the_gain(gain: float) -> None:
    amplifier = settled(MicroGain(gain), noise=0.003)
    still = [motion(0.0, 0.003, seed=100 + i) for i in range(40)]
    grown = [amplifier(m) for m in still]
    before, after = (np.std([m.regions for m in motions], axis=0) for motions in (still, grown))
    assert after.mean() <= 0.5 * gain * before.mean()
    fields = [np.std([m.dense for m in motions], axis=0).mean() for motions in (still, grown)]
    assert fields[1] <= 0.5 * gain * fields[0]


def test_a_movement_stands_out_from_the_noise_more_than_before() -> None:
    amplifier = settled(MicroGain(4.0), noise=0.001)
    assert rise(amplifier(motion(0.010, 0.001, seed=7))) > 2.5 * rise(motion(0.010))


def test_large_movements_stay_as_they_are() -> None:
    large = motion(0.25)
    grown = settled(MicroGain(8.0))(large)
    assert rise(grown) / rise(large) < 1.1


def test_only_the_moving_region_is_amplified() -> None:
    small = motion(0.008)
    grown = settled(MicroGain(8.0))(small)
    assert abs(rise(grown, LIPS) - rise(small, LIPS)) < 1e-4


def test_a_gain_of_one_changes_nothing() -> None:
    small = motion(0.008)
    assert MicroGain(1.0)(small) is small


@pytest.mark.parametrize("gain", [0.5, 9.0, float("nan")])
def test_a_micro_gain_out_of_range_is_refused(gain: float) -> None:
    with pytest.raises(MienError, match="micro gain"):
        Gains(micro=gain)


def shapes(found: Motion) -> list[tuple[int, ...]]:
    arrays: list[Floats] = [found.points, found.dense, found.regions, found.affines]
    return [array.shape for array in arrays]


def test_shapes_and_types_stay() -> None:
    small = motion(0.008)
    grown = settled(MicroGain(3.0))(small)
    assert shapes(grown) == shapes(small)
    assert {a.dtype for a in (grown.points, grown.dense, grown.regions, grown.affines)} == {
        np.dtype(np.float32)
    }
