"""The instrument of the motion measure: known fields on real faces, rigid heads, a clip's reliability."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from known_motion import compressed, noisy, similarity, warped

from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Floats, Image
from mien.engine.utils.sampling import sample
from mien.train.metrics.fair_motion import FaceView, ceiling, distinct, motion_of, reliability
from mien.train.metrics.layout_motion import layout_motion_of
from mien.train.metrics.motion_field import face_mask, robust_similarity


@pytest.fixture(scope="module")
def face(close_up: Image, landmarker: Landmarker) -> Face:
    return landmarker.detect(close_up)[0]


def smooth_field(pixels: float, seed: int, side: int) -> Floats:
    """A random field, smooth over 20 px, of this mean length."""
    rng = np.random.default_rng(seed)
    planes = [cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), 20.0) for _ in "xy"]
    field = np.stack(planes, axis=2)
    return (field * (pixels / np.linalg.norm(field, axis=2).mean())).astype(np.float32)


def known(image: Image, face: Face, pixels: float) -> tuple[Image, Floats]:
    """The image moved by a smooth field, and the facial motion that is in it, in layout pixels."""
    field = smooth_field(pixels, 3, image.shape[0])
    moved = warped(image, lambda at: sample(field, (at - 0.5).astype(np.float32)[:, None]).reshape(-1, 2))
    view, mask = FaceView.of(face), face_mask()
    place = view.places[mask] @ np.array([1, 1j])
    shift = sample(field, view.places)[mask] @ np.array([1, 1j])
    slope, offset = robust_similarity(place, shift)
    left = shift - slope * place - offset
    return moved, np.einsum("pij,pj->pi", view.to_layout[mask], np.stack([left.real, left.imag], 1))


@pytest.mark.parametrize("pixels", [0.5, 1.0])
def test_known_motion_is_seen(close_up: Image, face: Face, pixels: float) -> None:
    moved, truth = known(close_up, face, pixels)
    pairs = {
        "clean": ([close_up, moved], 0.93, 0.80),
        "noisy": ([noisy(close_up, 2.0, 1), noisy(moved, 2.0, 2)], 0.90, 0.80),
        "coded": (compressed([noisy(close_up, 2.0, 1), noisy(moved, 2.0, 2)], crf=20), 0.78, 0.65),
    }
    for name, (frames, correlation, gain) in pairs.items():
        seen = motion_of(frames, face).vectors()[1].ravel()
        found = float(np.corrcoef(seen, truth.ravel())[0, 1])
        strength = float(seen @ truth.ravel() / (truth.ravel() @ truth.ravel()))
        error = float(np.sqrt(((seen - truth.ravel()) ** 2).mean()))
        print(f"{pixels} px, {name}: correlation {found:.3f}, gain {strength:.2f}, error {error:.3f} px")
        assert found >= correlation, name
        assert gain <= strength <= 1.05, name


def test_a_rigid_head_has_no_facial_motion_whatever_its_proportions(
    close_up: Image, landmarker: Landmarker
) -> None:
    long_face = cv2.resize(close_up, None, fx=1.0, fy=1.2, interpolation=cv2.INTER_CUBIC)
    for image in (close_up, np.asarray(long_face, np.uint8)):
        face = landmarker.detect(image)[0]
        centre = tuple(face.landmarks[:468, :2].mean(axis=0))
        moves = [similarity(centre, (0.6 * k, -1.6 * k), 1 + 0.006 * k, 0.014 * k) for k in range(4)]
        frames = [warped(image, move) for move in moves]
        assert motion_of(frames, face).strength().max() < 0.08
        assert layout_motion_of(frames, face).strength().max() > 0.2


def test_reliability_tells_motion_from_noise(close_up: Image, face: Face) -> None:
    field = smooth_field(1.0, 5, close_up.shape[0])

    def moved(gain: float) -> Image:
        return warped(
            close_up, lambda at: gain * sample(field, (at - 0.5).astype(np.float32)[:, None]).reshape(-1, 2)
        )

    gains = np.linspace(0, 1, 8)
    moving = [noisy(moved(float(g)), 2.0, k) for k, g in enumerate(gains)]
    resting = [noisy(close_up, 2.0, k) for k in range(8)]
    assert ceiling(reliability(moving, face)) > 0.85
    assert ceiling(reliability(resting, face)) < 0.7
    assert np.isnan(reliability(moving[:4], face))


def test_repeated_frames_count_once(close_up: Image) -> None:
    other = noisy(close_up, 3.0, 1)
    assert distinct([close_up, close_up, other, other, close_up]) == [0, 2, 4]
