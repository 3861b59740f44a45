"""The folds of a portrait's own smile soften as the smile goes, and only then."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.canvas.smile_folds import NONE, FoldedSkin, SmileFolds, gone, smile_of
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.types import Floats, Image

FOLD = (129, 203, 206, 216)
"""Landmarks from the right wing of the nose past the right corner of the mouth."""


@pytest.fixture(scope="module")
def canvas(avatar: Avatar) -> Canvas:
    return make_canvas(avatar, None)


def mouth_moved(avatar: Avatar, narrower: float = 0.0, lower: float = 0.0) -> MeshMotion:
    """The portrait at rest but for its mouth's corners; shares of its width."""
    moving = carry_over(Motion.neutral(), avatar).mesh
    vertices = moving.vertices.copy()
    right, left = topo.MOUTH_CORNERS
    across = vertices[left] - vertices[right]
    vertices[right] += narrower / 2 * across
    vertices[left] -= narrower / 2 * across
    vertices[[right, left]] += lower * np.array([-across[1], across[0]])
    return replace(moving, vertices=vertices)


def drawn(avatar: Avatar, canvas: Canvas, moving: MeshMotion, drawing: bool = False) -> Floats:
    """``(H, W)`` by how much an image changes, the mesh being at rest."""
    folds = SmileFolds(avatar, canvas, drawing)
    image = canvas.still.copy()
    folds.draw(image, folds.place(moving, canvas.mesh.warp(carry_over(Motion.neutral(), avatar).mesh)))
    return np.asarray(np.abs(image.astype(np.float32) - canvas.still).sum(axis=2))


def test_a_smile_that_is_there_keeps_its_folds(avatar: Avatar, canvas: Canvas) -> None:
    assert smile_of(avatar) > 0.9
    assert drawn(avatar, canvas, mouth_moved(avatar)).max() == 0
    assert drawn(avatar, canvas, mouth_moved(avatar, 0.01, 0.01)).max() == 0


@pytest.mark.parametrize(("narrower", "lower"), [(0.4, 0.0), (0.0, 0.2)])
def test_skin_beside_a_mouth_that_no_longer_smiles_changes_and_lips_do_not(
    avatar: Avatar, canvas: Canvas, narrower: float, lower: float
) -> None:
    change = drawn(avatar, canvas, mouth_moved(avatar, narrower, lower))
    assert change.max() > 20
    points = canvas.placed(avatar.source_points)
    lips = points[list(topo.LIPS_INNER + topo.LIPS_OUTER)].round().astype(int)
    assert change[lips[:, 1], lips[:, 0]].mean() < 2
    x, y = np.nonzero(change.T)
    low, high = points[:468].min(axis=0), points[:468].max(axis=0)
    assert low[0] < x.min() and x.max() < high[0] and y.max() < high[1]
    assert y.min() > points[topo.RIGHT_EYE[0], 1]


def test_the_less_of_a_smile_is_left_the_softer_are_its_folds(avatar: Avatar) -> None:
    shares = [gone(avatar, mouth_moved(avatar, narrower)) for narrower in (0.0, 0.05, 0.1, 0.15, 0.3)]
    assert shares[0] == 0 and shares[-1] == 1
    assert (np.diff(shares) > 0).all()


def test_lines_of_drawings_and_of_faces_that_do_not_smile_stay(avatar: Avatar, canvas: Canvas) -> None:
    moving = mouth_moved(avatar, 0.4)
    assert drawn(avatar, canvas, moving, drawing=True).max() == 0
    calm = replace(avatar, face=replace(avatar.face, blendshapes=np.zeros(52, np.float32)))
    assert drawn(calm, canvas, moving).max() == 0


def softened(image: Image, avatar: Avatar) -> Floats:
    """``(H, W)`` grey levels of a portrait without its folds."""
    skin = FoldedSkin.of(image, avatar.geometry.points, avatar.geometry.unit)
    found = image.astype(np.float32)
    (x, y), (height, width) = skin.corner, skin.gain.shape[:2]
    found[y : y + height, x : x + width] += skin.gain.astype(np.float32) - NONE
    return np.asarray(found.mean(axis=2))


def test_a_fold_goes_and_hairs_beside_it_stay(avatar: Avatar) -> None:
    points, unit = avatar.geometry.points, avatar.geometry.unit
    plain = np.full((*avatar.image.shape[:2], 3), 180, np.uint8)
    fold = plain.copy()
    path = np.round(points[list(FOLD)]).astype(np.int32)
    cv2.polylines(fold, [path], False, (90, 70, 60), max(2, round(0.03 * unit)), cv2.LINE_AA)
    middle = np.round((points[206] + points[203]) / 2).astype(int)
    assert fold[middle[1], middle[0]].mean() < 80
    assert softened(fold, avatar)[middle[1], middle[0]] > 155
    hairs = plain.copy()
    for across, down in np.ndindex(4, 4):
        place = points[205] + np.array([across - 1.5, down - 1.5]) * 0.07 * unit
        end = place + np.array([0.03, 0.04 * (-1) ** across]) * unit
        cv2.line(hairs, tuple(map(int, place)), tuple(map(int, end)), (90, 70, 60), 1, cv2.LINE_AA)
    left, change = hairs.mean(axis=2) - 180, softened(hairs, avatar) - hairs.mean(axis=2)
    assert np.abs(change).sum() < 0.45 * np.abs(left).sum()
