"""Files drive portraits through the whole program: no frame lost or doubled, times, sound, sizes, Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.drivers import BLACK, LENGTH, difference, images_of, make_driver, talking
from fakes.media import make_video, read_sound, video_times
from PIL import Image as Pil

import run_live
from mien.engine.landmarks import Landmarker
from mien.engine.motion.recording import load_recording
from mien.engine.runtime import Runtime
from mien.engine.tracking.clip_reference import ClipReference
from mien.engine.types import Frame, Image
from mien.streams.video import VideoFileSink
from mien.streams.video.reader import VideoFileSource

ROOT = Path(run_live.__file__).parent
STEPS = [i / 25 for i in range(LENGTH)]


@pytest.fixture(scope="module")
def frames(carphone: Path) -> list[np.ndarray]:
    return talking(carphone)


@pytest.fixture(scope="module")
def clip(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_driver(tmp_path_factory.mktemp("clip") / "talk.mp4", frames, sound=True)


@pytest.fixture(autouse=True)
def one_engine(runtime: Runtime, landmarker: Landmarker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading the networks for every run would be most of these tests' time."""
    monkeypatch.setattr("mien.cli.build.chosen_runtime", lambda *_, **__: runtime)
    monkeypatch.setattr("mien.cli.file.run.portrait_landmarker", lambda: nullcontext(landmarker))


def mien(*words: object) -> int:
    return run_live.main([str(word) for word in words])


def test_every_frame_its_time_and_the_sound_carry_over(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert mien("--driving", clip, "--output", out) == 0
    times, last = video_times(out)
    assert times == pytest.approx(STEPS, abs=1e-3)
    assert last == pytest.approx(1 / 25, abs=1e-3)
    heard, codec = read_sound(out)
    assert codec == "aac" and np.abs(heard).max() > 0.3
    assert list(tmp_path.iterdir()) == [out]


def test_variable_times_are_kept(frames: list[np.ndarray], tmp_path: Path) -> None:
    ticks = [0, 40, 50, 160, 170, 300, 310, 500]
    clip = make_video(tmp_path / "vfr.mkv", frames, ticks, time_base=Fraction(1, 1000))
    assert mien("--driving", clip, "--output", tmp_path / "out.mp4", "--crop") == 0
    times, _ = video_times(tmp_path / "out.mp4")
    assert times == pytest.approx([t / 1000 for t in ticks], abs=2e-3)


@pytest.mark.parametrize("kind", ["one frame", "odd size", "grey", "gif"])
def test_unusual_clips(kind: str, frames: list[np.ndarray], tmp_path: Path) -> None:
    clip = tmp_path / ("in.gif" if kind == "gif" else "in.mkv")
    if kind == "gif":
        images = [Pil.fromarray(image) for image in frames]
        images[0].save(clip, save_all=True, append_images=images[1:], duration=70)
    elif kind == "grey":
        grey = [np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2) for image in frames]
        make_video(clip, grey, codec="ffv1", pixel_format="gray")
    elif kind == "odd size":
        make_video(clip, [image[:287, :351] for image in frames], codec="ffv1", pixel_format="bgr0")
    else:
        make_video(clip, frames[:1])
    assert mien("--driving", clip, "--output", tmp_path / "out.webm", "--crop", "--size", "128") == 0
    made = images_of(tmp_path / "out.webm")
    assert len(made) == (1 if kind == "one frame" else LENGTH)
    assert made[0].shape == (128, 128, 3)


