"""``mien enroll`` and ``--photos``: from a folder or a clip to an avatar with more photos."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip
from fakes.drivers import difference, images_of, make_driver

import mien
import run_live
from mien.engine.avatar import Avatar
from mien.engine.enrolment.container import load_enrolled
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Runtime

REST, SHOUTING = 8, 60


@pytest.fixture(scope="module")
def frames(carphone: Path) -> list[np.ndarray]:
    clip = read_clip(carphone, 70)
    return [np.asarray(cv2.resize(image, None, fx=2, fy=2), np.uint8) for image in clip]


@pytest.fixture(scope="module")
def place(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("enroll")
    (folder / "photos").mkdir()
    cv2.imwrite(str(folder / "me.png"), frames[REST][..., ::-1])
    for index in (SHOUTING + 2, 30, 45):
        cv2.imwrite(str(folder / "photos" / f"{index}.png"), frames[index][..., ::-1])
    (folder / "photos" / "broken.jpg").write_text("no image", encoding="utf-8")
    make_driver(folder / "talk.mp4", frames[SHOUTING - 12 : SHOUTING + 1])
    return folder


@pytest.fixture(autouse=True)
def one_engine(runtime: Runtime, landmarker: Landmarker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.cli.build.chosen_runtime", lambda *_, **__: runtime)
    monkeypatch.setattr("mien.cli.file.run.portrait_landmarker", lambda: nullcontext(landmarker))


def run(place: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> int:
    monkeypatch.chdir(place)
    return run_live.main(words.split())


def test_photos_are_enrolled_once_and_used_as_those_of_the_folder_are(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], avatar: Avatar
) -> None:
    assert run(place, monkeypatch, "enroll --avatar me.png --photos photos --output me.mien") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "62.png (mouth open" in said and "broken.jpg" in said and "none with closed eyes" in said
    assert load_enrolled(place / "me.mien").photos[0].name == "62.png"
    painted = "--driving talk.mp4 --mouth painted --lossless --avatar"
    assert run(place, monkeypatch, f"{painted} me.png --output alone.mkv") == 0
    assert run(place, monkeypatch, f"{painted} me.mien --output file.mkv") == 0
    assert run(place, monkeypatch, f"{painted} me.png --photos photos --output folder.mkv") == 0
    alone, file, folder = (images_of(place / f"{name}.mkv") for name in ("alone", "file", "folder"))
    assert difference(file[-1], alone[-1]) > 0.15, "the mouth is the photo's"
    assert difference(file[1], alone[1]) < 0.05, "the portrait will do"
    assert all(difference(a, b) < 0.05 for a, b in zip(file, folder, strict=True))


def test_a_clip_of_the_person_will_do(
    place: Path, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_driver(place / "me.mp4", frames[REST:66])
    assert run(place, monkeypatch, "enroll --avatar me.png --photos me.mp4 --output clip.mien") == 0
    assert "s (mouth open" in " ".join(capsys.readouterr().out.split())
    assert load_enrolled(place / "clip.mien").photos


def test_python_loads_an_avatar_file_as_a_portrait(
    place: Path, monkeypatch: pytest.MonkeyPatch, runtime: Runtime, landmarker: Landmarker
) -> None:
    assert run(place, monkeypatch, "enroll --avatar me.png --photos photos --output api.mien") == 0
    avatar = mien.load_avatar(place / "api.mien", runtime=runtime, landmarker=landmarker)
    assert len(avatar.photos) == len(load_enrolled(place / "api.mien").photos) > 0


def test_of_many_photos_some_are_looked_at_and_of_a_long_clip_its_beginning(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mien.cli.photos.LOOKED", 2)
    monkeypatch.setattr("mien.cli.photos.SECONDS", 0.25)
    assert run(place, monkeypatch, "enroll --avatar me.png --photos photos --output few.mien") == 0
    assert "of the 4 in photos, 2 were looked at" in " ".join(capsys.readouterr().out.split())
    assert run(place, monkeypatch, "enroll --avatar me.png --photos talk.mp4 --output few.mien") == 0
    assert "of talk.mp4 the first" in " ".join(capsys.readouterr().out.split())
