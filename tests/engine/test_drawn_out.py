"""A near cheek that a turn draws out: all of it alike, instead of its edge alone."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.head.far_side import shown_places
from mien.engine.face.head_pose import parallax
from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.drawn_out import TURNED, DrawnOut
from mien.engine.mesh.unfolding import skin_triangles

LEVEL = 0.5
"""Turn at which cheeks are looked at, radians (29 degrees)."""

FEATURES = [*topo.LEFT_EYE, *topo.RIGHT_EYE, *topo.LIPS_OUTER, *topo.NOSE, *topo.FACE_OVAL]


def drawn_out(avatar: Avatar, yaw: float, slides: np.ndarray | float) -> np.ndarray:
    """How many times their width in the portrait the near cheek's triangles have after a turn."""
    points = avatar.geometry.points[:N_MESH]
    turned = points + parallax(avatar.geometry.solid[:N_MESH], (0.0, yaw))
    corners, shown = skin_triangles(), points + slides
    to_turned, to_shown = (
        np.stack([one[corners[1]] - one[corners[0]], one[corners[2]] - one[corners[0]]], axis=-1)
        for one in (turned, shown)
    )
    x, y = (layout().points[corners].mean(axis=0) - layout().points.mean(axis=0)).T
    cheek = (-np.sign(yaw) * x > 0.35) & (np.abs(y - 0.1) < 0.4)
    maps = to_turned[cheek] @ np.linalg.inv(to_shown[cheek])
    return np.linalg.svd(maps, compute_uv=False)[:, 0]


@pytest.mark.parametrize("yaw", [LEVEL, -LEVEL])
def test_no_part_of_the_cheek_is_drawn_out_to_streaks(avatar: Avatar, yaw: float) -> None:
    slides = DrawnOut.of(avatar.geometry).shown(yaw)
    assert slides is not None
    before, now = drawn_out(avatar, yaw, 0.0), drawn_out(avatar, yaw, slides)
    assert len(now) > 20
    assert now.max() < 0.6 * before.max()
    assert np.quantile(now, 0.9) < min(3.0, np.quantile(before, 0.9))


@pytest.mark.parametrize("yaw", [LEVEL, -LEVEL])
def test_features_and_the_far_cheek_show_themselves(avatar: Avatar, yaw: float) -> None:
    slides = DrawnOut.of(avatar.geometry).shown(yaw)
    assert slides is not None
    assert not slides[FEATURES].any()
    assert not slides[np.sign(yaw) * layout().points[:, 0] > 0.1].any()


def test_small_turns_and_turned_portraits_show_what_they_are(avatar: Avatar) -> None:
    drawn, source = DrawnOut.of(avatar.geometry), avatar.source_points
    far, per_norm = avatar.mesh.far, avatar.crop.pixels_per_norm
    assert shown_places(source, far, drawn, (0.0, 0.0), (0.0, TURNED[0]), per_norm) is source
    moved = shown_places(source, far, drawn, (0.0, 0.0), (0.0, LEVEL), per_norm)
    assert np.abs(moved - source).max() * per_norm > 1
    turned_away = shown_places(source, far, drawn, (0.0, 0.4), (0.0, LEVEL), per_norm)
    np.testing.assert_array_equal(turned_away, moved)
    to_the_front = shown_places(source, far, drawn, (0.0, -0.4), (0.0, LEVEL), per_norm)
    unslid = source.copy()
    unslid[:N_MESH] += far.inset / np.float32(per_norm)
    np.testing.assert_allclose(to_the_front, unslid, atol=1e-6)
