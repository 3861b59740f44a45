"""The regions' fits: computed for those who ask, and the same whenever that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.face.layout import GRID
from mien.engine.motion import Gains, Motion, apply_gains, region_fit
from mien.engine.motion.micro_gain import MicroGain
from mien.engine.motion.region_fit import RegionFits, fit_regions
from mien.engine.types import Floats


def field(seed: int = 0) -> tuple[Floats, Floats]:
    """A displacement field and the trust in it."""
    rng = np.random.default_rng(seed)
    grid = rng.normal(scale=0.01, size=(GRID, GRID, 2)).astype(np.float32)
    return grid, rng.random((GRID, GRID)).astype(np.float32)


def motion(seed: int = 0) -> Motion:
    """A motion of that field."""
    grid, trust = field(seed)
    return replace(Motion.neutral(), dense=grid, trust=trust, fits=RegionFits.of(grid, trust))


def test_a_motion_has_the_fits_of_its_field() -> None:
    found, (regions, affines) = motion(), fit_regions(*field())
    np.testing.assert_array_equal(found.regions, regions)
    np.testing.assert_array_equal(found.affines, affines)


def test_gains_fit_nothing_before_someone_asks_and_then_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(grid: Floats, trust: Floats, rounds: int = 2) -> tuple[Floats, Floats]:
        asked.append(rounds)
        return fit_regions(grid, trust, rounds)

    monkeypatch.setattr(region_fit, "fit_regions", counted)
    small = MicroGain(3.0)(apply_gains(motion(), Gains(expression=1.5)))
    assert asked == []
    assert small.regions.shape[1:] == (2,) and small.affines.shape[1:] == (2, 2)
    assert len(asked) == 1


def test_gains_scale_the_fits() -> None:
    plain, half = motion(), apply_gains(motion(), Gains(expression=0.5))
    identity = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(half.regions, plain.regions / 2, rtol=1e-6)
    np.testing.assert_allclose(half.affines - identity, (plain.affines - identity) / 2, atol=1e-6)


def test_mixtures_of_mixtures_hold_on_to_nothing() -> None:
    """A driver's gaps are bridged by mixing each frame with the last for as long as the session runs."""
    mixed, other = motion(), motion(1)
    for _ in range(3000):
        mixed = mixed.mixed(other, 0.25)
    np.testing.assert_allclose(mixed.regions, other.regions, atol=1e-6)
    np.testing.assert_allclose(mixed.affines, other.affines, atol=1e-6)
