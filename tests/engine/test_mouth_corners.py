"""A mouth that becomes narrow leaves no dark corners beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.canvas.mouth_corners import INWARDS, ROUND, SOFT, MouthCorners
from mien.engine.avatar.canvas.smile_folds import SmileFolds
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.types import Floats

CORNERS = list(topo.MOUTH_CORNERS)


@pytest.fixture(scope="module")
def canvas(avatar: Avatar) -> Canvas:
    return make_canvas(avatar, None)


INNER_CORNERS = [topo.LIPS_INNER[0], topo.LIPS_INNER[10]]


def narrow(avatar: Avatar, share: float, corners: list[int] = CORNERS) -> MeshMotion:
    """The portrait at rest, the corners of its mouth nearer to each other by a share of their distance."""
    moving = carry_over(Motion.neutral(), avatar).mesh
    vertices = moving.vertices.copy()
    across = vertices[corners[1]] - vertices[corners[0]]
    vertices[corners] += share / 2 * np.stack([across, -across])
    return replace(moving, vertices=vertices)


def change(avatar: Avatar, canvas: Canvas, share: float, ends: list[int] = CORNERS) -> Floats:
    """``(H, W)`` grey levels by which an image becomes lighter, the mesh being at rest."""
    folds = SmileFolds(avatar, canvas, False)
    corners = MouthCorners(avatar, canvas, folds.softened())
    image = canvas.still.copy()
    warp = canvas.mesh.warp(carry_over(Motion.neutral(), avatar).mesh)
    corners.draw(image, corners.place(narrow(avatar, share, ends), warp))
    return np.asarray((image.astype(np.float32) - canvas.still).mean(axis=2))


def test_a_mouth_as_wide_as_in_the_portrait_keeps_its_corners(avatar: Avatar, canvas: Canvas) -> None:
    assert np.abs(change(avatar, canvas, 0.0)).max() == 0
    assert np.abs(change(avatar, canvas, 0.08)).max() == 0


def test_dark_corners_of_a_narrow_mouth_become_skin_and_its_middle_stays(
    avatar: Avatar, canvas: Canvas
) -> None:
    found = change(avatar, canvas, 0.5)
    points, unit = canvas.placed(avatar.source_points), avatar.geometry.unit
    y, x = np.nonzero(found)
    ends = points[CORNERS]
    away = np.hypot(x[:, None] - ends[:, 0], y[:, None] - ends[:, 1]).min(axis=1)
    assert away.max() < (ROUND + SOFT) * unit
    within = (x > ends[0, 0] + INWARDS * unit + 1) & (x < ends[1, 0] - INWARDS * unit - 1)
    assert not within.any()
    dark = np.round(ends).astype(int)
    assert found[dark[:, 1], dark[:, 0]].min() > 8


def test_corners_go_where_the_opening_alone_is_narrow_between_thick_lips(
    avatar: Avatar, canvas: Canvas
) -> None:
    assert np.abs(change(avatar, canvas, 0.05, INNER_CORNERS)).max() == 0
    assert change(avatar, canvas, 0.5, INNER_CORNERS).max() > 8


def test_the_folds_of_a_smile_are_not_taken_away_twice(avatar: Avatar, canvas: Canvas) -> None:
    folds = SmileFolds(avatar, canvas, False)
    moving = narrow(avatar, 0.5)
    warp = canvas.mesh.warp(carry_over(Motion.neutral(), avatar).mesh)
    image = canvas.still.copy()
    folds.draw(image, folds.place(moving, warp))
    assert np.abs(image.astype(int) - folds.softened()).max() <= 1
