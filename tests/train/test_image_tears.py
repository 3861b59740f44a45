"""The measure of torn faces agrees with frames sorted by eye, and sees what it should in made ones."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from known_motion import Push, added, warped

from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Image
from mien.train.metrics.image_tears import LIMIT, LOST, TearGauge, score_of

SORTED = Path(__file__).parents[1] / "data" / "tears.csv"


def by_verdict(verdict: str) -> list[float]:
    with SORTED.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["verdict"] == verdict]
    return [
        score_of(float(row["unexplained"]), float(row["folded"])) if row["unexplained"] else LOST.score
        for row in rows
    ]


def test_the_limit_separates_frames_sorted_by_eye() -> None:
    torn, whole = np.array(by_verdict("torn")), np.array(by_verdict("whole"))
    assert len(torn) >= 30
    assert len(whole) >= 120
    assert (torn > LIMIT).mean() >= 0.70
    assert (whole > LIMIT).mean() <= 0.06
    area = (torn[:, None] > whole).mean() + 0.5 * (torn[:, None] == whole).mean()
    assert area >= 0.93
    print(f"area under the curve {area:.3f}")


@pytest.fixture(scope="module")
def face(close_up: Image, landmarker: Landmarker) -> Face:
    return landmarker.detect(close_up)[0]


@pytest.fixture(scope="module")
def gauge(close_up: Image, face: Face, landmarker: Landmarker) -> TearGauge:
    return TearGauge(close_up, face, landmarker)


def test_a_smooth_expression_is_whole(
    close_up: Image, face: Face, gauge: TearGauge, landmarker: Landmarker
) -> None:
    size = float(np.ptp(face.landmarks[:, 0]))
    brow, corner = (tuple(face.landmarks[i, :2]) for i in (105, 291))
    push = added(
        Push(brow, (0.0, -0.04 * size), 0.1 * size), Push(corner, (0.03 * size, -0.03 * size), 0.1 * size)
    )
    moved = gauge.found(warped(close_up, push), landmarker)
    assert not gauge(close_up, face).torn
    assert not moved.torn


def test_a_shredded_mouth_is_torn(
    close_up: Image, face: Face, gauge: TearGauge, landmarker: Landmarker
) -> None:
    size = float(np.ptp(face.landmarks[:, 0]))
    mouth = face.landmarks[[0, 17], :2].mean(axis=0)
    left, top = (mouth - 0.25 * size).astype(int)
    right, bottom = (mouth + 0.25 * size).astype(int)
    torn = close_up.copy()
    strips = torn[top:bottom, left:right]
    step = max(2, round(0.03 * size))
    for row in range(0, len(strips), step):
        strips[row : row + step] = np.roll(strips[row : row + step], (row // step % 3 - 1) * 3 * step, axis=1)
    assert gauge(torn, face).torn
    assert gauge(torn, face).unexplained > 2 * gauge(close_up, face).unexplained


def test_a_frame_without_a_face_is_torn(close_up: Image, gauge: TearGauge, landmarker: Landmarker) -> None:
    assert gauge.found(np.zeros_like(close_up), landmarker) is LOST
    assert LOST.torn
