"""The back of a head: a turn brings it out behind the ear, hidden by all that the portrait shows."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.fine_layer import FineLayer
from mien.engine.avatar.head.behind_head import BackCanvas, Behind
from mien.engine.avatar.head.mesh_motion import FRONTAL, UNCOVERS
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.head_pose import Similarity
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.back_of_head import ROWS, BackOfHead
from mien.engine.mesh.head_sheet import HeadMotion
from mien.engine.motion import Head, Motion
from mien.engine.types import Image

STILL = np.zeros((36, 2), np.float32)
SIDE = 64
WHOLE = slice(0, SIDE), slice(0, SIDE)


def head_of(avatar: Avatar, wide: float) -> np.ndarray:
    """A person whose head goes on around the face by so many face units."""
    person = np.zeros(avatar.image.shape[:2], np.uint8)
    outline = avatar.geometry.points[list(topo.FACE_OVAL)].astype(np.int32)
    cv2.fillPoly(person, [outline], 1)
    cv2.polylines(person, [outline], True, 1, round(2 * wide * avatar.geometry.unit))
    return person.astype(np.float32)


def aside(avatar: Avatar, side: int, yaw: float) -> np.ndarray:
    """How far from the face's centre its back goes to that side after a turn, face units, row by row."""
    neck = avatar.mesh.sheet.neck
    back = BackOfHead.of(avatar.geometry, side, neck, head_of(avatar, 0.3))
    assert back is not None
    moved, _ = back.moved(HeadMotion(Similarity(1 + 0j, 0j), (0.0, yaw), STILL))
    return side * (moved[1::2, 0] - avatar.geometry.centre[0]) / avatar.geometry.unit


@pytest.mark.parametrize("side", [-1, 1])
def test_a_turn_brings_it_out_and_the_portrait_hides_it(avatar: Avatar, side: int) -> None:
    oval = avatar.geometry.points[list(topo.FACE_OVAL)]
    half = np.abs(oval[:, 0] - avatar.geometry.centre[0]).max() / avatar.geometry.unit
    assert aside(avatar, side, 0.0).max() < 0.8 * half
    assert aside(avatar, side, -side * 0.3).max() > aside(avatar, side, 0.0).max() + 0.2
    turned = aside(avatar, side, -side * 0.6)
    assert 1.2 < turned.max() < 1.7
    assert turned[-1] < turned.max() - 0.4, "it ends at the nape"


def test_nothing_is_made_up_of_a_head_that_is_not_seen(avatar: Avatar) -> None:
    nobody = np.zeros(avatar.image.shape[:2], np.float32)
    for side in (-1, 1):
        assert BackOfHead.of(avatar.geometry, side, avatar.mesh.sheet.neck, nobody) is None


def test_a_bald_head_shows_the_skin_of_its_temple(avatar: Avatar) -> None:
    person, unit = head_of(avatar, 0.02), avatar.geometry.unit
    x, y = avatar.geometry.centre
    cv2.circle(person, (int(x), int(y - 0.45 * unit)), int(0.92 * unit), 1.0, cv2.FILLED)
    for side in (-1, 1):
        back = BackOfHead.of(avatar.geometry, side, avatar.mesh.sheet.neck, person)
        assert back is not None
        shown = back.shows.round().astype(int)
        assert (person[shown[:, 1], shown[:, 0]] == 1).all()


def test_below_a_hats_brim_it_is_no_wider_than_the_head(avatar: Avatar) -> None:
    x, y = avatar.geometry.centre
    brim = head_of(avatar, 0.12)
    rows = slice(int(y - 0.95 * avatar.geometry.unit), int(y - 0.65 * avatar.geometry.unit))
    brim[rows, int(x - 1.4 * avatar.geometry.unit) : int(x + 1.4 * avatar.geometry.unit)] = 1.0
    turned = HeadMotion(Similarity(1 + 0j, 0j), (0.0, 0.6), STILL)

    def reach(person: np.ndarray) -> float:
        back = BackOfHead.of(avatar.geometry, -1, avatar.mesh.sheet.neck, person)
        assert back is not None
        return float(x - back.moved(turned)[0][:, 0].min()) / avatar.geometry.unit

    assert reach(brim) < reach(head_of(avatar, 0.12)) + 0.12


def test_its_outline_has_no_corners(avatar: Avatar) -> None:
    back = BackOfHead.of(avatar.geometry, 1, avatar.mesh.sheet.neck, head_of(avatar, 0.3))
    assert back is not None
    moved, _ = back.moved(HeadMotion(Similarity(1 + 0j, 0j), (0.0, -0.6), STILL))
    way = np.diff(moved[1::2], axis=0)
    angles = np.degrees(np.abs(np.diff(np.unwrap(np.arctan2(way[:, 1], way[:, 0])))))
    assert angles.max() < 25


def test_it_shows_what_is_beside_the_face_above_the_ear(avatar: Avatar) -> None:
    person = head_of(avatar, 0.3)
    for side in (-1, 1):
        back = BackOfHead.of(avatar.geometry, side, avatar.mesh.sheet.neck, person)
        assert back is not None
        x, y = back.shows.T
        assert (person[y.round().astype(int), x.round().astype(int)] == 1).all()
        assert (side * (x - avatar.geometry.centre[0]) > 0).all()
        outline = avatar.geometry.points[list(topo.FACE_OVAL)].astype(np.float32)
        inside = [cv2.pointPolygonTest(outline, (float(a), float(b)), False) for a, b in back.shows]
        assert max(inside) < 0