def test_a_folder_of_frames_drives_in_natural_order_at_its_rate(
    frames: list[np.ndarray], clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, image in enumerate(frames * 2):
        Pil.fromarray(image).save(folder / f"img{i + 1}.png")
    motion = tmp_path / "motion.npz"
    assert mien("--driving", f"{folder}/", "--fps", "50", "--save-motion", motion) == 0
    recording = load_recording(motion)
    assert recording.times == pytest.approx([i / 50 for i in range(2 * LENGTH)])
    # The second half repeats the first; were img10 before img2, it would not.
    first, second = recording.motions[:LENGTH], recording.motions[LENGTH:]
    for a, b in zip(first[1:], second[1:], strict=True):
        assert a is not None and b is not None
        assert np.abs(a.regions - b.regions).max() < 0.01


def test_output_without_an_ending_is_a_folder_of_the_same_images(clip: Path, tmp_path: Path) -> None:
    exact, folder = tmp_path / "out.mkv", tmp_path / "images"
    assert mien("--driving", clip, "--output", exact, "--lossless") == 0
    assert mien("--driving", clip, "--output", folder) == 0
    assert [p.name for p in sorted(folder.iterdir())] == [f"{i:06d}.png" for i in range(LENGTH)]
    for a, b in zip(images_of(exact), images_of(folder), strict=True):
        assert np.array_equal(a, b)


def test_without_output_the_result_lies_here_under_the_clips_name(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mien("--driving", clip) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["mien-talk.mp4"]


def test_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    from mien.engine.utils.assets import DEMO_MOTION

    assert mien("--demo", "--crop", "--size", "128") == 0
    recording = load_recording(DEMO_MOTION)
    times, last = video_times(tmp_path / "mien-demo.mp4")
    assert len(times) == len(recording) and 8 <= times[-1] + last <= 15
    said = capsys.readouterr().out
    assert "render" in said and "fps" in said and said.splitlines()[-1] == "mien-demo.mp4"
    made = images_of(tmp_path / "mien-demo.mp4")
    assert max(difference(image, made[0]) for image in made) > 1, "it moves"


def test_recorded_motion_plays_as_its_clip_did(clip: Path, tmp_path: Path) -> None:
    motion = tmp_path / "talk.npz"
    assert mien("--driving", clip, "--output", tmp_path / "a", "--save-motion", motion) == 0
    assert mien("--driving", motion, "--output", tmp_path / "b") == 0
    direct, played = images_of(tmp_path / "a"), images_of(tmp_path / "b")
    assert max(difference(image, direct[0]) for image in direct) > 0.1, "it moves"
    for a, b in zip(direct, played, strict=True):
        assert difference(a, b) < 0.1


def test_motion_alone_renders_nothing(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    motion = tmp_path / "talk.npz"
    assert mien("--driving", clip, "--save-motion", motion) == 0
    assert "render:" not in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [motion]
    assert len(load_recording(motion)) == LENGTH


def test_the_reference_can_be_chosen(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    motion = tmp_path / "talk.npz"
    for choice, expected in (("first", 0), ("3", 3), ("best", None)):
        assert mien("--driving", clip, "--save-motion", motion, "--reference", choice) == 0
        moved = [np.abs(m.regions).max() for m in load_recording(motion) if m is not None]
        assert len(moved) == LENGTH
        if expected is not None:
            assert int(np.argmin(moved)) == expected and moved[expected] < 2e-3
    assert "reference: frame 3" in capsys.readouterr().out


def test_a_clip_that_begins_with_an_open_mouth_has_another_reference(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = talking(carphone, 61)
    clip = make_driver(tmp_path / "shout.mp4", frames[60:48:-1])
    motion = tmp_path / "talk.npz"
    assert mien("--driving", clip, "--save-motion", motion) == 0
    said = re.search(r"reference: frame (\d+): in the first, 0, the .*", capsys.readouterr().out)
    assert said is not None and int(said[1]) >= 5
    moved = [0.0 if m is None else float(np.abs(m.regions).max()) for m in load_recording(motion)]
    assert min(moved[:4]) > 0, "the driver is known from the first frame on"
    assert moved[int(said[1])] < 0.5 * moved[0]


def test_only_named_regions_move(clip: Path, tmp_path: Path) -> None:
    words = ["--driving", clip, "--head", "0", "--turn", "0", "--expression", "4"]
    assert mien(*words, "--output", tmp_path / "all") == 0
    assert mien(*words, "--output", tmp_path / "mouth", "--only", "mouth") == 0
    everything, mouth = images_of(tmp_path / "all"), images_of(tmp_path / "mouth")
    still = everything[0]
    brows = slice(95, 118), slice(190, 262)
    lips = slice(140, 165), slice(200, 255)
    assert max(difference(image[brows], still[brows]) for image in everything) > 0.3
    assert max(difference(image[brows], still[brows]) for image in mouth) < 0.1
    assert max(difference(image[lips], still[lips]) for image in mouth) > 0.3


@pytest.mark.slow
def test_portraits_come_back_whole_at_their_own_or_the_wished_size(
    clip: Path, astronaut: Image, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.png"
    Pil.fromarray(cv2.resize(astronaut[:331], (1537, 993))).save(wide)
    for words, size in (([], (1024, 662)), (["--size", "400"], (400, 258)), (["--crop"], (512, 512))):
        out = tmp_path / f"out{size[0]}"
        assert mien("--driving", clip, "--avatar", wide, "--output", out, *words) == 0
        height, width = images_of(out)[0].shape[:2]
        assert (width, abs(height - size[1]) <= 1) == (size[0], True)


def portraits(astronaut: Image) -> dict[str, Callable[[Path], None]]:
    photo = Pil.fromarray(astronaut)

    def turned(path: Path) -> None:
        exif = Pil.Exif()
        exif[0x112] = 6
        photo.rotate(90, expand=True).save(path, exif=exif)

    def transparent(path: Path) -> None:
        alpha = np.full((512, 512, 1), 255, np.uint8)
        alpha[:, 400:] = 0
        Pil.fromarray(np.concatenate([astronaut, alpha], axis=2)).save(path)

    def deep(path: Path) -> None:
        cv2.imwrite(str(path), astronaut[..., ::-1].astype(np.uint16) * 257)

    return {
        "turned.jpg": turned,
        "transparent.png": transparent,
        "deep.png": deep,
        "grey.png": lambda path: photo.convert("L").save(path),
        "print.jpg": lambda path: photo.convert("CMYK").save(path),
    }


@pytest.mark.parametrize("name", ["turned.jpg", "transparent.png", "deep.png", "grey.png", "print.jpg"])
def test_any_photo(name: str, clip: Path, astronaut: Image, tmp_path: Path) -> None:
    portrait = tmp_path / name
    portraits(astronaut)[name](portrait)
    assert mien("--driving", clip, "--avatar", portrait, "--output", tmp_path / "out") == 0
    expected = astronaut.copy()
    if name == "grey.png":
        expected = np.repeat(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if name == "transparent.png":
        expected[:, 400:] = 255
    # The driver's first frame is its reference: the portrait as it is.
    assert difference(images_of(tmp_path / "out")[0], expected) < 4


def test_several_faces_and_cut_ones_are_said(
    frames: list[np.ndarray], astronaut: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smaller = np.zeros_like(frames[0])
    smaller[:216, :264] = cv2.resize(frames[0], (264, 216))
    clip = make_driver(tmp_path / "pair.mp4", [np.concatenate([image, smaller], axis=1) for image in frames])
    portrait = tmp_path / "cut.png"
    Pil.fromarray(np.ascontiguousarray(astronaut[:, 205:])).save(portrait)
    assert mien("--driving", clip, "--avatar", portrait, "--output", tmp_path / "out.mp4") == 0
    said = capsys.readouterr().out
    assert "pair.mp4 shows 2 faces; the largest drives" in said
    assert "cut.png is cut by the image's border" in said


def test_a_face_lost_in_mid_clip(
    frames: list[np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = frames[:6] + [BLACK] * 16 + frames[:8]
    clip = make_driver(tmp_path / "lost.mp4", images)
    words = ["--driving", clip, "--output", tmp_path / "out", "--expression", "3"]
    assert mien(*words) == 0
    made = images_of(tmp_path / "out")
    assert len(made) == len(images)
    assert "no face in 16 of 30 frames" in capsys.readouterr().out
    still = made[0]
    assert difference(made[6], made[5]) < 0.05, "it holds"
    assert difference(made[6 + 13], still) < 0.05, "it rests after half a second"
    steps = [difference(a, b) for a, b in pairwise(made[5:])]
    farthest = max(difference(image, still) for image in made)
    assert max(steps) < 0.6 * farthest, "nothing jumps"


def stopping_after(
    monkeypatch: pytest.MonkeyPatch, count: int, number: int = signal.SIGINT, again: bool = False
) -> None:
    """Raise the signal in the middle of writing image ``count`` (from 1)."""
    write = VideoFileSink.write
    seen: list[float] = []

    def interrupted(sink: VideoFileSink, image: Image, moment: float) -> None:
        seen.append(moment)
        if len(seen) == count:
            signal.raise_signal(number)
            if again:
                signal.raise_signal(number)
        write(sink, image, moment)

    monkeypatch.setattr(VideoFileSink, "write", interrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_file(
    number: int,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stopping_after(monkeypatch, 3, number)
    out, motion = tmp_path / "out.mp4", tmp_path / "out.npz"
    assert mien("--driving", clip, "--output", out, "--save-motion", motion) == 0
    assert video_times(out)[0] == pytest.approx(STEPS[:3], abs=1e-3)
    assert len(load_recording(motion)) == 3
    assert "stopped after 3 frames" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == [out, motion]


def test_ctrl_c_while_waiting_for_a_frame_finishes_the_file(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames_of = VideoFileSource.__iter__

    def interrupted(source: VideoFileSource):
        for frame in frames_of(source):
            if frame.index == 4:
                signal.raise_signal(signal.SIGINT)
            yield frame

    monkeypatch.setattr(VideoFileSource, "__iter__", interrupted)
    assert mien("--driving", clip, "--reference", "first", "--output", tmp_path / "out.mp4") == 0
    assert len(video_times(tmp_path / "out.mp4")[0]) == 4


def test_ctrl_c_in_the_search_for_a_reference_writes_nothing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    look = ClipReference.look

    def interrupted(search: ClipReference, frame: Frame) -> None:
        if frame.index == 4:
            signal.raise_signal(signal.SIGINT)
        look(search, frame)

    monkeypatch.setattr(ClipReference, "look", interrupted)
    assert mien("--driving", clip, "--output", tmp_path / "out.mp4") == 130
    assert list(tmp_path.iterdir()) == [] and "Traceback" not in capsys.readouterr().err


def test_a_second_ctrl_c_gives_up_and_leaves_nothing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping_after(monkeypatch, 3, again=True)
    assert mien("--driving", clip, "--output", tmp_path / "out.mp4") == 130
    assert capsys.readouterr().err == "mien: stopped.\n"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_as_the_terminal_sends_it(carphone: Path, tmp_path: Path) -> None:
    """A process of its own, stopped while it works on a folder of images that can be watched."""
    out = tmp_path / "images"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_live.py"), "--driving", str(carphone), "--output", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    end = time.monotonic() + 60
    while not list(tmp_path.glob(".images.part*/000002.png")) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == "" and "stopped after" in said
    assert 3 <= len(list(out.iterdir())) < 120
    assert list(tmp_path.iterdir()) == [out]


def test_another_person_who_takes_over_is_said_with_the_time(
    frames: list[np.ndarray], astronaut: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = frames[0].shape[1], frames[0].shape[0]
    other = np.asarray(cv2.resize(astronaut[:256, 60:400], size), np.uint8)
    path = make_video(tmp_path / "two.mp4", [*frames, *[other] * 20])
    out, motion = tmp_path / "out.mp4", tmp_path / "out.npz"
    assert mien("--driving", path, "--output", out, "--save-motion", motion, "--size", 256) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "in two.mp4 another face takes over at 0.8 s: the avatar rests there" in said
    assert len(video_times(out)[0]) == 28
    recorded = load_recording(motion)
    rest = [index for index, motion in enumerate(recorded.motions) if motion is None]
    assert rest[0] == 8
    assert 10 <= len(rest) <= 14
    shapes = [motion.shape for motion in recorded.motions if motion is not None]
    assert all(shape is shapes[0] for shape in shapes[:8])
    assert all(shape is shapes[8] for shape in shapes[8:])
    first, second = shapes[0], shapes[8]
    assert first is not None and second is not None
    assert np.abs(first.nodes - second.nodes).mean() > 0.01  # each relative to their own face
