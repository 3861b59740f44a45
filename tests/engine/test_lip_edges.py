"""Lips that meet over a slightly open portrait mouth leave no dark bar."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.lips.lip_edges import BACK, shadowed_edges
from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Floats, Image

INNER, OUTER = list(topo.LIPS_INNER), list(topo.LIPS_OUTER)


def shadowed(image: Image, points: Floats, reach: float) -> Image:
    """The portrait with even lips and a shadow between them that reaches onto them, by a share of them."""
    out = image.copy()
    for ring, colour in ((points[OUTER], (190, 110, 105)), (points[INNER], (25, 12, 12))):
        edge = ring + (reach * (points[OUTER] - ring) if ring is not points[OUTER] else 0)
        cv2.fillPoly(out, [np.round((edge - 0.5) * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
    return out


def slightly_open(avatar: Avatar, share: float) -> Floats:
    """The avatar's landmarks with their lips at a share of their distance."""
    points = avatar.geometry.points.copy()
    upper, lower = list(topo.LIPS_UPPER_INNER), list(topo.LIPS_LOWER_INNER)
    middle = (points[upper] + points[lower]) / 2
    for ring in (upper, lower):
        points[ring] = middle + share * (points[ring] - middle)
    return points


def test_shadow_on_the_lips_of_an_open_mouth_is_found(avatar: Avatar) -> None:
    points, unit = slightly_open(avatar, 0.4), avatar.geometry.unit
    assert mouth_gap(points) / unit > 0.02
    found = shadowed_edges(shadowed(avatar.image, points, 0.25), points, unit)
    depth = np.linalg.norm(found, axis=1) / np.linalg.norm(points[OUTER] - points[INNER], axis=1)
    assert depth[[4, 5, 6, 14, 15, 16]].min() > 0.15
    assert depth.max() <= BACK + 1e-6
    sharp = shadowed_edges(shadowed(avatar.image, points, 0.0), points, unit)
    assert np.abs(sharp[[4, 5, 6, 14, 15, 16]]).max() < 0.6 * np.abs(found).max()


def test_lips_that_are_shut_have_only_the_line_between_them(avatar: Avatar) -> None:
    points = slightly_open(avatar, 0.02)
    assert not shadowed_edges(shadowed(avatar.image, points, 0.25), points, avatar.geometry.unit).any()


def test_lips_that_meet_show_no_shadow(
    astronaut: Image, landmarker: Landmarker, avatar: Avatar, runtime: Runtime
) -> None:
    points = slightly_open(avatar, 0.5)
    portrait = Avatar.of(shadowed(astronaut, points, 0.3), landmarker, runtime)
    bare = replace(portrait, cavity=replace(portrait.cavity, edges=np.zeros((20, 2), np.float32)))
    motion = Motion.neutral()
    motion.points[list(topo.LIPS_LOWER_INNER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1]), 1] -= 0.2
    x, y = portrait.geometry.points[OUTER].mean(axis=0).astype(int)
    dark = []
    for one in (portrait, bare):
        lips = Renderer(one, runtime).render(motion).image[y - 25 : y + 25, x - 8 : x + 9]
        dark.append(int((lips.max(axis=2) < 70).sum()))
    assert dark[0] < 0.5 * dark[1]
