"""How far a head may move within its crop: its face is never cut in the middle of an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.crop import Square
from mien.engine.avatar.room import BESIDE, WAYS, Room

WIDE = (4000, 4000)


def in_a_wide_portrait(avatar: Avatar) -> tuple[Room, Square]:
    """The avatar's face with its crop wholly within the portrait."""
    face = avatar.geometry.points[:468] + 1000
    low, high = face.min(axis=0), face.max(axis=0)
    middle, side = (low + high) / 2, 2.0 * float((high - low).max())
    crop = Square(float(middle[0]) - side / 2, float(middle[1]) - 0.53 * side, side)
    points, centre = avatar.geometry.points + 1000, avatar.geometry.centre + 1000
    return Room.of(replace(avatar.geometry, points=points, centre=centre), crop, WIDE), crop


@pytest.mark.parametrize("shift", [(0.6, 0.0), (-0.6, 0.2), (0.0, -0.6), (0.3, 0.5)])
@pytest.mark.parametrize("scale", [1.0, 1.3, 1.6])
def test_a_face_stays_within_its_crop_however_near_it_comes(
    avatar: Avatar, shift: tuple[float, float], scale: float
) -> None:
    room, crop = in_a_wide_portrait(avatar)
    moved, size = room.kept(shift, scale)
    face = (avatar.geometry.points[:468] - avatar.geometry.centre) * size
    face += avatar.geometry.centre + 1000 + np.array(moved) * avatar.geometry.unit
    low, high = face.min(axis=0), face.max(axis=0)
    assert (low > (crop.x, crop.y)).all()
    assert (high < (crop.x + crop.side, crop.y + crop.side)).all()
    assert size > 1 or scale == 1.0


def test_a_usual_motion_is_free(avatar: Avatar) -> None:
    room, _ = in_a_wide_portrait(avatar)
    assert room.kept((0.3, -0.2), 1.05) == ((0.3, -0.2), 1.05)
    assert room.kept((0.0, 0.0), 0.7) == ((0.0, 0.0), 0.7)


def test_where_the_portrait_ends_it_may_cut_a_head(avatar: Avatar) -> None:
    crop = Square(-10, -10, avatar.image.shape[0] + 20)
    room = Room.of(avatar.geometry, crop, (avatar.image.shape[1], avatar.image.shape[0]))
    assert room.kept((0.6, 0.5), 1.6) == ((0.6, 0.5), 1.6)


def test_the_room_is_what_is_left_beside_the_face(avatar: Avatar) -> None:
    room, crop = in_a_wide_portrait(avatar)
    ends = np.array([crop.x, crop.x + crop.side, crop.y, crop.y + crop.side]) * WAYS.sum(axis=1)
    face = (WAYS @ (avatar.geometry.points[:468] + 1000).T).max(axis=1)
    np.testing.assert_allclose(ends - face, room.free + BESIDE * avatar.geometry.unit, atol=0.05)
