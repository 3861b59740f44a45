"""Heads that are taller than most: the square that moves reaches above a hat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.crop import crop_around
from mien.engine.avatar.head.tall import ABOVE, MOST, with_tall_head
from mien.engine.avatar.transfer import carry_over
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Head, Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Image
from mien.engine.utils.assets import GALLERY
from mien.engine.utils.image_files import load_image
from mien.engine.utils.sampling import sample


def test_the_top_of_a_fez_goes_with_the_head(landmarker: Landmarker, runtime: Runtime) -> None:
    image = load_image(GALLERY / "man-in-a-fez.jpg")
    avatar = Avatar.of(image, landmarker, runtime)
    across = 24
    moved = replace(Motion.neutral(), head=Head((across / avatar.geometry.unit, 0.0)))
    result = Renderer(avatar, runtime).render(moved).image
    dark = [np.flatnonzero(found[52:56, 140:300].mean(axis=(0, 2)) < 75) for found in (image, result)]
    assert np.median(dark[1]) - np.median(dark[0]) > 0.8 * across


@pytest.mark.parametrize("cut", [0, 20])
def test_a_crown_at_the_image_s_own_border_goes_with_the_head(
    astronaut: Image, landmarker: Landmarker, runtime: Runtime, cut: int
) -> None:
    """It stood still there, as if motion were to end without a seam."""
    avatar = Avatar.of(np.ascontiguousarray(astronaut[cut:]), landmarker, runtime)
    canvas, crop = make_canvas(avatar, None), avatar.crop
    assert canvas.top == 0
    moving = carry_over(replace(Motion.neutral(), head=Head((0.2, 0.0), 1.0, 0.3)), avatar).mesh
    shows, places = canvas.placed(moving.sheet_shows), canvas.placed(moving.sheet)
    middle = crop.x + crop.side / 2
    at_top = (shows[:, 1] > 16 - cut) & (shows[:, 1] < 40 - cut) & (np.abs(shows[:, 0] - middle) < 30)
    at_top &= places[:, 1] > 0
    assert at_top.sum() > 5
    wanted = (shows - places)[at_top]
    corner = np.array([canvas.left, canvas.top], np.float32)
    found = sample(canvas.mesh.warp(moving).shift.transpose(1, 2, 0), (places[at_top] - corner)[None])[0]
    assert np.hypot(*wanted.T).min() > 15
    assert np.hypot(*(found - wanted).T).max() < 1


def test_only_a_crop_that_cuts_a_head_grows(avatar: Avatar) -> None:
    points, crop = avatar.geometry.points, crop_around(avatar.face)
    person = np.zeros(avatar.image.shape[:2], np.float32)
    top = int(crop.y) + 3
    person[top:] = 1.0
    assert with_tall_head(crop, points, person) == crop
    person[top - 9 :] = 1.0
    grown = with_tall_head(crop, points, person)
    assert top - 9 - grown.y == np.float32(ABOVE * crop.side)
    assert grown.x + grown.side / 2 == crop.x + crop.side / 2
    assert grown.y + grown.side == crop.y + crop.side
    person[:] = 1.0
    assert with_tall_head(crop, points, person).side <= (1 + MOST) * crop.side
