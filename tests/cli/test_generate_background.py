"""``mien generate --background``, and the column of that name."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import read_clip

from mien.cli.batch.pairs import read_pairs
from mien.cli.batch.run import main as generate
from mien.engine.types import Image, MienError

WORDS = "--jobs 1 --crop --size 128 --model warp --no-metrics"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, carphone: Path, astronaut: Image) -> Path:
    folder = tmp_path_factory.mktemp("background")
    cv2.imwrite(str(folder / "face.png"), astronaut[..., ::-1])
    cv2.imwrite(str(folder / "room.png"), np.full((40, 60, 3), (200, 40, 40), np.uint8))
    (folder / "clip").mkdir()
    for index, image in enumerate(read_clip(carphone, 3)):
        cv2.imwrite(str(folder / "clip" / f"{index:03d}.png"), image[..., ::-1])
    return folder


def corner(path: Path) -> list[int]:
    """Mean of the first frame's upper left corner; RGB, and alpha where there is one."""
    with av.open(str(path)) as clip:
        frame = next(clip.decode(video=0))
        kind = "rgba" if frame.format.name == "bgra" else "rgb24"
        image = frame.to_ndarray(format=kind)
    return [round(float(v)) for v in image[:6, :6].reshape(-1, image.shape[2]).mean(axis=0)]


def test_a_list_may_name_one_for_each_pair_and_the_rest_have_the_batchs(place: Path, tmp_path: Path) -> None:
    pairs = place / "pairs.csv"
    pairs.write_text(
        "driving,avatar,name,background\n"
        "clip,face.png,room,room.png\nclip,face.png,plain,-\nclip,face.png,as-it-is,keep\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    command = [str(pairs), "--output", str(out), "--background", "green", *WORDS.split()]
    assert generate(command) == 0
    red, green, blue = corner(out / "room.mp4")
    assert blue > 170 and red < 70 and green < 70
    red, green, blue = corner(out / "plain.mp4")
    assert green > 220 and red < 40 and blue < 40
    assert max(corner(out / "as-it-is.mp4")) - min(corner(out / "as-it-is.mp4")) < 100
    with (out / "metrics.csv").open(encoding="utf-8") as table:
        settings = {row["name"]: row["settings"] for row in csv.DictReader(table)}
    assert "background=green" in settings["plain"] and "room.png" in settings["room"]
    made = (out / "room.json").stat().st_mtime_ns
    cv2.imwrite(str(place / "room.png"), np.zeros((40, 60, 3), np.uint8))
    assert generate(command) == 0
    assert (out / "room.json").stat().st_mtime_ns != made, "another image under the same name: made again"
    assert max(corner(out / "room.mp4")) < 40


def test_a_lossless_result_may_be_transparent(place: Path, tmp_path: Path) -> None:
    pairs = place / "clear.csv"
    pairs.write_text("driving,avatar,name\nclip,face.png,clear\n", encoding="utf-8")
    command = [str(pairs), "--output", str(tmp_path), "--background", "transparent", *WORDS.split()]
    assert generate([*command, "--lossless"]) == 0
    assert corner(tmp_path / "clear.mkv")[3] < 30
    assert json.loads((tmp_path / "clear.json").read_text(encoding="utf-8"))["frames"] == 3


def test_what_cannot_be_is_one_line_before_anything_is_made(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = place / "line.csv"
    pairs.write_text("driving,avatar\nclip,face.png\n", encoding="utf-8")
    for what, says in (("transparent", "Add --lossless"), ("gren", "neither a colour nor a file")):
        assert generate([str(pairs), "--output", str(tmp_path / "out"), "--background", what]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    pairs.write_text("driving,avatar,background\nclip,face.png,gren\n", encoding="utf-8")
    with pytest.raises(MienError, match="not 'gren'; there is no file"):
        read_pairs(pairs)
