"""An avatar's opened mouth has the shape of the driver's, whatever the driver's reference showed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar.lips.lip_shape import Lips, foreshortening, set_lips
from mien.engine.face.layout import N_MESH, layout
from mien.engine.face.lips import brought_together
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion, Shape
from mien.engine.types import Floats

UPPER, LOWER = list(topo.LIPS_UPPER_INNER), list(topo.LIPS_LOWER_INNER)
OUTER = list(topo.LIPS_LOWER_OUTER)


@pytest.fixture
def portrait() -> Floats:
    """``(478, 2)`` a face with its lips as in the layout; 0.3 of the model's units per face unit."""
    points = np.zeros((478, 2), np.float32)
    points[:N_MESH] = 0.3 * brought_together(layout().points.astype(np.float32), 1.0)
    return points


def gaping(gap: float, power: float) -> Floats:
    """Displacements of lips that part by ``gap`` in their middle; the lower the power, the rounder."""
    line = layout().points[LOWER, 0]
    along = (line - line[0]) / (line[-1] - line[0])
    profile = np.power(4 * along * (1 - along), power)
    found = np.zeros((478, 2), np.float32)
    for row in (LOWER, OUTER):
        found[row, 1] = gap * profile
    return found


def driver(before: Floats, motion: Floats) -> Motion:
    """Someone whose face is the layout's, with this mouth in the reference and this motion since."""
    nodes = layout().nodes.copy()
    nodes[:N_MESH] += before[:N_MESH]
    maps = np.tile(np.eye(2, dtype=np.float32), (len(nodes), 1, 1))
    return replace(Motion.neutral(), points=motion, shape=Shape(nodes, maps))


def opened(portrait: Floats, motion: Motion) -> tuple[Floats, Floats]:
    """The avatar's landmarks after the motion, without and with the driver's shape of mouth."""
    plain: Floats = portrait + np.float32(0.3) * motion.points
    shaped = plain.copy()
    set_lips(shaped, portrait, motion, 1.0)
    return plain, shaped


def profile(points: Floats) -> Floats:
    gap = Lips.of(points[UPPER], points[LOWER]).gap
    return np.asarray(gap / gap[5], np.float32)


def test_lips_that_were_round_open_no_notch(portrait: Floats) -> None:
    """The reference shows a round mouth, now it is a long one: in the middle alone something has changed."""
    before, now = gaping(0.25, 0.2), gaping(0.45, 0.4)
    plain, shaped = opened(portrait, driver(before, now - before))
    wanted = profile(layout().points + now[:N_MESH])
    beside = [1, 2, 8, 9]
    assert (profile(plain)[beside] < 0.9 * wanted[beside]).all(), "a notch"
    np.testing.assert_allclose(profile(shaped)[1:-1], wanted[1:-1], atol=0.12)
    assert np.linalg.norm(shaped[14] - shaped[13]) == pytest.approx(
        np.linalg.norm(plain[14] - plain[13]), rel=0.02
    )


def test_lips_keep_their_thickness(portrait: Floats) -> None:
    before, now = gaping(0.25, 0.2), gaping(0.45, 0.4)
    plain, shaped = opened(portrait, driver(before, now - before))
    thick = [np.linalg.norm(points[OUTER] - points[LOWER], axis=1)[1:-1] for points in (plain, shaped)]
    np.testing.assert_allclose(thick[1], thick[0], rtol=0.02)


def test_lips_that_were_shut_open_as_they_were_measured(portrait: Floats) -> None:
    plain, shaped = opened(portrait, driver(gaping(0.0, 1.0), gaping(0.4, 0.5)))
    assert np.abs(shaped - plain).max() < 0.02 * 0.3


@pytest.mark.parametrize(
    ("wider", "share"), [(0.9, 1 / 0.9), (1.1, 1 / 1.1), (1.6, 1 / 1.177), (2.0, 1 / 1.177)]
)
def test_a_mouth_opens_in_widths_of_the_mouth_at_rest(portrait: Floats, wider: float, share: float) -> None:
    """The wider the driver's mouth, the less their gap asks for; as far as it is no smile."""
    corners = layout().points[UPPER[0]], layout().points[UPPER[-1]]
    stretched = np.zeros((478, 2), np.float32)
    lips = list({*topo.LIPS_INNER, *topo.LIPS_OUTER})
    middle = (corners[0][0] + corners[1][0]) / 2
    stretched[lips, 0] = (wider - 1) * (layout().points[lips, 0] - middle)
    motion = gaping(0.5, 0.5)
    _, alike = opened(portrait, driver(gaping(0.0, 1.0), motion))
    _, shaped = opened(portrait, driver(stretched, motion))
    rest = portrait[14, 1] - portrait[13, 1]
    assert (shaped[14, 1] - shaped[13, 1] - rest) == pytest.approx(
        share * (alike[14, 1] - alike[13, 1] - rest), rel=0.05
    )


def test_a_turned_face_tells_its_yaw(portrait: Floats) -> None:
    assert foreshortening(portrait) == pytest.approx(1.0, abs=0.01)
    turned = portrait.copy()
    turned[1, 0] += 0.8 * abs(portrait[454, 0] - portrait[234, 0]) / 2
    assert foreshortening(turned) == pytest.approx(np.cos(np.radians(24)), abs=0.01)


@pytest.mark.parametrize("size", [0.0, 0.01, 0.05])
def test_small_motion_is_left_alone(portrait: Floats, size: float) -> None:
    before = gaping(0.15, 0.3)
    plain, shaped = opened(portrait, driver(before, gaping(size, 0.5)))
    np.testing.assert_array_equal(shaped, plain)


def test_motion_that_was_not_measured_from_a_face_is_left_alone(portrait: Floats) -> None:
    motion = replace(driver(gaping(0.15, 0.3), gaping(0.45, 0.5)), shape=None)
    plain, shaped = opened(portrait, motion)
    np.testing.assert_array_equal(shaped, plain)
