"""How far a head may move within its crop: it is never cut in the middle of an image."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.crop import Square
from mien.engine.avatar.room import CLEAR, WAYS, Room
from mien.engine.mesh.head_sheet import HeadSheet

WIDE = (4000, 4000)


@pytest.fixture(scope="module")
def sheet(avatar: Avatar) -> HeadSheet:
    return avatar.mesh.sheet


def in_a_wide_portrait(avatar: Avatar, sheet: HeadSheet) -> tuple[Room, Square]:
    """The avatar's face with its crop wholly within the portrait."""
    face = avatar.geometry.points[:468]
    middle, side = (face.min(axis=0) + face.max(axis=0)) / 2, 2.0 * float(np.ptp(face, axis=0).max())
    crop = Square(float(middle[0]) - side / 2, float(middle[1]) - 0.53 * side, side)
    # Whatever the image's own borders are, those of a wide portrait are further out.
    return Room.of(avatar.geometry, crop, sheet, WIDE), crop


@pytest.mark.parametrize("shift", [(0.6, 0.0), (-0.6, 0.2), (0.0, -0.6), (0.3, 0.5)])
@pytest.mark.parametrize("scale", [1.0, 1.3, 1.6])
def test_a_head_stays_within_its_crop_however_near_it_comes(
    avatar: Avatar, sheet: HeadSheet, shift: tuple[float, float], scale: float
) -> None:
    room, crop = in_a_wide_portrait(avatar, sheet)
    moved, size = room.kept(shift, scale)
    ends = np.array([crop.x, crop.x + crop.side, crop.y, crop.y + crop.side]) * WAYS.sum(axis=1)
    reach = WAYS @ (np.array(moved) * avatar.geometry.unit + avatar.geometry.centre) + size * room.head
    inside = np.isfinite(room.free) & (room.free > 0.2 * avatar.geometry.unit)
    assert inside.sum() >= 2
    assert (reach < ends - 0.99 * CLEAR * crop.side)[inside].all()


def test_a_small_motion_is_free(avatar: Avatar, sheet: HeadSheet) -> None:
    room, _ = in_a_wide_portrait(avatar, sheet)
    assert room.kept((0.03, -0.02), 1.01) == ((0.03, -0.02), 1.01)
    assert room.kept((0.0, 0.0), 0.7) == ((0.0, 0.0), 0.7)


def test_where_the_portrait_ends_it_may_cut_a_head(avatar: Avatar, sheet: HeadSheet) -> None:
    crop = Square(-10, -10, avatar.image.shape[0] + 20)
    room = Room.of(avatar.geometry, crop, sheet, (avatar.image.shape[1], avatar.image.shape[0]))
    assert room.kept((0.6, 0.5), 1.6) == ((0.6, 0.5), 1.6)
