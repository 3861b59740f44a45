"""``mien compare``: results of any tool in one table; what does not fit is a line of its own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from known_motion import Push, warped

from mien.cli.compare import main
from mien.engine.landmarks import Landmarker
from mien.engine.types import Image
from mien.streams.factory import open_sink

FRAMES = 8


@pytest.fixture(scope="module")
def clips(close_up: Image, landmarker: Landmarker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver whose brow rises, and what several tools made of it."""
    folder = tmp_path_factory.mktemp("clips")
    points = landmarker.detect(close_up)[0].landmarks
    brow, width = tuple(points[105, :2]), 0.12 * float(np.ptp(points[:, 0]))

    def moving(gain: float) -> list[Image]:
        rise = gain * np.sin(np.linspace(0, np.pi, FRAMES))
        return [warped(close_up, Push(brow, (0.0, -float(r)), width)) for r in rise]

    driver, weak = moving(3.0), moving(1.5)
    larger = [np.asarray(cv2.resize(f, None, fx=1.5, fy=1.5), np.uint8) for f in weak]
    write(folder / "driver.mp4", driver, 25)
    write(folder / "weak.mp4", larger, 25)
    write(folder / "short.mp4", driver[:6], 25)
    write(folder / "quick.mp4", [f for f in driver for _ in range(2)], 50)
    write(folder / "empty.mp4", [np.full_like(close_up, 90)] * FRAMES, 25)
    return folder


def write(path: Path, frames: list[Image], fps: int) -> None:
    height, width = frames[0].shape[:2]
    with open_sink(path, width=width, height=height, fps=fps, quality=1) as sink:
        for index, frame in enumerate(frames):
            sink.write(frame, index / fps)


def test_results_of_any_size_rate_and_length_are_in_one_table(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("weak", "short", "quick", "empty")
    output = tmp_path / "table.csv"
    status = main(
        [str(clips / "driver.mp4"), *(str(clips / f"{n}.mp4") for n in names), "--output", str(output)]
    )
    printed = capsys.readouterr().out
    assert status == 1  # one could not be measured
    with output.open(encoding="utf-8") as file:
        rows = {row["result"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(names)
    assert 0.4 < float(rows["weak"]["gain"]) < 0.7 < float(rows["weak"]["correlation"])
    assert float(rows["short"]["correlation"]) > 0.95 < float(rows["quick"]["correlation"])
    assert (rows["short"]["frames"], rows["quick"]["frames"], rows["weak"]["frames"]) == ("6", "8", "8")
    assert rows["empty"]["correlation"] == ""
    notes = [line for line in printed.splitlines() if line.startswith("Note: ")]
    for word in ("weak: 384 x 384", "short: 6 frames, the driver has 8", "quick: 50 frames a second"):
        assert sum(word in note for note in notes) == 1, word
    assert sum("empty.mp4: no face in its first frame" in note for note in notes) == 1
    assert "| empty | 0 | – |" in printed


def test_with_the_portrait_tears_are_looked_for(
    clips: Path, close_up: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    portrait, output = tmp_path / "portrait.png", tmp_path / "table.json"
    cv2.imwrite(str(portrait), close_up[..., ::-1])
    driver = str(clips / "driver.mp4")
    assert main([driver, driver, "--avatar", str(portrait), "--output", str(output)]) == 0
    (row,) = json.loads(output.read_text(encoding="utf-8"))
    assert row["torn"] == 0.0
    assert row["correlation"] == pytest.approx(1.0, abs=1e-6)
    assert row["closed"] is None  # no eye was shut


def test_what_is_missing_is_one_line(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    driver = str(clips / "driver.mp4")
    for arguments in (
        [driver, "nowhere.mp4"],
        ["nowhere.mp4", driver],
        [driver, driver, "--output", "x.txt"],
    ):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1
