"""The hardest frames of a clip are looked at, and the command prints what became of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mien.train.metrics.__main__ as command
from mien.engine.landmarks import Landmarker
from mien.engine.types import Image
from mien.train.metrics.torn import hardest


def test_the_widest_mouth_comes_first_and_neighbours_are_left_out(
    close_up: Image, landmarker: Landmarker
) -> None:
    face = landmarker.detect(close_up)[0]
    open_mouth = face.landmarks.copy()
    open_mouth[14, 1] += np.ptp(open_mouth[:, 1]) / 4
    faces = [face] * 20
    faces[7] = faces[8] = replace(face, landmarks=open_mouth)
    chosen = hardest([*faces, None], 4)
    assert chosen[0] in (7, 8)
    assert len(chosen) == 4
    assert min(abs(a - b) for a in chosen for b in chosen if a != b) > 2
    assert 0 not in chosen and 20 not in chosen
    assert hardest([face, None, None], 4) == []


def test_the_command_prints_a_line_for_each_portrait(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "torn.json"
    assert command.main([f"{carphone}:0-8", "--torn", "--frames", "3", "--json", str(output)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("| portrait | frames | torn |")
    assert printed[-1].startswith("| **all** | 2 |") or printed[-1].startswith("| **all** | 3 |")
    (row,) = json.loads(output.read_text(encoding="utf-8"))
    assert all(0 <= score <= 1 for score in row["scores"])
