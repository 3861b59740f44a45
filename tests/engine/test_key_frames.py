"""Key frames: a turned head that no longer resembles the reference is still measured precisely."""

from __future__ import annotations

from collections.abc import Callable
from math import radians

import cv2
import numpy as np
import pytest

from mien.engine.face.layout import EXTENT, GRID
from mien.engine.tracking.alignment import LIVE_SIDE, Aligner
from mien.engine.tracking.key_frames import APART, EVERY, LEARN, MOST, KeyFrames, face_mean
from mien.engine.types import Floats

TURN = (0.0, radians(25.0))
NOISE = 0.012
"""The landmarks' noise, face units: one pixel on a 145 px wide face."""

Image = np.ndarray


def texture(seed: int) -> Floats:
    """``(LIVE_SIDE, LIVE_SIDE)`` smooth random detail as fine as a face's."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (LIVE_SIDE, LIVE_SIDE)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3.0)
    return np.asarray(soft / soft.std(), np.float32)


def seen(share: float, shift: float) -> Image:
    """The face when turned (``share`` 0..1), moved to the right by ``shift`` face units."""
    mixed = (1 - share) * texture(1) + share * texture(2)
    mixed = 128 + 28 * mixed / mixed.std()
    move = np.array([[1, 0, shift * LIVE_SIDE / EXTENT], [0, 1, 0]], np.float64)
    moved = cv2.warpAffine(
        mixed, move, (LIVE_SIDE, LIVE_SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)


def expression(time: float) -> float:
    """The face's own motion while it is turned, face units."""
    return 0.012 * float(np.sin(2 * np.pi * 1.2 * time))


def errors(most: int, every: int = 1, fps: float = 25.0, seconds: float = 4.0) -> tuple[Floats, KeyFrames]:
    """Mean error on the face over time, face units, of a head that turns by 25 degrees and stays there."""
    keys = KeyFrames(Aligner(seen(0.0, 0.0)), most, every)
    random = np.random.default_rng(5)
    found = []
    for index in range(round(seconds * fps)):
        time = index / fps
        share = min(1.0, time)
        turn = (0.0, share * TURN[1])
        truth = expression(time)
        trembling = truth + NOISE * float(random.normal())
        field = np.zeros((GRID, GRID, 2), np.float32)
        field[..., 0] = trembling
        image = seen(share, truth)
        measured, trust = keys.align(image, turn, time, field)
        if keys.wanted(turn, trust):
            keys.add(seen(share, truth - face_mean(measured[..., 0])), turn, time)
        found.append(face_mean(measured[..., 0]) - truth)
    return np.array(found, np.float32), keys


@pytest.fixture(scope="module")
def compared() -> tuple[Floats, Floats]:
    """Errors without and with key frames while the head is turned."""
    return errors(most=0)[0][40:], errors(most=MOST)[0][40:]


def test_a_turned_face_is_steadier_and_no_further_off(compared: tuple[Floats, Floats]) -> None:
    without, with_keys = compared
    print(
        f"error {np.abs(without).mean():.4f} -> {np.abs(with_keys).mean():.4f} face units, "
        f"trembling {np.abs(np.diff(without, 2)).mean():.4f} -> {np.abs(np.diff(with_keys, 2)).mean():.4f}"
    )
    assert np.abs(np.diff(with_keys, 2)).mean() < 0.6 * np.abs(np.diff(without, 2)).mean()
    assert abs(with_keys.mean()) < abs(without.mean()) + 0.0025


def test_nothing_drifts(compared: tuple[Floats, Floats]) -> None:
    error = compared[1]
    assert abs(error[-20:].mean()) <= abs(error[:20].mean()) + 0.002


def test_aligning_with_one_image_at_a_time_is_as_steady_at_half_the_cost(
    compared: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    align = Aligner.align

    def counted(self: Aligner, gray: Image) -> tuple[Floats, Floats]:
        asked.append(self)
        return align(self, gray)

    monkeypatch.setattr(Aligner, "align", counted)
    found, _ = errors(most=MOST, every=EVERY)
    one_by_one, (without, together) = found[40:], compared
    trembling = [np.abs(np.diff(values, 2)).mean() for values in (without, together, one_by_one)]
    print(f"trembling {trembling}, {len(asked) / len(found):.2f} alignments a frame")
    assert trembling[2] < 0.6 * trembling[0]
    assert abs(one_by_one.mean()) < abs(without.mean()) + 0.0025
    assert abs(one_by_one[-20:].mean()) <= abs(one_by_one[:20].mean()) + 0.002
    assert len(asked) < 1.6 * len(found)


def test_key_frames_are_few_and_apart() -> None:
    keys = KeyFrames(Aligner(seen(0.0, 0.0)))
    fair = np.full((GRID, GRID), 0.6, np.float32)
    for degrees in np.arange(0.0, 90.0, 0.5):
        turn = (0.0, radians(float(degrees)))
        if keys.wanted(turn, fair):
            assert turn[1] >= APART * (len(keys) + 1) - 1e-9
            keys.add(seen(0.0, 0.0), turn, 0.0)
    assert len(keys) == MOST


@pytest.mark.parametrize(
    ("degrees", "trust"), [(3.0, 0.6), (25.0, 1.0), (25.0, 0.05)], ids=["frontal", "trusted", "unknown"]
)
def test_no_key_frame_where_none_is_needed_or_possible(degrees: float, trust: float) -> None:
    keys = KeyFrames(Aligner(seen(0.0, 0.0)))
    assert not keys.wanted((radians(degrees), 0.0), np.full((GRID, GRID), trust, np.float32))


def test_a_frontal_face_is_measured_by_the_reference_alone() -> None:
    images: list[Image] = [seen(0.0, expression(t / 25)) for t in range(8)]
    nothing = np.zeros((GRID, GRID, 2), np.float32)

    def run(prepare: Callable[[KeyFrames], None]) -> Floats:
        keys = KeyFrames(Aligner(seen(0.0, 0.0)))
        prepare(keys)
        return np.stack([keys.align(p, (0.0, 0.0), 1 + i / 25, nothing)[0] for i, p in enumerate(images)])

    def another(keys: KeyFrames) -> None:
        keys.add(seen(1.0, 0.1), TURN, 0.0)

    np.testing.assert_array_equal(run(another), run(lambda _: None))


def test_a_new_key_frame_takes_over_without_a_jump() -> None:
    steps = np.abs(np.diff(errors(most=MOST, fps=100.0, seconds=1.0 + 2 * LEARN)[0]))
    assert steps.max() <= 3.0 * NOISE


@pytest.mark.parametrize(
    ("moved", "landmarks", "expected"),
    [(0.02, 0.045, 0.02), (0.05, 0.05, 0.05), (0.02, -0.06, -0.06)],
    ids=["alignment is finer", "both agree on a large motion", "they contradict each other"],
)
def test_alignment_is_believed_as_far_as_the_landmarks_do_not_contradict_it(
    moved: float, landmarks: float, expected: float
) -> None:
    """Between lips and on moving hair, alignment finds distant wrong matches: the landmarks are better."""
    field = np.zeros((GRID, GRID, 2), np.float32)
    field[..., 0] = landmarks
    found, _ = KeyFrames(Aligner(seen(0.0, 0.0))).align(seen(0.0, moved), (0.0, 0.0), 0.0, field)
    assert face_mean(found[..., 0]) == pytest.approx(expected, abs=0.004)
