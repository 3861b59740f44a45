"""Where a portrait's lids are shut, opened lids show an eyeball in its light; open eyes are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.avatar_mouth import portrait_look
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.hidden_eyes import HiddenEyes
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Motion
from mien.engine.types import Floats, Image
from mien.engine.utils.light import GREY


def shut(avatar: Avatar, eyes: tuple[int, ...] = (0, 1)) -> Avatar:
    """The avatar whose portrait's lids were together."""
    points = avatar.source_points.copy()
    for eye in eyes:
        upper, lower = (list(row[1:-1]) for row in EYES[eye][:2])
        points[upper] = points[lower]
    return replace(avatar, source_points=points)


@pytest.fixture(scope="module")
def opened(avatar: Avatar) -> MeshMotion:
    return carry_over(Motion.neutral(), avatar).mesh


def drawn(avatar: Avatar, moving: MeshMotion, look: dict[str, Image] | None = None) -> tuple[Image, Image]:
    canvas = make_canvas(avatar, None)
    eyes = HiddenEyes(avatar, canvas, replace(portrait_look(avatar, canvas), **(look or {})))
    image = canvas.still.copy()
    eyes.draw(image, eyes.place(moving))
    return canvas.still, image


def eye_of(points: Floats, eye: int) -> tuple[slice, slice]:
    ring = points[[*EYES[eye][0], *EYES[eye][1]]]
    low, high = np.floor(ring.min(axis=0)).astype(int), np.ceil(ring.max(axis=0)).astype(int)
    return slice(low[1], high[1] + 1), slice(low[0], high[0] + 1)


@pytest.mark.parametrize("eye", [0, 1])
def test_an_eye_that_was_shut_shows_white_and_a_dark_iris(
    avatar: Avatar, opened: MeshMotion, eye: int
) -> None:
    before, after = drawn(shut(avatar, (eye,)), opened)
    changed = (before != after).any(axis=2)
    box = eye_of(avatar.geometry.points, eye)
    assert changed[box].sum() > 0.3 * changed[box].size
    changed[box] = False
    assert not changed.any(), "nothing but that eye"
    seen = after[box].astype(np.float32) @ GREY
    row = seen[seen.shape[0] // 2]
    third = len(row) // 3
    assert row[third : 2 * third].mean() < 0.75 * row[third // 3 : third].mean()


def test_open_eyes_and_eyes_that_stay_shut_are_left_alone(avatar: Avatar, opened: MeshMotion) -> None:
    before, after = drawn(avatar, opened)
    np.testing.assert_array_equal(before, after)
    vertices = opened.vertices.copy()
    vertices[: len(avatar.source_points)] = shut(avatar).source_points
    before, after = drawn(shut(avatar), replace(opened, vertices=vertices))
    np.testing.assert_array_equal(before, after)


def test_the_iris_looks_where_the_driver_does(avatar: Avatar, opened: MeshMotion) -> None:
    aside = np.zeros((2, 2), np.float32)
    aside[0, 0] = 0.15 * np.ptp(opened.vertices[[EYES[0][0][0], EYES[0][0][-1]], 0])

    def middle(gaze: Floats) -> float:
        _, image = drawn(shut(avatar, (0,)), replace(opened, gaze=gaze))
        dark = 255 - image[eye_of(avatar.geometry.points, 0)].astype(np.float32) @ GREY
        return float((dark.sum(axis=0) ** 4 @ np.arange(dark.shape[1])) / (dark.sum(axis=0) ** 4).sum())

    assert middle(aside) > middle(np.zeros((2, 2), np.float32)) + 1


def test_an_eyeball_has_the_one_tone_of_a_grey_portrait(avatar: Avatar, opened: MeshMotion) -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    before, after = drawn(shut(avatar), opened, {"tone": greys})
    found = after[(before != after).any(axis=2)].astype(int)
    grey = np.percentile(np.ptp(found, axis=1), 40)
    assert len(found) and grey <= 2, "but for what is blended with skin at the edge"
