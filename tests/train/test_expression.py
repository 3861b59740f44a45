"""Eyes, mouth and strength of a result against its driver, on faces whose change is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.face.openings import LIDS
from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Image
from mien.train.metrics.expression import follow


@pytest.fixture(scope="module")
def face(close_up: Image, landmarker: Landmarker) -> Face:
    return landmarker.detect(close_up)[0]


def with_lids(face: Face, right: float, left: float) -> Face:
    """The face with each eye's gap times a factor."""
    points = face.landmarks.copy()
    pairs = points[LIDS].reshape(2, -1, 2, 3)
    middle = pairs.mean(axis=2, keepdims=True)
    points[LIDS] = (middle + np.array([right, left])[:, None, None, None] * (pairs - middle)).reshape(-1, 3)
    return replace(face, landmarks=points.astype(np.float32))


def with_mouth(face: Face, aperture: float) -> Face:
    """The face with its inner lips this share of the mouth's width apart."""
    points = face.landmarks.copy()
    width = np.linalg.norm(points[61] - points[291])
    points[14] = points[13] + np.array([0, aperture * width, 0], np.float32)
    return replace(face, landmarks=points)


def larger(face: Face, scale: float) -> Face:
    return replace(face, landmarks=face.landmarks * np.float32(scale))


def test_each_eye_is_judged_by_itself(face: Face) -> None:
    wink = with_lids(face, 0.05, 1.0)
    both = follow([wink], [larger(with_lids(face, 0.1, 0.9), 2)], face, larger(face, 2))
    assert (both.shut, both.closed, both.wrongly_closed) == (1, 1.0, 0.0)
    half = follow([wink], [with_lids(face, 0.4, 0.1)], face, face)
    assert (half.shut, half.closed, half.wrongly_closed) == (1, 0.0, 1.0)


def test_a_wide_mouth_is_asked_for_in_the_portraits_own_size(face: Face) -> None:
    still, wide = with_mouth(face, 0.02), with_mouth(face, 0.8)
    right = follow([wide], [larger(wide, 1.7)], still, larger(still, 1.7))
    assert (right.wide, right.opened) == (1, 1.0)
    assert right.aperture == pytest.approx(1.0, abs=1e-3)
    short = follow([wide], [with_mouth(face, 0.5)], still, still)
    assert short.opened == 0.0
    assert short.aperture == pytest.approx(0.5 / 0.8, abs=0.01)
    assert follow([still], [still], still, still).wide == 0


def test_a_portraits_own_open_mouth_is_not_asked_for_twice(face: Face) -> None:
    still, wide, laugh = (with_mouth(face, aperture) for aperture in (0.02, 0.8, 0.5))
    assert follow([wide], [wide], still, laugh).aperture == pytest.approx(1.0, abs=1e-3)
    assert follow([wide], [laugh], laugh, still).aperture == pytest.approx(0.5 / 0.32, abs=0.01)


def test_strength_is_relative_to_each_faces_own_reference(face: Face) -> None:
    change = np.random.default_rng(0).uniform(-0.3, 0.3, 52).astype(np.float32)
    change[0] = 0

    def shown(base: Face, gain: float) -> Face:
        return replace(base, blendshapes=base.blendshapes + np.float32(gain) * change)

    other = replace(face, blendshapes=np.full(52, 0.5, np.float32))
    found = follow([shown(face, 1.0)] * 2, [shown(other, 0.4), None], face, other)
    assert found.strength == pytest.approx(0.4, abs=1e-3)
    assert found.likeness == pytest.approx(1.0, abs=1e-3)
    assert (found.frames, found.lost) == (1, 0.5)
