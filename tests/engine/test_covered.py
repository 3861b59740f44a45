"""A mouth behind a hand or a mask is noticed, said, and stays still."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.covered import shows_mouth
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.runtime import Runtime
from mien.engine.types import Image


def with_mask(image: Image, landmarker: Landmarker) -> Image:
    """Cloth over the lower face, hardly structured."""
    points = landmarker.detect(image)[0].landmarks[:, :2]
    found = image.copy()
    below = [234, 93, 132, 58, 172, 136, 150, 152, 379, 365, 397, 288, 361, 323, 454, 280, 6, 50]
    cv2.fillPoly(found, [points[below].astype(np.int32)], (110, 150, 180))
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(found + noise, 0, 255).astype(np.uint8)


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
    assert shows_mouth(close_up, points, 100.0)
