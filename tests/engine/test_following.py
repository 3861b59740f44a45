"""How far hair, neck and shoulders follow a head: on the face all of it, beyond it as clips have shown."""

from __future__ import annotations

from cmath import rect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.head.head_mesh import HeadMesh
from mien.engine.face.head_pose import Similarity, turn_matrix
from mien.engine.mesh.following import INSIDE, KNOWN, USUAL, read_following, shipped_following, usual_shares
from mien.engine.mesh.head_sheet import CLOSE, HeadMotion, HeadSheet
from mien.engine.mesh.neck import BESIDE
from mien.engine.types import ModelError

STILL = np.zeros((36, 2), np.float32)
BELOW, PERSON = KNOWN.index("below"), KNOWN.index("person")


def sheet_of(avatar: Avatar, person: np.ndarray | None) -> HeadSheet:
    return HeadMesh.of(avatar.geometry, avatar.crop, avatar.grid, person).sheet


def test_face_and_sheet_move_as_one(avatar: Avatar) -> None:
    sheet = avatar.mesh.sheet
    assert sheet.known is not None
    face = sheet.known[:, INSIDE] > 0
    above = face & (sheet.known[:, USUAL] == 1)
    assert above.sum() > 30
    np.testing.assert_array_equal(sheet.follow[above], 1.0)
    np.testing.assert_array_equal(sheet.follow[face], usual_shares(sheet.known[:, USUAL])[face])


def test_hair_goes_with_the_head_and_shoulders_hardly(avatar: Avatar) -> None:
    sheet = avatar.mesh.sheet
    assert sheet.known is not None
    person = sheet.known[:, PERSON] > 0.5
    hair = person & (sheet.known[:, INSIDE] < 0) & (sheet.known[:, BELOW] < -0.6)
    shoulders = person & (sheet.known[:, BELOW] > 0.8)
    assert hair.sum() > 20 and shoulders.sum() > 20
    assert (sheet.follow[hair].mean(axis=0) > 0.7).all()
    assert (sheet.follow[shoulders].mean(axis=0) < sheet.follow[hair].mean(axis=0) - 0.2).all()


def test_shares_pass_into_each_other_without_a_step(avatar: Avatar) -> None:
    grid = avatar.mesh.sheet.follow.reshape(33, 33, 3)
    for axis in (0, 1):
        assert np.abs(np.diff(grid, axis=axis)).max() < 0.5


def test_without_an_outline_nothing_learned_counts(avatar: Avatar) -> None:
    sheet = sheet_of(avatar, None)
    assert sheet.known is None
    shoulders = sheet.follow[:, 1] == 0
    assert shoulders.any()
    np.testing.assert_allclose(sheet.follow[shoulders, 0], 0.6)


def test_a_motion_is_the_sum_of_its_parts(avatar: Avatar) -> None:
    """All shares at 1: the sheet is moved by the similarity itself."""
    sheet = replace(avatar.mesh.sheet, follow=np.ones_like(avatar.mesh.sheet.follow))
    solid = Similarity(1.02 + 0.05j, -4 + 3j)
    moved, _ = sheet.moved(HeadMotion(solid, (0.0, 0.0), STILL))
    np.testing.assert_allclose(moved, solid.apply(sheet.positions), atol=1e-3)


@pytest.mark.parametrize("roll", [-0.2, 0.3])
def test_a_head_that_rolls_on_its_neck_leaves_the_body_where_it_is(avatar: Avatar, roll: float) -> None:
    sheet = avatar.mesh.sheet
    pivot = sheet.positions[0] - sheet.solid[0, :2] + sheet.neck[:2]
    solid = Similarity(rect(1.0, roll), 0j).about(complex(*pivot))
    shift = sheet.parts(HeadMotion(solid, (0.0, 0.0), STILL)).shift
    np.testing.assert_allclose(shift / sheet.unit, 0.0, atol=1e-3)


@pytest.mark.parametrize("turn", [(0.0, 0.3), (0.0, -0.2), (0.2, 0.0)])
def test_a_head_that_turns_on_its_neck_leaves_the_body_where_it_is(
    avatar: Avatar, turn: tuple[float, float]
) -> None:
    sheet = avatar.mesh.sheet
    swung = sheet.neck[:2] - (turn_matrix(turn) @ sheet.neck)[:2]
    shift = sheet.parts(HeadMotion(Similarity(1 + 0j, complex(*swung)), turn, STILL)).shift
    assert np.abs(swung).max() > 0.2 * sheet.unit
    np.testing.assert_allclose(shift / sheet.unit, 0.0, atol=1e-3)


def test_a_head_that_shifts_takes_the_body_along(avatar: Avatar) -> None:
    shift = avatar.mesh.sheet.parts(HeadMotion(Similarity(1 + 0j, 7 - 2j), (0.0, 0.0), STILL)).shift
    np.testing.assert_allclose(shift, (7, -2), atol=1e-3)


def test_a_head_that_turns_in_its_place_hardly_moves_the_body(avatar: Avatar) -> None:
    sheet = avatar.mesh.sheet
    for yaw in (-0.6, 0.6):
        shift = sheet.parts(HeadMotion(Similarity(1 + 0j, 0j), (0.0, yaw), STILL)).shift
        assert np.abs(shift).max() <= BESIDE * sheet.unit * 1.001


def test_no_motion_moves_nothing(avatar: Avatar) -> None:
    sheet = avatar.mesh.sheet
    moved, _ = sheet.moved(HeadMotion(Similarity(1 + 0j, 0j), (0.0, 0.0), STILL))
    np.testing.assert_array_equal(moved, sheet.positions)


def test_shares_are_bounded_whatever_is_known() -> None:
    known = np.random.default_rng(0).normal(0, 50, (200, len(KNOWN))).astype(np.float32)
    known[:, USUAL] = np.linspace(0, 1, 200)
    shares = shipped_following().shares(known)
    assert shares.min() >= 0 and shares.max() <= 1.6


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 damaged"])
def test_a_damaged_network_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "following.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match="reinstall") as caught:
        read_following(path)
    assert "\n" not in str(caught.value)


def test_what_is_close_beside_the_face_goes_with_it_whatever_was_learned(avatar: Avatar) -> None:
    """The rim of a far cheek, which followed less, was drawn out into a bulge."""
    for one in (avatar.mesh.sheet, sheet_of(avatar, np.zeros(avatar.image.shape[:2], np.float32))):
        assert one.known is not None
        close = (one.known[:, INSIDE] > -CLOSE[0]) & (one.known[:, USUAL] > 0.999)
        beside = close & (one.known[:, INSIDE] < 0)
        assert beside.sum() > 5
        assert one.follow[beside].min() >= 0.99
