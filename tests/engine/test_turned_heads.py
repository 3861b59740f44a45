"""The head around a turned face: round at its top, hair that hangs in one piece, ears that stay ears."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.head.head_mesh import HeadMesh
from mien.engine.face.head_pose import Similarity
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.following import INSIDE, KNOWN
from mien.engine.mesh.head_shape import beside_ears, ears_rise, scalp, upright_oval
from mien.engine.mesh.head_sheet import HeadMotion, HeadSheet
from mien.engine.mesh.sheet_grid import FINE_ROWS, NODES, smooth_rows

STILL = np.zeros((36, 2), np.float32)
ACROSS, DOWN, RIM = KNOWN.index("across"), KNOWN.index("down"), KNOWN.index("rim")
TURNS = [0.6, -0.6]


def oval_of(avatar: Avatar) -> np.ndarray:
    return avatar.geometry.points[list(topo.FACE_OVAL)].astype(np.int32)


def with_strip(avatar: Avatar, wide: float) -> np.ndarray:
    """A person whose head goes on around the face by so many face units."""
    person = np.zeros(avatar.image.shape[:2], np.uint8)
    cv2.fillPoly(person, [oval_of(avatar)], 1)
    cv2.polylines(person, [oval_of(avatar)], True, 1, round(2 * wide * avatar.geometry.unit))
    return person.astype(np.float32)


def with_long_hair(avatar: Avatar) -> np.ndarray:
    """The same, with hair that hangs down to the lower border, away from the neck."""
    person, unit = with_strip(avatar, 0.25), avatar.geometry.unit
    x, y = avatar.geometry.centre
    for side in (-1, 1):
        inner, outer = x + side * 0.65 * unit, x + side * 1.25 * unit
        left, right = sorted((int(inner), int(outer)))
        person[int(y) :, left:right] = 1.0
    person[int(y) :, int(x - 0.45 * unit) : int(x + 0.45 * unit)] = 1.0
    return person


def sheet_of(avatar: Avatar, person: np.ndarray) -> tuple[HeadSheet, np.ndarray]:
    sheet = HeadMesh.of(avatar.geometry, avatar.crop, avatar.grid, person).sheet
    assert sheet.known is not None
    return sheet, sheet.known


def shifted(sheet: HeadSheet, yaw: float) -> np.ndarray:
    """Face units by which a turn moves each node to the side that it uncovers."""
    moved, _ = sheet.moved(HeadMotion(Similarity(1 + 0j, 0j), (0.0, yaw), STILL))
    return (sheet.positions[:, 0] - moved[:, 0]) * np.sign(yaw) / sheet.unit


@pytest.mark.parametrize("yaw", TURNS)
def test_the_crown_of_a_turned_head_is_no_wedge(avatar: Avatar, yaw: float) -> None:
    """It goes no further to the uncovered side than the scalp beside it, so that the outline is round."""
    sheet, known = sheet_of(avatar, with_strip(avatar, 0.4))
    gone, across = shifted(sheet, yaw), known[:, ACROSS] * np.sign(yaw)
    rim = (known[:, RIM] > 0.5) & (known[:, RIM] < 1)
    crown = rim & (np.abs(across) < 0.3) & (known[:, DOWN] < -1)
    temple = rim & (across < -0.6) & (known[:, DOWN] < -0.7)
    assert crown.sum() > 3 and temple.sum() > 2
    assert gone[crown].mean() < gone[temple].mean() + 0.02


def test_hair_that_hangs_is_one_piece(avatar: Avatar) -> None:
    """It lies the deeper the further from the face: where its depth went up and down, a turn tore it."""
    sheet, known = sheet_of(avatar, with_long_hair(avatar))
    depth = (sheet.solid[:, 2] / sheet.unit).reshape(NODES, NODES)
    across, down, inside = (known[:, i].reshape(NODES, NODES) for i in (ACROSS, DOWN, INSIDE))
    beside = (down > 0.3) & (down < 1.4) & (inside < 0)
    for side in (-1, 1):
        there = beside & (across * side > 0.3)
        pair = there[:, 1:] & there[:, :-1]
        assert pair.sum() > 50
        assert (side * np.diff(depth, axis=1))[pair].min() > -0.02


@pytest.mark.parametrize("yaw", TURNS)
def test_an_ear_that_a_turn_uncovers_is_not_drawn_out(avatar: Avatar, yaw: float) -> None:
    sheet, known = sheet_of(avatar, with_strip(avatar, 0.25))
    moved, _ = sheet.moved(HeadMotion(Similarity(1 + 0j, 0j), (0.0, yaw), STILL))
    across, down, inside = (known[:, i].reshape(NODES, NODES) for i in (ACROSS, DOWN, INSIDE))
    wide = np.diff(moved[:, 0].reshape(NODES, NODES), axis=1) / np.diff(
        sheet.positions[:, 0].reshape(NODES, NODES), axis=1
    )
    ear = (across * np.sign(yaw) < 0) & (np.abs(down) < 0.3) & (inside < 0) & (inside > -0.25)
    ear = ear[:, 1:] & ear[:, :-1]
    assert ear.sum() > 4
    assert wide[ear].mean() < 1.3


def test_an_ear_reaches_up_to_the_brows_and_the_scalp_begins_above_it() -> None:
    """Where the scalp's depth began within it, its upper end was drawn out to a point."""
    heights = np.array([[1.0, -1.0], [1.0, -0.5], [1.0, 0.0], [1.0, 0.4]], np.float32)
    np.testing.assert_array_equal(beside_ears(heights), [0, 1, 1, 1])
    np.testing.assert_array_equal(scalp(heights), [1, 0, 0, 0])


def test_the_ears_of_a_bowed_head_are_higher(avatar: Avatar) -> None:
    """Taken for scalp there, an ear was drawn out to a point."""
    _, oval = upright_oval(avatar.geometry)
    bowed = oval.copy()
    bowed[:, 1] -= 0.15
    assert ears_rise(bowed)[1] < ears_rise(oval)[1] - 0.1
    raised = oval + np.array([0, 0.4], np.float32)
    assert ears_rise(raised)[1] == 0, "a face that looks up keeps its scalp where it was"


def test_rows_between_the_sheets_own_are_smooth() -> None:
    """Straight ones between them showed as zigzags in hair."""
    down, across = np.mgrid[:NODES, :NODES].astype(np.float32)
    bend = np.stack([across + np.sin(down), 3 * down], axis=2).reshape(-1, 2)
    found = smooth_rows(bend).reshape(FINE_ROWS, NODES, 2)
    np.testing.assert_allclose(found[::2].reshape(-1, 2), bend, atol=1e-6)
    at = np.arange(FINE_ROWS)[2:-2] / 2
    np.testing.assert_allclose(found[2:-2, 5, 0], 5 + np.sin(at), atol=0.04)
    np.testing.assert_allclose(found[2:-2, 5, 1], 3 * at, atol=1e-4)
    assert np.abs((np.sin(at - 0.5) + np.sin(at + 0.5)) / 2 - np.sin(at)).max() > 0.1, "straight rows are not"
