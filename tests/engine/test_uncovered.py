"""What a portrait hardly shows of its face is not turned out: it goes along with what is seen."""

import numpy as np
import pytest

from mien.engine.face.layout import jacobians
from mien.engine.landmarks import canonical_mesh
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.uncovered import FarSide

NOSE_TIP, FAR_CHEEK, NEAR_CHEEK, FAR_LIP = 1, 454, 234, 270


def seen_from(yaw: float) -> np.ndarray:
    """``(468, 2)`` the canonical face turned by ``yaw``, face units."""
    mesh = canonical_mesh() * [1, -1, 1]
    across = np.cos(yaw) * mesh[:, 0] + np.sin(yaw) * mesh[:, 2]
    points = np.stack([across, mesh[:, 1]], axis=1) / np.ptp(mesh[[33, 263], 0])
    return points.astype(np.float32)


def far_side(points: np.ndarray, person: np.ndarray | None = None) -> FarSide:
    scale = 100.0 if person is not None else 1.0
    return FarSide.of(points, jacobians(points), scale, person)


def test_a_frontal_face_shows_all_of_itself() -> None:
    assert len(far_side(seen_from(0.0)).unseen.hidden) == 0


@pytest.mark.parametrize("yaw", [0.45, 0.8])
def test_the_far_cheek_is_hidden_and_the_near_one_is_not(yaw: float) -> None:
    far = far_side(seen_from(yaw)).unseen
    assert FAR_CHEEK in far.hidden
    assert NEAR_CHEEK not in far.hidden
    assert NOSE_TIP not in far.hidden
    np.testing.assert_allclose(far.follow.sum(axis=1), 1.0, atol=1e-3)
    assert far.follow.min() > -1e-4


def test_a_turn_to_the_front_does_not_turn_out_the_far_cheek() -> None:
    rest, turned = seen_from(0.6), seen_from(0.45)
    far = far_side(rest).unseen
    held = far.held(turned, rest, 1.0)
    seen = np.setdiff1d(np.arange(len(rest)), far.hidden)
    np.testing.assert_array_equal(held[seen], turned[seen])
    before, free, now = (np.linalg.norm(one[FAR_CHEEK] - one[6]) for one in (rest, turned, held))
    assert abs(now - before) < 0.5 * abs(free - before)
    np.testing.assert_array_equal(far.held(turned, rest, 0.0), turned)


def test_in_profile_far_lips_go_with_those_that_are_seen() -> None:
    rest = seen_from(0.8)
    far = far_side(rest).in_profile
    assert FAR_LIP in far.hidden and topo.MOUTH_CORNERS[0] not in far.hidden
    opened = rest.copy()
    opened[list(topo.LIPS_LOWER_INNER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1]), 1] += 0.4
    opened[FAR_LIP] += (0.2, 0.3)
    held = far.held(opened, rest, 1.0)
    assert np.hypot(*(held - rest)[FAR_LIP]) < 0.6 * np.hypot(0.2, 0.3)
    seen = np.setdiff1d(np.arange(len(rest)), far.hidden)
    np.testing.assert_array_equal(held[seen], opened[seen])
    np.testing.assert_array_equal(far.held(rest, rest, 1.0), rest)


def test_the_far_cheeks_edge_shows_skin_from_within() -> None:
    """A wall that begins a little within the outermost landmarks."""
    points = 100 * seen_from(0.5) + np.float32(150)
    person = np.zeros((300, 300), np.float32)
    border = points[FAR_CHEEK, 0] - 8
    person[:, : int(border)] = 1.0
    far = far_side(points, person)
    shown = points + far.inset
    assert points[FAR_CHEEK, 0] > border
    assert shown[FAR_CHEEK, 0] < border - 4, "skin, and a margin of it"
    assert np.abs(far.inset[[NOSE_TIP, NEAR_CHEEK, 33, 263]]).max() < 0.5, "elsewhere nothing changes"


def test_a_frontal_face_keeps_its_edges() -> None:
    points = 100 * seen_from(0.0) + np.float32(150)
    assert np.abs(far_side(points, np.zeros((300, 300), np.float32)).inset).max() < 0.5
