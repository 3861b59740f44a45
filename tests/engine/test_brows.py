"""Brows keep their thickness, and the skin under them goes along, however far they rise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shut_eyes import shutting

from mien.engine.avatar import Avatar
from mien.engine.avatar.eyes.brows import FREE, MOST, RISE, SLACK, UNDER, hold_brows, limit_rise
from mien.engine.avatar.eyes.eyelids import Eye
from mien.engine.avatar.eyes.lids import CREASE
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion, Shape
from mien.engine.types import Floats

BROWS = (
    (topo.RIGHT_EYEBROW_UPPER, topo.RIGHT_EYEBROW_LOWER, CREASE[0][1]),
    (topo.LEFT_EYEBROW_UPPER, topo.LEFT_EYEBROW_LOWER, CREASE[1][1]),
)


def thickness(points: Floats, brow: int) -> float:
    upper, lower, _ = BROWS[brow]
    return float(np.hypot(*(points[list(upper[1:-1])] - points[list(lower[1:-1])]).T).mean())


def under(points: Floats, brow: int) -> float:
    """Height of the skin from the middle of a brow to the landmarks below it."""
    _, lower, row = BROWS[brow]
    return float(points[list(row[2:5]), 1].mean() - points[list(lower[1:4]), 1].mean())


def raised(source: Floats, by: float, thicker: float) -> Floats:
    """Brows that rise by a length, their upper edges further than the lower ones."""
    points = source.copy()
    for upper, lower, _ in BROWS:
        top, bottom = list(upper), list(lower)
        points[top] = source[bottom] + np.float32(thicker) * (source[top] - source[bottom])
        points[[*top, *bottom], 1] -= np.float32(by)
    return points


@pytest.mark.parametrize("thicker", [1.5, 1.9, 0.55])
def test_a_brow_keeps_about_its_thickness(avatar: Avatar, thicker: float) -> None:
    source = avatar.source_points
    points = raised(source, 0.04, thicker)
    seen = [points[list(upper + lower)].mean(axis=0) for upper, lower, _ in BROWS]
    hold_brows(points, source, 1.0)
    for brow, (upper, lower, _) in enumerate(BROWS):
        assert abs(thickness(points, brow) / thickness(source, brow) - 1) < MOST + 0.03
        np.testing.assert_allclose(points[list(upper + lower)].mean(axis=0), seen[brow], atol=1e-5)


def test_small_changes_and_a_head_that_comes_near_are_as_seen(avatar: Avatar) -> None:
    source = avatar.source_points
    length = float(np.hypot(*np.ptp(source[list(topo.RIGHT_EYEBROW_LOWER)], axis=0)))
    small = raised(source, 0.03 * length, 1 + FREE - 0.03)
    for size, points in ((1.0, small), (1.4, 1.4 * source)):
        held = points.copy()
        hold_brows(held, source, size)
        np.testing.assert_array_equal(held, points)


def test_the_skin_under_a_brow_rises_with_it(avatar: Avatar) -> None:
    """Its hairs would be drawn out; what stretches is the skin above the lid."""
    source = avatar.source_points
    points = raised(source, 0.08, 1.0)
    lids = [*topo.RIGHT_EYE_UPPER, *topo.LEFT_EYE_UPPER, *CREASE[0][0], *CREASE[1][0]]
    before = points[lids].copy()
    assert min(under(points, brow) / under(source, brow) for brow in range(2)) > 1.6
    hold_brows(points, source, 1.0)
    for brow in range(2):
        length = float(np.hypot(*np.ptp(source[list(BROWS[brow][1])], axis=0)))
        assert under(points, brow) < UNDER[1] * (under(source, brow) + SLACK * length) + 0.002
    np.testing.assert_array_equal(points[lids], before)


def test_brows_that_frown_down_onto_shut_eyes_stay_whole(avatar: Avatar) -> None:
    """Where the skin under them was unfolded, a thin line was left of them."""
    motion = shutting(avatar, 1.0)
    for upper, lower, _ in BROWS:
        motion.points[list(upper + lower), 1] += np.float32(0.13)
    places, source = carry_over(motion, avatar).mesh.vertices, avatar.source_points
    for upper, lower, _ in BROWS:
        now, before = (np.hypot(*(p[list(upper)] - p[list(lower)]).T) for p in (places, source))
        assert (now / before).min() > 1 - MOST - 0.05


def rise(points: Floats, source: Floats, eye: int) -> float:
    """How far a brow has risen over its eye, widths of the eye."""
    return float(Eye.of(source, eye).brow - Eye.of(points, eye).brow)


@pytest.mark.parametrize("asked", [0.1, 0.2, 0.4, 0.6])
def test_brows_rise_no_further_than_brows_do_and_less_as_asked(avatar: Avatar, asked: float) -> None:
    """A driver who begins with a frown and raises them asked for half an eye's width."""
    source = avatar.source_points
    width = abs(Eye.of(source, 0).width)
    points = raised(source, asked * width, 1.0)
    before = points.copy()
    limit_rise(points, source)
    if asked < RISE[0]:
        np.testing.assert_array_equal(points, before)
    for eye in range(2):
        assert min(asked, RISE[0]) - 0.03 < rise(points, source, eye) < RISE[1] + 0.01
    lids = [*topo.RIGHT_EYE_UPPER, *topo.RIGHT_EYE_LOWER, *topo.LEFT_EYE_UPPER, *topo.LEFT_EYE_LOWER]
    np.testing.assert_array_equal(points[lids], before[lids])


def test_the_forehead_is_held_back_as_far_as_it_rose_with_a_brow(avatar: Avatar) -> None:
    source = avatar.source_points
    width = abs(Eye.of(source, 0).width)
    points = raised(source, 0.6 * width, 1.0)
    points[[9, 151, 10], 1] -= np.float32([0.6, 0.3, 0.0]) * np.float32(width)
    before = points.copy()
    limit_rise(points, source)
    back = points[[9, 151, 10], 1] - before[[9, 151, 10], 1]
    assert back[0] > 1.5 * back[1] > 0
    assert back[2] == pytest.approx(0.0, abs=0.01 * width)


@pytest.mark.parametrize(("lower", "held"), [(0.0, False), (0.3, True)])
def test_brows_that_stand_as_the_drivers_did_rise_as_theirs_do(
    avatar: Avatar, lower: float, held: bool
) -> None:
    """One who began with a frown tells nothing of a portrait that does not frown."""
    source = avatar.source_points
    width = abs(Eye.of(source, 0).width)
    nodes = np.concatenate([source[:N_MESH], np.zeros((len(layout().nodes) - N_MESH, 2), np.float32)])
    for upper, lower_edge, _ in BROWS:
        nodes[list(upper + lower_edge), 1] += np.float32(lower * width)
    maps = np.tile(np.eye(2, dtype=np.float32), (len(nodes), 1, 1))
    motion = replace(Motion.neutral(), shape=Shape(nodes, maps))
    points = raised(source, 0.5 * width, 1.0)
    before = points.copy()
    limit_rise(points, source, motion)
    assert (rise(points, source, 0) < RISE[1] + 0.01) == held
    assert np.array_equal(points, before) != held
