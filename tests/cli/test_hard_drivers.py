"""Drivers that are hard to measure: hidden, dark, cut off; and runs that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import read_clip
from fakes.media import make_video

from mien.cli.main import main
from mien.engine.landmarks import Landmarker
from mien.engine.tracking import Tracker
from mien.engine.tracking.file_driver import FileDriver, Followed
from mien.engine.types import Face, Frame, Image


@pytest.fixture(scope="module")
def man(carphone: Path) -> list[Image]:
    return [np.asarray(cv2.resize(image, (352, 288))) for image in read_clip(carphone, 24)]


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory, close_up: Image) -> Path:
    path = tmp_path_factory.mktemp("portrait") / "face.png"
    cv2.imwrite(str(path), close_up[..., ::-1])
    return path


def drive(images: list[Image], landmarker: Landmarker) -> tuple[list[Followed], FileDriver]:
    landmarker.reset()
    driver = FileDriver(Tracker(landmarker=landmarker))
    return list(driver.follow(Frame(image, n, 0, n / 25) for n, image in enumerate(images))), driver


def masked(image: Image, face: Face) -> Image:
    """A surgical mask from the nose down."""
    outline = face.landmarks[
        [116, 117, 118, 119, 5, 348, 347, 346, 345, 361, 397, 378, 152, 149, 172, 132], :2
    ]
    return np.asarray(cv2.fillPoly(image.copy(), [outline.astype(np.int32)], (190, 215, 225), cv2.LINE_AA))


def microphone(image: Image, face: Face) -> Image:
    """A microphone before mouth and chin that stands still."""
    place, stand = (180, 215), (190, 288)
    covered = cv2.circle(image.copy(), place, 18, (40, 40, 45), -1, cv2.LINE_AA)
    return np.asarray(cv2.line(covered, place, stand, (30, 30, 30), 16, cv2.LINE_AA))


@pytest.mark.parametrize("hide", [masked, microphone])
def test_what_comes_before_the_mouth_is_no_takeover_and_leaves_nothing_behind(
    hide: Callable[[Image, Face], Image], man: list[Image], landmarker: Landmarker
) -> None:
    open_, _ = drive(man, landmarker)
    faces = [seen.face for seen in open_]
    assert all(face is not None for face in faces)
    hidden = [hide(image, face) for image, face in zip(man, faces, strict=True) if face is not None]
    # From a visible mouth to a hidden one and back.
    followed, driver = drive([*man[:6], *hidden[6:18], *man[18:]], landmarker)
    assert driver.takeovers == []
    assert all(seen.motion is not None for seen in followed[18:])
    if (
        hide is microphone
    ):  # a mask that is there from one frame to the next may be somebody else: the avatar rests
        assert all(seen.motion is not None for seen in followed)
    moved = [float(np.abs(seen.motion.regions).max()) for seen in followed if seen.motion is not None]
    assert max(moved) < 0.3  # face units: a mouth may open wrongly, but nothing comes to pieces
    last = followed[-1].motion
    true = open_[-1].motion
    assert last is not None and true is not None
    assert np.abs(last.regions - true.regions).mean() < 0.003  # and nothing of it stays


def test_a_dark_face_is_told(
    man: list[Image], portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0)
    dark = [np.uint8(np.clip(0.12 * image + noise.normal(0, 2.5, image.shape), 0, 255)) for image in man[:4]]
    clip = make_video(tmp_path / "night.mkv", dark, codec="ffv1", pixel_format="bgr0")
    words = ["--driving", str(clip), "--avatar", str(portrait), "--size", "128", "--model", "warp"]
    assert main([*words, "--output", str(tmp_path / "out.mp4")]) == 0
    assert "the face in night.mkv is dark" in " ".join(capsys.readouterr().out.split())


def test_a_clip_that_is_cut_off_in_its_last_frames_keeps_the_others_and_says_so(
    man: list[Image], portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole.mp4"
    with av.open(str(whole), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 352, 288, "yuv420p"
        for image in man[:8]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    data = whole.read_bytes()
    clip = tmp_path / "cut.mp4"
    clip.write_bytes(data[:-1500])
    out = tmp_path / "out.mp4"
    words = ["--driving", str(clip), "--avatar", str(portrait), "--size", "128", "--model", "warp"]
    assert main([*words, "--output", str(out)]) == 0
    with av.open(str(out)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert 4 <= frames < 8
    assert f"cut.mp4 is cut off: {frames} of about 8" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "images"])
def test_a_killed_run_leaves_nothing_under_the_final_name_and_the_next_one_clears_up(
    output: str, carphone: Path, portrait: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results" / output
    out.parent.mkdir()
    if out.suffix:
        out.write_bytes(b"yesterday's")
    words = ["--driving", str(carphone), "--avatar", str(portrait), "--size", "128", "--model", "warp"]
    command = [sys.executable, "-m", "mien", *words, "--output", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not any(out.parent.glob(".*.part-*")) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = [path.name for path in out.parent.iterdir() if path != out]
    assert len(left) == 1
    assert left[0].startswith(f".{output}.part-")
    assert out.read_bytes() == b"yesterday's" if out.suffix else not out.exists()
    assert main([*words, "--output", str(out)]) == 0
    assert [path.name for path in out.parent.iterdir()] == [output]
