"""``--mouth``: said where it counts, recorded where a lab looks, and never a pixel in recorded motion."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip

import run_live
from mien.cli.batch.arguments import parse as parse_batch
from mien.cli.batch.pairs import read_pairs
from mien.cli.batch.run import main as generate
from mien.cli.options.arguments import parse
from mien.engine.types import Image, MienError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, carphone: Path, close_up: Image) -> Path:
    """A portrait, and a driver twice as large as in the file: the mouth is 36 pixels wide."""
    folder = tmp_path_factory.mktemp("mouth")
    cv2.imwrite(str(folder / "face.png"), close_up[..., ::-1])
    (folder / "clip").mkdir()
    for index, image in enumerate(read_clip(carphone, 6)):
        larger = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "clip" / f"{index:03d}.png"), larger[..., ::-1])
    return folder


def test_the_own_mouth_is_the_default_but_for_stimuli() -> None:
    assert parse([]).mouth == "own"
    assert parse(["--mouth", "painted"]).mouth == "painted"
    assert parse_batch(["pairs.csv", "--output", "out"]).engine.mouth == "painted"
    assert parse_batch(["pairs.csv", "--output", "out", "--mouth", "own"]).engine.mouth == "own"
    with pytest.raises(MienError, match="--mouth"):
        parse(["--mouth", "open"])


def test_a_list_may_say_it_pair_by_pair(place: Path, tmp_path: Path) -> None:
    pairs = place / "pairs.csv"
    pairs.write_text(
        "driving,avatar,name,mouth\nclip,face.png,mine,Own\nclip,face.png,plain,\n", encoding="utf-8"
    )
    (place / "again.csv").write_text(
        f"driving,avatar,name,mouth\n{tmp_path / 'out' / 'mine.npz'},face.png,again,own\n",
        encoding="utf-8",
    )
    words = "--jobs 1 --crop --size 128 --model warp --no-metrics"
    assert generate([str(pairs), "--output", str(tmp_path / "out"), *words.split()]) == 0
    mine, plain = (
        json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("mine", "plain")
    )
    assert (mine["mouth"], plain["mouth"]) == ("own", "painted")
    assert any("driver's own mouth" in note for note in mine["notes"])
    assert not any("own mouth" in note for note in plain["notes"])
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "mouth own" in report and "mouth painted" in report
    assert generate([str(place / "again.csv"), "--output", str(tmp_path / "out"), *words.split()]) == 0
    again = json.loads((tmp_path / "out" / "again.json").read_text(encoding="utf-8"))
    assert again["mouth"] == "painted"
    assert any("no pixel" in note for note in again["notes"])
    # A recording holds the numbers alone, and the same ones.
    recorded = [np.load(tmp_path / "out" / f"{name}.npz") for name in ("mine", "plain")]
    assert set(recorded[0].files) == set(recorded[1].files)
    assert not any("mouth" in name for name in recorded[0].files)


def test_another_word_is_a_line(place: Path) -> None:
    pairs = place / "wrong.csv"
    pairs.write_text("driving,avatar,mouth\nclip,face.png,teeth\n", encoding="utf-8")
    with pytest.raises(MienError, match="own or painted, not 'teeth'"):
        read_pairs(pairs)


def test_a_driver_too_small_for_it_is_told(
    carphone: Path, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    for index, image in enumerate(read_clip(carphone, 36)):
        cv2.imwrite(str(folder / f"{index:03d}.png"), image[..., ::-1])
    words = ["--driving", str(folder), "--avatar", str(place / "face.png"), "--model", "warp", "--crop"]
    assert run_live.main([*words, "--size", "128", "--output", str(tmp_path / "out.mkv")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("from 24 on it is shown, so the avatar's is painted") == 1
