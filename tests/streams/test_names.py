"""Names as people give them: colons, digits of every kind, doubled frames; pipes; what a killed run left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes.media import beeps, gradient, make_video, video_times

from mien.engine.types import MienError
from mien.engine.utils.files import is_running
from mien.streams.factory import names_folder, open_sink, open_source
from mien.streams.folder import FrameFolderSink
from mien.streams.images import load_image, natural_key
from mien.streams.video import VideoFileSink, VideoFileSource
from mien.streams.video.ffmpeg import av

IMAGES = [gradient(i) for i in range(6)]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["12:30:45.mp4", "http:a.mp4", "a%03d.mp4", "a?*[1].mp4", "file:x.mp4"])
def test_a_name_is_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = make_video(tmp_path / "plain.mp4", IMAGES, sound=beeps([0.05], 0.24))
    plain.rename(tmp_path / name)
    with open_source(name) as source:
        assert len(list(source)) == 6
        with open_sink(f"out-{name}", width=64, height=48, fps=25, audio_from=Path(name)) as sink:
            for index, image in enumerate(IMAGES):
                sink.write(image, index / 25)
    assert {path.name for path in tmp_path.iterdir()} == {name, f"out-{name}"}
    assert len(video_times(tmp_path / f"out-{name}")[0]) == 6


@pytest.mark.parametrize(
    ("name", "hint"),
    [("file:///home/me/a.mp4", "without file://"), ("~/a.mp4", "Inside quotes ~"), ("no.mp4", "spelling")],
)
def test_a_name_that_is_not_there_has_its_hint(name: str, hint: str) -> None:
    with pytest.raises(MienError, match=hint):
        open_source(name)
    with pytest.raises(MienError, match=hint):
        load_image(name)


@pytest.mark.parametrize("name", ["img①.png", "x².png", "٣.png", "a①²3.png"])
def test_digits_of_every_kind_are_names(tmp_path: Path, name: str) -> None:
    for other in ("a1.png", name):
        with FrameFolderSink(tmp_path / other) as sink:
            sink.write(IMAGES[0], 0)
        (tmp_path / other / "000000.png").rename(tmp_path / other / name)
    with open_source(str(tmp_path / name)) as source:
        assert len(list(source)) == 1
    assert sorted([Path("img2"), Path("img10"), Path(name)], key=natural_key)


def test_a_frame_in_two_formats_is_one_frame(tmp_path: Path) -> None:
    from PIL import Image as Pil

    for index in range(3):
        Pil.fromarray(IMAGES[index]).save(tmp_path / f"img{index:03}.png")
        Pil.fromarray(IMAGES[index]).save(tmp_path / f"img{index:03}.jpg")
    with open_source(str(tmp_path)) as source:
        got = list(source)
    assert [(f.image == image).all() for f, image in zip(got, IMAGES, strict=False)] == [True] * 3
    assert len(source.notes) == 1
    assert "holds 3 frames twice" in source.notes[0]


SEND = """
import sys
import numpy as np
from mien.engine.types import MienError
from mien.streams.factory import open_sink
try:
    with open_sink("-", width=64, height=48, fps=25) as sink:
        for index in range(int(sys.argv[1])):
            sink.write(np.full((48, 64, 3), index % 250, np.uint8), index**1.5 / 25)
except MienError as error:
    sys.exit(f"said: {error}")
"""


def test_a_pipe_carries_every_pixel_and_time(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SEND, "5"], capture_output=True, check=True)
    assert not names_folder("-")
    (tmp_path / "got.nut").write_bytes(done.stdout)
    with VideoFileSource(tmp_path / "got.nut") as source:
        got = list(source)
    assert [f.time for f in got] == pytest.approx([i**1.5 / 25 for i in range(5)], abs=1e-4)
    assert all((f.image == f.index).all() for f in got)


def test_a_reader_that_ends_early_is_one_line() -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", SEND, "2000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.read(10_000)
    writer.stdout.close()
    said = writer.stderr.read().decode()
    assert writer.wait(20) == 1
    assert said.strip() == "said: The program that reads the frames from the pipe ended before they did."


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert not is_running(str(dead.pid))
    assert is_running(str(os.getpid()))
    mine = tmp_path / f".o.mp4.part-{os.getppid()}"
    for left in (tmp_path / f".o.mp4.part-{dead.pid}", tmp_path / f".other.mp4.part-{dead.pid}", mine):
        left.write_bytes(b"half")
    folder = tmp_path / f".frames.part-{dead.pid}"
    folder.mkdir()
    (folder / "000000.png").write_bytes(b"half")
    with VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25) as sink:
        sink.write(IMAGES[0], 0)
    with FrameFolderSink(tmp_path / "frames") as frames:
        frames.write(IMAGES[0], 0)
    # What runs, or belongs to another result, stays.
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["o.mp4", "frames", f".other.mp4.part-{dead.pid}", mine.name]
    )


def test_pyav_still_takes_a_colon_for_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why paths are made absolute: the day this fails, that can go."""
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "plain.mp4", IMAGES).rename(tmp_path / "12:30.mp4")
    with pytest.raises(Exception, match=r"rotocol|nvalid|not found"):
        av.open("12:30.mp4")
    assert np.array([1]).size
