"""Lips that purse have the driver's shape, whatever mouths driver and portrait began with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar.lips.lip_contact import LOWER_ROWS, UPPER_ROWS, between_edges
from mien.engine.avatar.lips.pursing import hide_corners, purse_lips, pursed
from mien.engine.face.layout import N_MESH, layout
from mien.engine.face.lips import brought_together
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion, Shape
from mien.engine.types import Floats

SCALE = 0.3
RINGS = [*topo.LIPS_OUTER, *topo.LIPS_INNER]
LIPS = sorted({*RINGS, *(int(landmark) for landmark in between_edges(layout().points)[2])})


def face() -> Floats:
    """``(478, 2)`` the layout's face with its lips together, face units."""
    points = np.zeros((478, 2), np.float32)
    points[:N_MESH] = brought_together(layout().points.astype(np.float32), 1.0)
    return points


def with_mouth(wide: float, gap: float) -> Floats:
    """The same, its mouth so many times as wide, and its lips so far apart in the middle."""
    points = face()
    middle = points[list(topo.LIPS_OUTER)].mean(axis=0)
    points[LIPS, 0] = middle[0] + wide * (points[LIPS, 0] - middle[0])
    lower, upper = (
        [*inner[1:-1], *outer[1:-1], *sum(rows, ())]
        for inner, outer, rows in (
            (topo.LIPS_LOWER_INNER, topo.LIPS_LOWER_OUTER, LOWER_ROWS),
            (topo.LIPS_UPPER_INNER, topo.LIPS_UPPER_OUTER, UPPER_ROWS),
        )
    )
    for row, sign in ((lower, 0.5), (upper, -0.5)):
        across = (points[row, 0] - middle[0]) / (wide * 0.28)
        points[row, 1] += sign * gap * np.maximum(0, 1 - across**2)
    return points


def driver(before: Floats, now: Floats) -> Motion:
    """Someone with the first face in the reference, and the second one since."""
    nodes = layout().nodes.copy()
    nodes[:N_MESH] = before[:N_MESH]
    maps = np.tile(np.eye(2, dtype=np.float32), (len(nodes), 1, 1))
    return replace(Motion.neutral(), points=now - before, shape=Shape(nodes, maps))


def width(points: Floats) -> float:
    return float(np.linalg.norm(points[topo.MOUTH_CORNERS[1]] - points[topo.MOUTH_CORNERS[0]]))


def moved(portrait: Floats, motion: Motion) -> tuple[Floats, Floats]:
    """The portrait's landmarks after a motion, as it was measured and with pursed lips."""
    plain: Floats = portrait + np.float32(SCALE) * motion.points
    found = plain.copy()
    purse_lips(found, portrait, motion, 1.0)
    return plain, found


BARED, ROUND = with_mouth(1.0, 0.15), with_mouth(0.5, 0.15)


@pytest.mark.parametrize("smile", [1.0, 1.25])
def test_a_wide_mouth_purses_as_far_as_the_drivers(smile: float) -> None:
    """Of a smile less than its change of width is left: corners stood beside the opening as dark tips."""
    portrait = SCALE * with_mouth(smile, 0.1)
    plain, found = moved(portrait, driver(BARED, ROUND))
    asked = width(ROUND) / width(BARED) * width(portrait)
    assert width(found) == pytest.approx(asked, rel=0.07)
    if smile > 1:
        assert width(plain) > 1.15 * asked


def test_both_edges_have_the_drivers_shape() -> None:
    _, found = moved(SCALE * with_mouth(1.25, 0.1), driver(BARED, ROUND))
    shape, wanted = (points[RINGS] - points[RINGS].mean(axis=0) for points in (found, SCALE * ROUND))
    wanted *= width(found) / (SCALE * width(ROUND))
    assert np.abs(shape - wanted).max() < 0.06 * width(found)


def test_jags_of_the_landmarks_do_not_serrate_the_lips() -> None:
    """The landmark network gives a pursed mouth's inner edge a notch."""
    notched = ROUND.copy()
    notched[[87, 317], 1] -= 0.03
    smooth, found = (moved(SCALE * BARED, driver(BARED, now))[1] for now in (ROUND, notched))
    assert np.abs(found - smooth).max() < 0.65 * SCALE * 0.03


