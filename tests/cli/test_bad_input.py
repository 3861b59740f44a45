"""Whatever is wrong with what the user gives: one line with cause and remedy, status 2, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.drivers import BLACK, make_driver, talking
from fakes.media import beeps, make_sound
from PIL import Image as Pil

import run_live
from mien.engine.landmarks import Landmarker
from mien.engine.motion.recording import VERSION
from mien.engine.runtime import Runtime
from mien.engine.types import Image
from mien.engine.utils.assets import ASSETS

ROOT = Path(run_live.__file__).parent


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, carphone: Path, astronaut: Image) -> Path:
    """A folder with everything that a user may get wrong."""
    place = tmp_path_factory.mktemp("bad")
    clip = make_driver(place / "clip.mp4", talking(carphone, 3))
    (place / "text.jpg").write_text("this is no image\n", encoding="utf-8")
    (place / "text.mp4").write_text("this is no video\n", encoding="utf-8")
    (place / "empty.mp4").touch()
    (place / "empty.png").touch()
    (place / "cut.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    make_sound(place / "song.mp4", beeps([0.1], 0.5), "aac")
    Pil.new("1", (30_000, 30_000)).save(place / "huge.png")
    Pil.fromarray(astronaut).save(place / "face.png")
    Pil.fromarray(cv2.resize(astronaut, (110, 110), interpolation=cv2.INTER_AREA)).save(place / "tiny.png")
    whole = (place / "face.png").read_bytes()
    (place / "cut.png").write_bytes(whole[: len(whole) // 2])
    Pil.fromarray(astronaut).save(place / "face.jpg")
    whole = (place / "face.jpg").read_bytes()
    (place / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Pil.fromarray(BLACK).save(place / "noface.png")
    make_driver(place / "noface.mp4", [BLACK] * 3)
    (place / "cut.mien").write_bytes(b"PK\x03\x04 and no more")
    (place / "nothing").mkdir()
    (place / "full").mkdir()
    (place / "full" / "file.txt").touch()
    _motions(place)
    return place


def _motions(place: Path) -> None:
    good = (ASSETS / "demo-motion.npz").read_bytes()
    (place / "cut.npz").write_bytes(good[: len(good) // 3])
    np.savez(place / "newer.npz", format="mien-motion", version=VERSION + 1)
    np.savez(place / "other.npz", weights=np.zeros(3))


LONG = 300 * "x"
"""Longer than a name may be on any system."""

CASES: dict[str, tuple[str, str]] = {
    "missing clip": ("--driving nowhere.mp4 --output out.mp4", "does not exist.*[Cc]heck"),
    "missing portrait": ("--driving clip.mp4 --avatar nowhere.jpg --output out.mp4", "does not exist.*Check"),
    "text as portrait": ("--driving clip.mp4 --avatar text.jpg --output out.mp4", "not an image.*Give"),
    "text as clip": ("--driving text.mp4 --output out.mp4", "text.mp4.*(export|Give)"),
    "empty clip": ("--driving empty.mp4 --output out.mp4", "is empty.*again"),
    "empty portrait": ("--driving clip.mp4 --avatar empty.png --output out.mp4", "is empty.*again"),
    "truncated clip": ("--driving cut.mp4 --output out.mp4", "cut off"),
    "only sound": ("--driving song.mp4 --output out.mp4", "audio only.*Give"),
    "truncated PNG": ("--driving clip.mp4 --avatar cut.png --output out.mp4", "cut off.*again"),
    "truncated JPEG": ("--driving clip.mp4 --avatar cut.jpg --output out.mp4", "cut off.*again"),
    "portrait's name too long": (
        f"--driving clip.mp4 --avatar {LONG}.png --output out.mp4",
        "too long.*Check",
    ),
    "clip's name too long": (f"--driving {LONG}.mp4 --output out.mp4", "too long.*Check"),
    "motion's name too long": (f"--driving {LONG}.npz --output out.mp4", "not a readable motion file"),
    "result's name too long": (f"--driving clip.mp4 --output {LONG}.mp4", "too long.*choose another"),
    "folder's name too long": (f"--driving clip.mp4 --output {LONG}", "too long.*choose another"),
    "saved motion's name too long": (
        f"--driving clip.mp4 --save-motion {LONG}.npz",
        "too long.*choose another",
    ),
    "model's name too long": (f"--driving clip.mp4 --model {LONG} --output out.mp4", "too long.*Check"),
    "gallery's name too long": (f"--avatars {LONG} --output out.mp4", "too long.*Check"),
    "portrait within a file": (
        "--driving clip.mp4 --avatar face.png/b.png --output out.mp4",
        "cannot be read",
    ),
    "clip within a file": ("--driving face.png/b.mp4 --output out.mp4", r"b\.mp4"),
    "model within a file": ("--driving clip.mp4 --model face.png/b --output out.mp4", "does not exist"),
    "result within a file": ("--driving clip.mp4 --output face.png/out.mp4", "is a file, not a folder"),
    "folder within a file": ("--driving clip.mp4 --output face.png/out", "face.png"),
    "motion within a file": ("--driving clip.mp4 --save-motion face.png/out.npz", "is a file, not a folder"),
    "folder as clip": ("--driving full --output out.mp4", "no images.*Put"),
    "NUL in a portrait's name": ("--driving clip.mp4 --avatar a\0b.png --output out.mp4", "NUL.*Check"),
    "NUL in a result's name": ("--driving clip.mp4 --output a\0b.mp4", "NUL.*Check"),
    "web: portrait's name too long": (f"--webrtc --port 0 --avatar {LONG}.png", "too long.*Check"),
    "web: portrait cut off": ("--webrtc --port 0 --avatar cut.jpg", "cut off.*again"),
    "web: portrait within a file": ("--webrtc --port 0 --avatar face.png/b.png", "cannot be read"),
    "web: gallery is a file": ("--webrtc --port 0 --avatars face.png", "not a folder.*Give"),
    "web: certificate's name too long": (f"--webrtc --cert {LONG} --key {LONG}", "too long.*Check"),
    "web: certificate is a folder": ("--webrtc --cert full --key full", "does not exist.*Give"),
    "web: model's name too long": (f"--webrtc --port 0 --model {LONG}", "too long.*Check"),
    "web: no host name": (f"--webrtc --port 0 --host {LONG}", "not a valid host name.*--host"),
    "gigantic portrait": ("--driving clip.mp4 --avatar huge.png --output out.mp4", "too large.*Scale"),
    "no face in portrait": (
        "--driving clip.mp4 --avatar noface.png --output out.mp4",
        "No face.*Give a photo",
    ),
    "no face in clip": ("--driving noface.mp4 --output out.mp4", "No face.*Give a clip"),
    "no face to refer to": ("--driving noface.mp4 --output out.mp4 --reference best", "No face.*Give a clip"),
    "no face in reference": (
        "--driving noface.mp4 --output out.mp4 --reference 1",
        "Frame 1 .*no face.*best",
    ),
    "no face, motion only": ("--driving noface.mp4 --save-motion out.npz", "No face"),
    "tiny face": ("--driving clip.mp4 --avatar tiny.png --output out.mp4", "pixels wide.*Crop"),
    "face shrunk by --size": ("--driving clip.mp4 --avatar face.png --size 64 --output out.mp4", "--size"),
    "folder as portrait": ("--driving clip.mp4 --avatar full --output out.mp4", "is a folder.*Give"),
    "folder without images": ("--driving nothing --output out.mp4", "no images.*Put"),
    "unwritable place": ("--driving clip.mp4 --output nowhere/out.mp4", "nowhere does not exist.*Make it"),
    "unknown ending": ("--driving clip.mp4 --output out.xyz", r"\.xyz.*Use"),
    "folder in use": ("--driving clip.mp4 --output full", "not empty.*Give"),
    "output is a folder": ("--driving clip.mp4 --output full/", "not empty.*Give"),
    "output is the clip": ("--driving clip.mp4 --output ./clip.mp4", "itself.*another name"),
    "output is the portrait": (
        "--driving clip.mp4 --avatar face.png --output face.png",
        "itself.*another name",
    ),
    "output is the motion": ("--driving cut.npz --output cut.npz", "itself.*another name"),
    "output is empty": ("--driving clip.mp4 --output=", "--output is empty"),
    "motion over the clip": ("--driving clip.mp4 --save-motion clip.mp4", "itself"),
    "motion without ending": ("--driving clip.mp4 --save-motion out", r"must end in \.npz"),
    "motion nowhere": ("--driving clip.mp4 --save-motion nowhere/out.npz", "Make it first"),
    "motion of motion": ("--driving cut.npz --save-motion out.npz", "copy the file"),
    "unknown region": ("--driving clip.mp4 --only eyebrow", "'eyebrow' is not a facial region; choose from"),
    "no region": ("--driving clip.mp4 --only ,", "at least one region"),
    "unknown gain": ("--driving clip.mp4 --gain ear=2", "'ear' is not a facial region; choose from"),
    "gain without number": ("--driving clip.mp4 --gain brows", "write it as"),
    "gain too large": ("--driving clip.mp4 --gain brows=99", "from -8 to 8"),
    "micro gain": ("--driving clip.mp4 --micro-gain 0.5", "give a number from 1 to 8"),
    "head gain": ("--driving clip.mp4 --head nan", "from -8 to 8"),
    "only and gain": ("--driving clip.mp4 --only chin --gain chin=2", "contradict.*Use"),
    "photos without portrait": ("--driving clip.mp4 --photos full", "give the portrait with --avatar"),
    "photos of an avatar file": ("--driving clip.mp4 --avatar cut.mien --photos full", "photos already"),
    "no photos": (
        "--driving clip.mp4 --avatar face.png --photos nothing --output out.mp4",
        "no images.*folder of photos",
    ),
    "photos nowhere": ("--driving clip.mp4 --avatar face.png --photos nowhere", "nowhere.*[Cc]heck"),
    "web: photos": ("--webrtc --port 0 --photos full", "--avatar"),
    "avatar file cut short": ("--driving clip.mp4 --avatar cut.mien --output out.mp4", "cut short.*enroll"),
    "missing avatar file": ("--driving clip.mp4 --avatar no.mien --output out.mp4", "does not exist"),
    "enroll: another ending": ("enroll --avatar face.png --photos full --output me.zip", "end in .mien"),
    "enroll: no photos": ("enroll --avatar face.png --photos nothing --output me.mien", "no images"),
    "enroll: of an avatar file": (
        "enroll --avatar cut.mien --photos full --output me.mien",
        "portrait itself",
    ),
    "enroll: its own portrait": ("enroll --avatar face.png --photos cut.mien --output cut.mien", "itself"),
    "reference": ("--driving clip.mp4 --reference worst", "auto, first, best, or a number"),
    "reference beyond": ("--driving clip.mp4 --output out.mp4 --reference 99", "has 3 frames"),
    "reference of motion": ("--driving cut.npz --reference 3", "built in"),
    "size": ("--driving clip.mp4 --size 9", "from 64 to 4096"),
    "threads": ("--driving clip.mp4 --threads two", "whole number"),
    "rate of a clip": ("--driving clip.mp4 --fps 30", "its own frame rate"),
    "rate": ("--driving nothing --fps 0", "frame rate"),
    "camera size": ("--camera-size 640", "write it as 640x480"),
    "camera size of a clip": ("--driving clip.mp4 --camera-size 640x480", "for cameras"),
    "gallery of a clip": ("--driving clip.mp4 --avatars full", "--avatar"),
    "gallery without images": ("--avatars nothing --output out.mp4", "no images.*Put"),
    "no gallery": ("--avatars nowhere --output out.mp4", "not a folder.*Give"),
    "live reference": ("--reference best", "press X or F"),
    "live motion": ("--save-motion out.npz", "for files"),
    "no camera": ("--driving 77 --output out.mp4", "Camera 77.*(Plug|Close|in use)"),
    "damaged motion": ("--driving cut.npz --output out.mp4", "not a readable motion file.*Record"),
    "newer motion": ("--driving newer.npz --output out.mp4", "newer Mien.*Update"),
    "other npz": ("--driving other.npz --output out.mp4", "no recorded motion.*Record"),
    "missing motion": ("--driving nowhere.npz --output out.mp4", "does not exist.*Check"),
    "demo of a clip": ("--demo --driving clip.mp4", "Leave out"),
    "unknown option": ("--bogus", "--bogus.*mien --help"),
    "stray word": ("clip.mp4", "clip.mp4.*mien --help"),
    "option without value": ("--driving", "--driving: expected one argument.*mien --help"),
    "unknown tracker": ("--driving clip.mp4 --tracker dlib", "openvino"),
}


def listing(place: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(place.rglob("*"))}


@pytest.mark.parametrize("case", CASES)
def test_one_line_status_2_and_nothing_written(
    case: str,
    material: Path,
    runtime: Runtime,
    landmarker: Landmarker,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, cause = CASES[case]
    monkeypatch.chdir(material)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("mien.cli.build.chosen_runtime", lambda *_, **__: runtime)
    monkeypatch.setattr("mien.cli.file.run.portrait_landmarker", lambda: nullcontext(landmarker))
    before = listing(material)
    assert run_live.main(words.split()) == 2
    said = capfd.readouterr()  # what libraries say themselves, too
    _check_line(said.err, cause)
    assert "Traceback" not in said.out
    assert listing(material) == before


def _check_line(text: str, cause: str) -> None:
    import re

    assert text.startswith("mien: ") and text.endswith("\n") and text.count("\n") == 1, text
    assert re.search(cause, text), text
    assert text.rstrip()[-1] in ".)p", "a sentence, or the name of a command"


@pytest.mark.parametrize("words", ["--driving noface.mp4 --output {}", "--driving cut.mp4 --output {}"])
def test_an_earlier_result_stays(
    words: str, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tmp_path / "out.mp4"
    earlier.write_bytes(b"the result of yesterday")
    monkeypatch.chdir(material)
    assert run_live.main(words.format(earlier).split()) == 2
    assert earlier.read_bytes() == b"the result of yesterday"
    assert list(tmp_path.iterdir()) == [earlier]


@pytest.mark.parametrize("case", ["missing clip", "no face in clip", "unknown option"])
def test_as_a_program_of_its_own(case: str, material: Path) -> None:
    words, cause = CASES[case]
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_live.py"), *words.split()],
        cwd=material,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 2
    _check_line(done.stderr, cause)


def test_no_display(
    material: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(material)
    monkeypatch.setattr("mien.streams.preview.check_display.__defaults__", ("linux", {}))
    assert run_live.main([]) == 2
    _check_line(capsys.readouterr().err, "no display.*--output FILE")


@pytest.fixture
def small_disk(tmp_path: Path):
    """A real file system of 64 KiB, where this machine lets one mount it."""
    place = tmp_path / "small"
    place.mkdir()
    if os.name != "posix" or os.geteuid() != 0 or _mount(place):
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _mount(place: Path) -> int:
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.parametrize("name", ["out.mkv", "images"])
def test_a_full_disk(name: str, small_disk: Path, material: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--driving", str(material / "clip.mp4"), "--output", str(small_disk / name), "--lossless"]
    assert run_live.main(words) == 2
    _check_line(capsys.readouterr().err, "disk is full.*Free some space")
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_while_the_run_goes_on(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As above, also where no disk can be mounted."""
    import errno

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mien.streams.video.writer.VideoFileSink._encode", full)
    out = tmp_path / "out.mp4"
    assert run_live.main(["--driving", str(material / "clip.mp4"), "--output", str(out)]) == 2
    _check_line(capsys.readouterr().err, "disk is full")
    assert list(tmp_path.iterdir()) == []


def test_motion_that_cannot_be_saved_leaves_the_video(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    out, motion = tmp_path / "out.mp4", tmp_path / "out.npz"
    places = ["--output", str(out), "--save-motion", str(motion)]
    assert run_live.main(["--driving", str(material / "clip.mp4"), *places]) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [out]
