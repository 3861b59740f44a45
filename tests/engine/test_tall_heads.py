"""Heads that are taller than most: the square that moves reaches above a hat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.crop import crop_around
from mien.engine.avatar.head.tall import ABOVE, MOST, with_tall_head
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Head, Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.utils.assets import GALLERY
from mien.engine.utils.image_files import load_image


def test_the_top_of_a_fez_goes_with_the_head(landmarker: Landmarker, runtime: Runtime) -> None:
    image = load_image(GALLERY / "man-in-a-fez.jpg")
    avatar = Avatar.of(image, landmarker, runtime)
    across = 24
    moved = replace(Motion.neutral(), head=Head((across / avatar.geometry.unit, 0.0)))
    result = Renderer(avatar, runtime).render(moved).image
    dark = [np.flatnonzero(found[52:56, 140:300].mean(axis=(0, 2)) < 75) for found in (image, result)]
    assert np.median(dark[1]) - np.median(dark[0]) > 0.8 * across


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
