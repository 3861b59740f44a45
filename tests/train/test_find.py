"""Subtle passages are found where a face moves slightly and its head does not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from known_motion import Push, added, similarity, warped

from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Image
from mien.train.metrics import __main__ as command
from mien.train.metrics.find import STILL, SUBTLE, Span, head_shift, subtle_spans

LENGTH = 12


@pytest.fixture(scope="module")
def face(close_up: Image, landmarker: Landmarker) -> Face:
    return landmarker.detect(close_up)[0]


@pytest.fixture(scope="module")
def clip(close_up: Image, face: Face) -> list[Image]:
    """Twelve frames at rest, twelve with a small expression, twelve in which the head leaves its place."""
    points = face.landmarks
    width = float(np.ptp(points[:, 0]))
    pushes = [Push(tuple(points[i, :2]), (0.0, -0.04 * width), 0.2 * width) for i in (105, 334, 61, 291)]
    up = np.sin(np.pi * np.arange(LENGTH) / (LENGTH - 1))
    small = [warped(close_up, added(*pushes, gain=float(gain))) for gain in up]
    centre = tuple(points[:468, :2].mean(axis=0))
    away = [warped(close_up, similarity(centre, (0.3 * width * g, 0.0), 1.0, 0.0)) for g in up]
    return [close_up] * LENGTH + small + away


def test_the_small_expression_is_found_and_nothing_else(clip: list[Image], landmarker: Landmarker) -> None:
    spans = subtle_spans(iter(clip), LENGTH, landmarker)
    assert spans, "nothing was found"
    assert abs(spans[0].first - LENGTH) <= LENGTH // 2
    for span in spans:
        assert SUBTLE[0] <= span.strength <= SUBTLE[1]
        assert span.shift <= STILL
        assert span.last - span.first == LENGTH
        assert LENGTH // 2 < span.last <= 2.5 * LENGTH, "only frames around the expression have one"
    apart = sorted(spans, key=lambda span: span.first)
    assert all(a.last <= b.first for a, b in pairwise(apart))


def test_a_face_at_rest_has_no_subtle_passage(close_up: Image, landmarker: Landmarker) -> None:
    assert subtle_spans([close_up] * 30, LENGTH, landmarker) == []
    assert subtle_spans([np.full((96, 96, 3), 90, np.uint8)] * 30, LENGTH, landmarker) == []
    assert subtle_spans([close_up] * (LENGTH - 1), LENGTH, landmarker) == []


def test_a_lost_face_has_moved_far(face: Face) -> None:
    assert head_shift(face, None) == 1.0
    assert head_shift(face, face) == 0.0
    assert Span(0, 9, 0.7, 0.0).liking() < Span(0, 9, 0.7, 0.02).liking() < Span(0, 9, 0.4, 0.02).liking()


def test_the_command_names_passages_as_it_takes_them(
    clip: list[Image], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mien.streams.video import VideoFileSink

    path = tmp_path / "clip.mp4"
    height, width = clip[0].shape[:2]
    sink = VideoFileSink(path, width=width, height=height, fps=25)
    for index, image in enumerate(clip):
        sink.write(image, index / 25)
    sink.close()
    assert command.main([str(path), "--find", "--frames", str(LENGTH)]) == 0
    name = capsys.readouterr().out.split()[0]
    passage = command.Passage.parse(name)
    assert passage.path == path
    assert len(passage.frames()) == LENGTH
    assert command.main([f"{path}:0-12", "--find", "--frames", "20"]) == 0
    assert "no subtle passage of 20 frames" in capsys.readouterr().out
    assert command.main([str(tmp_path / "no.mp4"), "--find"]) == 2
