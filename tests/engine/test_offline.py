"""The second pass over a file's motion: bridged gaps, calmer landmarks, nothing else changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mien.engine.face.layout import GRID
from mien.engine.motion import Head, Motion
from mien.engine.tracking.offline import LONGEST_GAP, refined, refined_stream
from mien.engine.types import Floats

NOISE = 0.01


def nod(time: float) -> float:
    """A quick nod of a region: up and back within 0.4 s, face units."""
    return 0.06 * float(np.exp(-(((time - 0.5) / 0.12) ** 2)))


def moved(index: int, time: float, amount: float, trust: float, noise: float = 0.0) -> Motion:
    """A motion by ``amount`` everywhere, with ``noise`` varying over frames and nodes."""
    tremble = np.random.default_rng(index).normal(0.0, 1.0, (GRID, GRID, 2)).astype(np.float32)
    still = Motion.neutral(index, time)
    return replace(
        still,
        head=Head((amount, 0.0)),
        points=still.points + np.float32(amount),
        dense=still.dense + np.float32(amount) + np.float32(noise) * tremble,
        trust=np.full((GRID, GRID), trust, np.float32),
        confidence=0.9,
    )


def clip(
    fps: float, trust: float, noise: float = 0.0, seconds: float = 1.0
) -> tuple[list[Motion], list[float]]:
    times = [i / fps for i in range(round(seconds * fps) + 1)]
    return [moved(i, t, nod(t), trust, noise) for i, t in enumerate(times)], times


def course(motions: list[Motion | None]) -> Floats:
    """``(T, GRID, GRID)`` the horizontal displacement."""
    assert all(motion is not None for motion in motions)
    return np.stack([motion.dense[..., 0] for motion in motions if motion is not None])


def test_motion_measured_by_alignment_is_left_unchanged() -> None:
    motions, times = clip(25, trust=1.0, noise=NOISE)
    assert all(new is old for new, old in zip(refined(motions, times), motions, strict=True))


def test_where_the_landmarks_stand_in_the_noise_goes_and_the_peak_stays() -> None:
    motions, times = clip(25, trust=0.0, noise=NOISE)
    truth = np.array([nod(t) for t in times])[:, None, None]
    before, after = course(list(motions)) - truth, course(refined(motions, times)) - truth
    print(f"error {before.std():.4f} -> {after.std():.4f} face units")
    assert after.std() < 0.85 * before.std()
    apex = int(np.argmax(truth[:, 0, 0]))
    assert abs(after[apex].mean()) < 0.1 * nod(times[apex])
    tremble = [np.abs(np.diff(error, 2, axis=0)).mean() for error in (before, after)]
    assert tremble[1] < 0.7 * tremble[0]


def test_the_fit_has_no_lag() -> None:
    motions, times = clip(100, trust=0.0)
    mean = course(refined(motions, times)).mean(axis=(1, 2))
    assert times[int(np.argmax(mean))] == pytest.approx(0.5, abs=0.011)
    np.testing.assert_allclose(mean, mean[::-1], atol=1e-4)


def test_the_points_and_the_regions_follow_the_field() -> None:
    motions, times = clip(25, trust=0.0, noise=NOISE)
    found = refined(motions, times)[12]
    assert found is not None
    change = found.dense.mean() - motions[12].dense.mean()
    assert found.points[:468].mean() - motions[12].points[:468].mean() == pytest.approx(change, abs=3e-3)
    assert np.abs(found.regions[:, 0] - nod(times[12])).max() < 0.01


def test_25_and_200_frames_a_second_give_the_same_curves() -> None:
    curves = {}
    for fps in (25, 200):
        motions, times = clip(fps, trust=0.2)
        curves[fps] = course(refined(motions, times)).mean(axis=(1, 2))[:: fps // 25]
    np.testing.assert_allclose(curves[25], curves[200], atol=0.03 * 0.06)


@pytest.mark.parametrize("fps", [25, 200])
def test_a_short_gap_is_bridged_from_both_sides(fps: int) -> None:
    measured, times = clip(fps, trust=1.0)
    motions: list[Motion | None] = [
        None if 0.5 < t < 0.7 else m for t, m in zip(times, measured, strict=True)
    ]
    found = refined(motions, times)
    for index, (time, motion) in enumerate(zip(times, found, strict=True)):
        assert motion is not None
        assert motion.index == index
        assert motion.time == pytest.approx(time)
    shifts = [motion.head.shift[0] for motion in found if motion is not None]
    steps = np.abs(np.diff(shifts)) * fps
    assert steps.max() <= np.abs(np.diff([nod(t) for t in times])).max() * fps * 1.01
    inside = [s for s, t in zip(shifts, times, strict=True) if 0.5 < t < 0.7]
    assert all(nod(0.7) - 1e-6 <= s <= nod(0.5) + 1e-6 for s in inside)


def test_a_long_gap_and_the_ends_stay_lost() -> None:
    measured, times = clip(25, trust=1.0, seconds=2.0)
    lost = [t < 0.1 or 0.8 < t < 0.8 + LONGEST_GAP + 0.1 or t > 1.9 for t in times]
    motions = [None if gone else m for gone, m in zip(lost, measured, strict=True)]
    assert [m is None for m in refined(motions, times)] == lost


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_short_clips_are_left_unchanged(count: int) -> None:
    motions, times = clip(25, trust=0.3)
    assert refined(motions[:count], times[:count]) == motions[:count]


def test_frames_are_delayed_by_half_a_second_at_most() -> None:
    """Memory stays bounded and the progress bar moves."""
    motions, times = clip(25, trust=0.5, seconds=4.0)
    taken = 0

    def reading() -> Iterator[tuple[float, Motion | None]]:
        nonlocal taken
        for item in zip(times, motions, strict=True):
            taken += 1
            yield item

    for given, _ in enumerate(refined_stream(reading()), 1):
        assert taken - given <= 0.5 * 25 + 1
    assert taken == len(motions)
