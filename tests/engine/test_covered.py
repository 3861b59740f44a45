"""A mouth behind a hand or a mask is noticed, said, and stays still."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.person.covered import shows_mouth
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.runtime import Runtime
from mien.engine.types import Image


def with_mask(image: Image, landmarker: Landmarker, pleats: float = 0.0) -> Image:
    """Cloth over the lower face, hardly structured or in folds of this contrast."""
    points = landmarker.detect(image)[0].landmarks[:, :2]
    mask = np.zeros(image.shape[:2], np.uint8)
    below = [234, 93, 132, 58, 172, 136, 150, 152, 379, 365, 397, 288, 361, 323, 454, 280, 6, 50]
    cv2.fillPoly(mask, [points[below].astype(np.int32)], 255)
    folds = 1 + pleats * np.sin(np.arange(image.shape[0]) / 3.2)[:, None, None]
    return covering(image, mask, np.array((110, 150, 180)) * folds)


def with_hand(image: Image, landmarker: Landmarker) -> Image:
    """Four fingers in the skin's own colour before the mouth, darker towards their edges."""
    points = landmarker.detect(image)[0].landmarks[:, :2]
    at = points[[50, 280, 205, 425]].astype(int)
    skin = np.median(image[at[:, 1], at[:, 0]], axis=0)
    size = np.ptp(points[:, 0]) / 130
    for finger in range(4):
        mask = np.zeros(image.shape[:2], np.uint8)
        tip, knuckle = (
            points[13] + np.array(ends) * size
            for ends in ((-46, (finger - 1.5) * 15), (60, (finger - 1.5) * 13 + 8))
        )
        ends = tuple(int(v) for v in tip), tuple(int(v) for v in knuckle)
        cv2.line(mask, *ends, 255, int(14 * size), cv2.LINE_AA)
        shade = 0.55 + 0.5 * cv2.GaussianBlur(mask, (0, 0), 4)[..., None] / 255
        image = covering(image, mask, 0.95 * skin * shade)
    return image


def covering(image: Image, mask: Image, colour: np.ndarray) -> Image:
    """A grained surface over a part of an image."""
    share = mask[..., None] / 255
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image * (1 - share) + share * (colour + noise), 0, 255).astype(np.uint8)


def speaking() -> Motion:
    points = Motion.neutral().points.copy()
    points[list(topo.LIPS_LOWER_INNER + topo.LIPS_LOWER_OUTER), 1] = 0.15
    return replace(Motion.neutral(), points=points)


def test_a_covered_mouth_is_said_and_stays_still(
    close_up: Image, landmarker: Landmarker, runtime: Runtime
) -> None:
    plain = Avatar.of(close_up, landmarker, runtime, "me.png")
    covered = Avatar.of(with_mask(close_up, landmarker), landmarker, runtime, "me.png")
    assert not any("mouth" in note for note in plain.notes)
    assert any("no mouth is seen in me.png" in note for note in covered.notes)
    open_by = [
        mouth_gap(carry_over(speaking(), one).points) - mouth_gap(one.source_points)
        for one in (plain, covered)
    ]
    assert open_by[0] > 0.03
    assert abs(open_by[1]) < 0.005


def test_a_mouth_beyond_the_border_is_not_called_covered(close_up: Image, landmarker: Landmarker) -> None:
    face = landmarker.detect(close_up)[0]
    points = face.landmarks[:, :2] + np.float32(10_000)
    assert shows_mouth(close_up, points, 100.0, landmarker)


def shown(image: Image, landmarker: Landmarker) -> bool:
    geometry = FaceGeometry.of(landmarker.detect(image)[0])
    return shows_mouth(image, geometry.points, geometry.unit, landmarker)


def test_folds_of_a_mask_and_fingers_are_no_lips(close_up: Image, landmarker: Landmarker) -> None:
    assert shown(close_up, landmarker)
    for pleats in (0.0, 0.12):
        assert not shown(with_mask(close_up, landmarker, pleats), landmarker)
    assert not shown(with_hand(close_up, landmarker), landmarker)


def test_a_shut_mouth_in_soft_light_is_seen(close_up: Image, landmarker: Landmarker) -> None:
    """Pale lips, dim, blurred and grey: what is doubted is looked at once more."""
    soft = cv2.GaussianBlur(close_up, (0, 0), 2.5)
    grey = np.repeat(cv2.cvtColor(soft, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    for image in (soft, grey, np.asarray(0.35 * close_up, np.uint8)):
        assert shown(np.ascontiguousarray(image), landmarker)