def test_what_lies_between_the_edges_stays_there() -> None:
    portrait = SCALE * with_mouth(1.25, 0.1)
    _, found = moved(portrait, driver(BARED, ROUND))
    inner, outer, between, along = between_edges(portrait)
    there = found[inner] + along[:, None] * (found[outer] - found[inner])
    assert np.abs(found[between] - there).max() < 0.15 * SCALE * 0.2


def test_skin_follows_and_the_rest_of_the_face_does_not() -> None:
    plain, found = moved(SCALE * with_mouth(1.25, 0.1), driver(BARED, ROUND))
    apart = np.linalg.norm(found - plain, axis=1)
    corner, beside, eye = 61, 57, 33
    assert 0.3 * apart[corner] < apart[beside] <= apart[corner]
    assert apart[eye] == 0.0


@pytest.mark.parametrize("wide", [1.0, 1.15, 1.3])
def test_a_mouth_that_is_not_narrow_is_left_alone(wide: float) -> None:
    motion = driver(BARED, with_mouth(wide, 0.3))
    plain, found = moved(SCALE * face(), motion)
    assert pursed(motion) == 0.0
    np.testing.assert_array_equal(found, plain)
    np.testing.assert_array_equal(hide_corners(face(), found / SCALE, 1.0, face()), face())


def test_motion_that_was_not_measured_from_a_face_is_left_alone() -> None:
    plain, found = moved(SCALE * face(), replace(driver(BARED, ROUND), shape=None))
    np.testing.assert_array_equal(found, plain)


def test_it_comes_gradually() -> None:
    shares = [pursed(driver(BARED, with_mouth(wide, 0.15))) for wide in np.linspace(1.0, 0.5, 26)]
    assert shares[0] == 0.0 and shares[-1] == 1.0
    assert max(np.diff(shares)) < 0.15
    assert min(np.diff(shares)) >= 0.0


def test_corners_of_a_pursed_mouth_show_skin_from_beyond_their_shadow() -> None:
    portrait = SCALE * with_mouth(1.25, 0.1)
    _, found = moved(portrait, driver(BARED, ROUND))
    shown = hide_corners(portrait, found, 1.0, portrait)
    right, left = topo.MOUTH_CORNERS
    out = 0.05 * width(portrait)
    assert shown[right, 0] < portrait[right, 0] - out
    assert shown[left, 0] > portrait[left, 0] + out
    np.testing.assert_array_equal(shown[[33, 152]], portrait[[33, 152]])


def test_the_line_between_shut_lips_is_not_drawn_out_as_they_become_thick() -> None:
    portrait, thick = face(), face()
    inner, outer, between, along = between_edges(portrait)
    thick[outer] += 0.8 * (portrait[outer] - portrait[inner])
    shown = hide_corners(portrait, thick, 1.0, portrait)
    lip = portrait[outer] - portrait[inner]
    up = ((shown - portrait)[inner] * lip).sum(axis=1) / np.maximum((lip * lip).sum(axis=1), 1e-9)
    assert up[2:7].min() > 0.2
    wanted = portrait[between] + (1 - along)[:, None] * (shown - portrait)[inner]
    np.testing.assert_allclose(shown[between], wanted, atol=1e-6)
    np.testing.assert_array_equal(hide_corners(portrait, portrait, 1.0, portrait), portrait)


def roundness(points: Floats) -> float:
    """Height of the opening over its width."""
    upper, lower, right, left = points[[13, 14, 78, 308]]
    return float(np.linalg.norm(lower - upper) / np.linalg.norm(left - right))


@pytest.mark.parametrize("smile", [1.5, 1.7])
def test_an_o_on_a_portrait_that_laughs_is_as_round_as_the_drivers(smile: float) -> None:
    """Of a driver whose mouth was as narrow in the reference, too: there it was a lens."""
    motion = driver(with_mouth(0.8, 0.0), said := with_mouth(0.8, 0.3))
    plain, found = moved(SCALE * with_mouth(smile, 0.1), motion)
    assert pursed(motion) == 0.0
    assert roundness(plain) < 0.8 * roundness(said)
    assert roundness(found) == pytest.approx(roundness(said), rel=0.05)


def test_a_driver_who_began_with_an_o_moves_nothing_by_it() -> None:
    began = with_mouth(0.8, 0.3)
    plain, found = moved(SCALE * with_mouth(1.45, 0.1), driver(began, began))
    np.testing.assert_array_equal(found, plain)