def behind(cover: float) -> Behind:
    return Behind(
        WHOLE, np.zeros((2, SIDE, SIDE), np.float32), np.full((SIDE, SIDE), round(255 * cover), np.uint8)
    )


def fine(colour: Image) -> FineLayer:
    return FineLayer(np.broadcast_to(colour, (SIDE, SIDE, 4)).copy(), (0, 0), (SIDE, SIDE))


def test_it_is_seen_where_the_person_is_not() -> None:
    """A soft edge is half the portrait's wall, which must not stand as a line before it."""
    layer = np.zeros((SIDE, SIDE, 4), np.uint8)
    layer[:, :20] = (200, 100, 50, 255)
    layer[:, 20:40] = (100, 50, 25, 128)
    found = layer.copy()
    behind(1.0).put(found, WHOLE, fine(np.array([40, 60, 80, 255], np.uint8)))
    np.testing.assert_array_equal(found[:, :20], layer[:, :20])
    np.testing.assert_allclose(found[:, 20:40], np.broadcast_to((40, 60, 80, 255), (SIDE, 20, 4)), atol=2)
    assert (found[:, 40:] == (40, 60, 80, 255)).all()


def test_bright_edges_stay_bright() -> None:
    layer = np.full((SIDE, SIDE, 4), 255, np.uint8)
    layer[..., 3] = 200  # colours brighter than their opacity allows
    behind(1.0).put(layer, WHOLE, fine(np.full(4, 255, np.uint8)))
    assert layer.min() == 255


def test_it_counts_within_its_own_box_and_the_layers() -> None:
    box = slice(10, 30), slice(20, 50)
    one = replace(behind(1.0), box=box, cover=np.full((20, 30), 255, np.uint8))
    layer = np.zeros((SIDE - 16, SIDE - 24, 4), np.uint8)
    one.put(layer, (slice(16, SIDE), slice(24, SIDE)), fine(np.full(4, 255, np.uint8)))
    seen = np.zeros((SIDE, SIDE), bool)
    seen[box] = True
    np.testing.assert_array_equal(layer[..., 3] == 255, seen[16:, 24:])
    layer[:] = 0
    one.put(layer[:5, :5], (slice(40, 45), slice(0, 5)), fine(np.full(4, 255, np.uint8)))
    assert not layer.any()


def test_a_canvas_draws_it_again_and_again(avatar: Avatar) -> None:
    canvas = BackCanvas((SIDE, SIDE))
    count = 2 * ROWS
    at = np.stack([np.tile([20.0, 40.0], count // 2), np.repeat(np.linspace(10, 50, count // 2), 2)], axis=1)
    shift, box = np.full((count, 2), 3.0, np.float32), (slice(5, 55), slice(15, 45))
    found = [
        canvas.draw(at.astype(np.float32), np.zeros(count, np.float32), shift, box).kept() for _ in range(2)
    ]
    inner = slice(20, 40), slice(25, 35)
    for one in found:
        np.testing.assert_allclose(one.shift[(slice(None), *inner)], 3.0, atol=1e-3)
        assert (one.cover[15:35, 10:20] == 255).all()
        assert (one.cover[:2] == 0).all() and (one.cover[:, :2] == 0).all()
    np.testing.assert_array_equal(found[0].cover, found[1].cover)


def test_a_head_that_looks_ahead_shows_none_of_it(avatar: Avatar) -> None:
    assert np.hypot(*avatar.facing) < FRONTAL
    canvas = make_canvas(avatar, 256)

    def warp_of(yaw: float) -> Warp:
        motion = replace(Motion.neutral(), head=Head(turn=(0.0, yaw)))
        return canvas.mesh.warp(carry_over(motion, avatar).mesh)

    assert warp_of(0.9 * UNCOVERS).behind is None
    for yaw in (0.5, -0.5):
        warp = replace(warp_of(yaw), rim=None)
        assert warp.behind is not None
        without = compose(canvas, None, replace(warp, behind=None))
        rows, columns = warp.behind.box
        changed = (compose(canvas, None, warp) != without).any(axis=2)
        changed[rows, columns] &= warp.behind.cover == 0
        assert not changed.any()


@pytest.mark.parametrize("own", [-0.21, 0.21])
def test_on_the_far_side_of_a_turned_portrait_there_is_none(avatar: Avatar, own: float) -> None:
    """No ear is seen there: beside a bare temple it was a dark sliver."""
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = cv2.Rodrigues(np.array([0.0, own, 0.0]))[0]
    turned = replace(avatar, face=replace(avatar.face, pose=pose))
    assert abs(turned.facing[1]) == pytest.approx(abs(own), abs=1e-3)
    found = {}
    for yaw in (0.4, -0.4):
        motion = replace(Motion.neutral(), head=Head(turn=(0.0, yaw)))
        found[np.sign(yaw)] = carry_over(motion, turned).mesh.back
    back_to_front = -np.sign(turned.facing[1])
    assert found[back_to_front] is None
    assert found[-back_to_front] is not None
