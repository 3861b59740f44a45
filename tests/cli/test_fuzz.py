"""Damaged files of every kind: one line or a result, never a traceback, a crash, a hang or half a file."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import read_clip
from fakes.media import beeps, make_video
from PIL import Image as Pil

from mien.engine.enrolment.container import save_enrolled
from mien.engine.landmarks import make_landmarker
from mien.engine.motion.recording import load_recording, save_recording
from mien.engine.photos.photo import Photo
from mien.engine.types import Image
from mien.engine.utils.assets import DEMO_MOTION, PORTRAIT
from mien.streams.factory import open_source

MUTATIONS = 500
SECONDS, MEGABYTES = 20, 2048
SEED = int(os.environ.get("MIEN_FUZZ_SEED", "20261128"))


@dataclass(frozen=True)
class Seed:
    """A good file, what is done with it, and how often it is damaged."""

    name: str
    kind: str
    times: int
    folder: str = ""


SEEDS = (
    Seed("clip.mp4", "clip", 65),
    Seed("clip.mkv", "clip", 60),
    Seed("clip.avi", "clip", 45),
    Seed("clip.webm", "clip", 40),
    Seed("clip.gif", "clip", 40),
    Seed("face.jpg", "portrait", 45),
    Seed("face.png", "portrait", 45),
    Seed("face.tif", "portrait", 30),
    Seed("face.mien", "portrait", 40),
    Seed("motion.npz", "motion", 40),
    Seed("pairs.csv", "csv", 40),
    Seed("live-renderer.onnx", "model", 10, "model"),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, carphone: Path, close_up: Image) -> Path:
    """One small file of every kind, each of which works as it is."""
    folder = tmp_path_factory.mktemp("good")
    frames = [np.asarray(cv2.resize(image, (192, 160))) for image in read_clip(carphone, 5)]
    sound = beeps([0.05], 0.2)
    make_video(folder / "clip.mp4", frames, sound=sound)
    make_video(
        folder / "clip.mkv", frames, codec="ffv1", pixel_format="bgr0", sound=sound, sound_codec="flac"
    )
    make_video(
        folder / "clip.avi",
        frames,
        codec="mjpeg",
        pixel_format="yuvj420p",
        sound=sound,
        sound_codec="pcm_s16le",
    )
    make_video(folder / "clip.webm", frames, codec="libvpx-vp9", sound=sound, sound_codec="libopus")
    images = [Pil.fromarray(frame) for frame in frames]
    images[0].save(folder / "clip.gif", save_all=True, append_images=images[1:], duration=40)
    exif = Pil.Exif()
    exif[274] = 1
    portrait = Pil.fromarray(np.asarray(cv2.resize(close_up, (160, 160))))
    portrait.save(folder / "face.jpg", exif=exif)
    portrait.save(folder / "face.png")
    with make_landmarker() as landmarker:
        (face,) = landmarker.detect(np.asarray(portrait))
    photo = Photo(np.asarray(portrait), face.landmarks, face.pose, face.blendshapes, "a.jpg")
    save_enrolled(folder / "face.mien", np.asarray(portrait), [photo, photo])
    cv2.imwrite(str(folder / "face.tif"), np.asarray(portrait.convert("L")).astype(np.uint16) * 16)
    recording = load_recording(DEMO_MOTION)
    save_recording(folder / "motion.npz", type(recording)(recording.motions[:3], recording.times[:3], 25.0))
    (folder / "pairs.csv").write_text(
        'driving,avatar,onset,apex,fps,name\nclip.mp4,face.jpg,0,2,,a\n"clip.avi",face.png,1,3,25,b\n',
        encoding="utf-8",
    )
    (folder / "model").mkdir()
    for name in ("live-encoder.onnx", "live-renderer.onnx"):
        shutil.copy(PORTRAIT.with_name(name), folder / "model" / name)
    return folder


@dataclass
class Worker:
    """A process that takes cases; replaced when it dies, hangs, or has grown."""

    log: Path
    process: subprocess.Popen[str] | None = None
    answers: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def ask(self, case: dict[str, Any]) -> dict[str, Any]:
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        return self._answer(SECONDS)

    def _start(self) -> None:
        program = Path(__file__).with_name("fuzz_worker.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("ab"),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            encoding="utf-8",
        )
        self.answers = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, self.answers), daemon=True).start()
        assert self._answer(120) == {"ready": True}

    def _listen(self, process: subprocess.Popen[str], answers: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            answers.put(line)
        answers.put(None)

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self.process is not None
        try:
            line = self.answers.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            return {"problem": f"no answer in {seconds} s"}
        if line is None:
            status = self.process.wait()
            self.process = None
            return {"problem": f"the process ended with {status}"}
        answer: dict[str, Any] = json.loads(line)
        if answer.get("peak_mb", 0) > MEGABYTES:
            self.stop()
            answer["problem"] = f"{answer['peak_mb']} MB"
        return answer

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("log") / "worker.txt")
    yield worker
    worker.stop()


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A copy with flipped bytes, extreme numbers, or a piece cut off, out, doubled or overwritten."""
    out = bytearray(data)
    kind = int(rng.integers(0, 7))
    # Headers steer everything: half of all damage is done to the first kilobyte.
    reach = len(out) if rng.random() < 0.5 else min(len(out), 1024)
    at = int(rng.integers(0, reach))
    length = int(min(len(out) - at, rng.integers(1, 1 + max(2, len(out) // 8))))
    if kind == 0:
        for place in rng.integers(0, reach, int(rng.integers(1, 12))):
            out[place] = int(rng.integers(0, 256))
    elif kind == 1:
        for place in rng.integers(0, reach, int(rng.integers(1, 4))):
            number = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
            out[place : place + 4] = bytes(number)
    elif kind == 2:
        del out[at:]
    elif kind == 3:
        del out[at : at + length]
    elif kind == 4:
        out[at:at] = out[at : at + length]
    elif kind == 5:
        out[at : at + length] = bytes(length)
    else:
        out[at : at + length] = rng.integers(0, 256, length, np.uint8).tobytes()
    return bytes(out)


def case_of(seed: Seed, good: Path, place: Path, file: Path) -> dict[str, Any]:
    """What the worker is told to do with a damaged ``file``."""
    common = ["--output", str(place / "out.mp4"), "--size", "160", "--model", "warp"]
    words = {
        "clip": ["--driving", str(file), "--avatar", str(good / "face.png"), *common],
        "portrait": ["--driving", str(good / "motion.npz"), "--avatar", str(file), *common],
        "motion": ["--driving", str(file), "--avatar", str(good / "face.png"), *common],
        "model": ["--driving", str(good / "motion.npz"), "--avatar", str(good / "face.png"), *common[:-1]],
    }.get(seed.kind, [])
    if seed.kind == "model":
        words += [str(file.parent)]
    return {"kind": seed.kind, "file": str(file), "words": words}


def problem_of(answer: dict[str, Any], place: Path, kept: set[str]) -> str | None:
    """What is wrong with an answer and with what lies in the folder after it."""
    if "problem" in answer:
        return str(answer["problem"])
    if answer["trace"] or "Traceback" in answer["said"]:
        return "traceback: " + (answer["trace"] or answer["said"])
    if answer["status"] not in (0, 2):
        return f"status {answer['status']}: {answer['said']}"
    if answer["status"] == 2 and not answer["said"].startswith("mien: "):
        return f"no line: {answer['said']!r}"
    left = {path.name for path in place.iterdir()} - kept
    if answer["status"] == 2 and left:
        return f"left behind: {left}"
    if "out.mp4" in left:
        with open_source(str(place / "out.mp4")) as source:
            if not list(source):
                return "an empty result"
    return f"left behind: {left - {'out.mp4'}}" if left - {"out.mp4"} else None


def prepared(seed: Seed, good: Path, place: Path) -> Path:
    """An empty folder with what the damaged file stands beside; gives that file's place."""
    shutil.rmtree(place, ignore_errors=True)
    if seed.folder:
        shutil.copytree(good / seed.folder, place / seed.folder)
        return place / seed.folder / seed.name
    place.mkdir()
    if seed.kind == "csv":
        for name in ("clip.mp4", "clip.avi", "face.jpg", "face.png"):
            (place / name).symlink_to(good / name)
    return place / f"damaged{Path(seed.name).suffix}"


@pytest.mark.slow
def test_the_good_files_work(good: Path, worker: Worker, tmp_path: Path) -> None:
    """Or the rest would prove nothing."""
    for seed in SEEDS:
        file = prepared(seed, good, tmp_path / "case")
        file.write_bytes((good / seed.folder / seed.name).read_bytes())
        kept = {path.name for path in (tmp_path / "case").iterdir()}
        answer = worker.ask(case_of(seed, good, tmp_path / "case", file))
        assert answer.get("status") == 0, (seed.name, answer)
        assert problem_of(answer, tmp_path / "case", kept) is None


@pytest.mark.slow
def test_no_damaged_file_brings_it_down(
    good: Path, worker: Worker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nfuzz: {MUTATIONS} mutations, seed {SEED} (MIEN_FUZZ_SEED)")
    assert sum(seed.times for seed in SEEDS) == MUTATIONS
    problems = []
    refused = 0
    for number, seed in enumerate(SEEDS):
        data = (good / seed.folder / seed.name).read_bytes()
        for turn in range(seed.times):
            rng = np.random.default_rng((SEED, number, turn))
            file = prepared(seed, good, tmp_path / "case")
            file.write_bytes(damaged(data, rng))
            kept = {path.name for path in (tmp_path / "case").iterdir()}
            answer = worker.ask(case_of(seed, good, tmp_path / "case", file))
            refused += answer.get("status") == 2
            if (problem := problem_of(answer, tmp_path / "case", kept)) is not None:
                saved = tmp_path / f"{turn}-{seed.name}"
                shutil.copy(file, saved)
                problems.append(f"{seed.name}, mutation {turn} ({saved}): {problem}")
    assert not problems, "\n".join([f"{len(problems)} of {MUTATIONS}:", *problems[:12]])
    assert 50 < refused < MUTATIONS - 50
