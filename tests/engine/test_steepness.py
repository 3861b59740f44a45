"""How steeply a head's depth rises beside its face: what a turn uncovers is not drawn out into streaks."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.head.head_mesh import HeadMesh
from mien.engine.face.head_pose import Similarity
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.following import INSIDE, KNOWN
from mien.engine.mesh.head_shape import HIDDEN_RIM, RIM, HeadShape
from mien.engine.mesh.head_sheet import HeadMotion, HeadSheet
from mien.engine.mesh.sheet_grid import NODES
from mien.engine.mesh.steepness import EAR, SCALP, STEEPEST, Rising

STILL = np.zeros((36, 2), np.float32)
ANGLE = 0.5


def drawn_out(sheet: HeadSheet, yaw: float) -> np.ndarray:
    """By how much a turn widens the gaps between nodes beside each other, ``(NODES, NODES - 1)``."""
    moved, _ = sheet.moved(HeadMotion(Similarity(1 + 0j, 0j), (0.0, yaw), STILL))
    across = moved[:, 0].reshape(NODES, NODES)
    return np.diff(across, axis=1) / np.diff(sheet.positions[:, 0].reshape(NODES, NODES), axis=1)


@pytest.mark.parametrize("yaw", [ANGLE, -ANGLE])
def test_a_turn_does_not_draw_out_a_narrow_rim_into_streaks(avatar: Avatar, yaw: float) -> None:
    person = np.zeros(avatar.image.shape[:2], np.uint8)
    outline = avatar.geometry.points[list(topo.FACE_OVAL)].astype(np.int32)
    cv2.polylines(cv2.fillPoly(person, [outline], 1), [outline], True, 1, round(0.3 * avatar.geometry.unit))
    sheet = HeadMesh.of(avatar.geometry, avatar.crop, avatar.grid, person.astype(np.float32)).sheet
    assert sheet.known is not None
    down = sheet.known[:, KNOWN.index("down")].reshape(NODES, NODES)[:, 1:]
    inside = sheet.known[:, INSIDE].reshape(NODES, NODES)
    beside = (np.maximum(inside[:, 1:], inside[:, :-1]) < 0) & (down > -0.3) & (down < 0.8)
    loose = replace(sheet, slack=np.zeros_like(sheet.slack))
    worst = [np.sort(drawn_out(one, yaw)[beside])[-6:].mean() for one in (loose, sheet)]
    assert worst[0] > 2.0
    assert worst[1] < 1.8
    assert worst[1] < 0.85 * worst[0]


def test_the_hidden_side_goes_behind_the_face_as_it_did(avatar: Avatar) -> None:
    sheet = avatar.mesh.sheet
    going = HeadMotion(Similarity(1 + 0j, 0j), (0.0, ANGLE), STILL)
    loose = replace(sheet, slack=np.zeros_like(sheet.slack))
    hidden = (sheet.solid[:, 0] > 0) & (sheet.up == 0)
    assert hidden.sum() > 100
    np.testing.assert_array_equal(sheet.moved(going)[0][hidden], loose.moved(going)[0][hidden])
    np.testing.assert_array_equal(sheet.moved(going)[1], loose.moved(going)[1])


@pytest.mark.parametrize(
    ("area", "up", "ear", "steepest"),
    [
        (0.5, 0.0, 0.0, STEEPEST[0]),
        (1.0, 0.0, 0.0, STEEPEST[1]),
        (0.5, 1.0, 0.0, STEEPEST[0]),
        (1.0, 1.0, 0.0, SCALP),
        (1.0, 0.0, 1.0, EAR),
    ],
)
def test_a_face_keeps_its_depth_and_gentle_slopes_theirs(
    area: float, up: float, ear: float, steepest: float
) -> None:
    edge = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    places = np.array([[0, 0], [1.5, 0], [1.5, 0.5]], np.float32)
    inside = np.array([1, -0.5, -0.5], np.float32)
    known = (np.full(4, value, np.float32) for value in (0.0, area, up, ear))
    rising = Rising(edge, *known)
    found = rising.slack(places, np.array([3, 0.2, 2], np.float32), inside)
    assert found[0] == found[1] == 0.0
    assert found[2] == pytest.approx(max(2 - steepest * np.hypot(0.5, 0.5), 0.0))


def test_hair_beyond_a_far_cheek_goes_behind_it(avatar: Avatar) -> None:
    """Its rim lies as far back as a skull where a turn hides it, and nearer where it is uncovered."""
    shape = HeadShape.of(avatar.geometry, avatar.mesh.sheet.positions, avatar.layers.person)
    beside = shape.outside & (shape.rim > 0.5) & (np.abs(shape.places[:, 1]) < 0.5)
    less = shape.less[beside] / avatar.geometry.unit
    assert less.min() >= 0.0 and np.median(less) > 0.1 and less.max() < HIDDEN_RIM - RIM + 1e-3
    assert (shape.less[~shape.outside] == 0).all()
