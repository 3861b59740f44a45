"""Writing video files: counts, times and colours survive, and nothing half-written is left."""

from __future__ import annotations

import errno
import os
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.media import gradient, video_times

from mien.engine.types import MienError
from mien.streams.factory import open_sink
from mien.streams.sink import same_file
from mien.streams.video import VideoFileSink, VideoFileSource
from mien.streams.video.encodings import encoding_for
from mien.streams.video.ffmpeg import av

NTSC = Fraction(30000, 1001)


def pictures(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    return [gradient(i, width, height) for i in range(count)]


def write(path: Path, images: list[np.ndarray], times: list[float] | None = None, **options) -> Path:
    height, width = images[0].shape[:2]
    options.setdefault("fps", 25)
    with VideoFileSink(path, width=width, height=height, **options) as sink:
        for index, image in enumerate(images):
            sink.write(image, times[index] if times else index / options["fps"])
    return path


def read(path: Path) -> tuple[np.ndarray, list[float]]:
    with VideoFileSource(path) as source:
        got = list(source)
    return np.array([f.image for f in got]), [f.time for f in got]


def only(folder: Path, *names: str) -> bool:
    return sorted(p.name for p in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize(
    ("suffix", "tick"),
    [("mp4", 1e-9), ("mov", 1e-9), ("mkv", 1e-3), ("webm", 1e-3), ("avi", 1e-9), ("gif", 1e-2)],
)
def test_counts_times_and_colours_survive(tmp_path: Path, suffix: str, tick: float) -> None:
    images = pictures(70)
    times = [i / NTSC for i in range(70)]
    path = write(tmp_path / f"out.{suffix}", images, [float(t) for t in times], fps=NTSC)
    assert only(tmp_path, path.name)
    got, got_times = read(path)
    assert got.shape == (70, 48, 64, 3)
    assert got_times == pytest.approx([float(t) for t in times], abs=tick / 2 + 1e-12)
    error = got.astype(int) - np.array(images)
    allowed = 2.5 if suffix == "gif" else 1.5
    assert np.abs(error).mean() < allowed
    assert abs(error.mean()) < 0.6


@pytest.mark.parametrize("size", [(64, 48), (1280, 720)])
@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 40, 30), (30, 60, 210)]
)
def test_flat_colours_come_back_within_two_levels(
    tmp_path: Path, size: tuple[int, int], colour: tuple
) -> None:
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = colour
    got, _ = read(write(tmp_path / "flat.mp4", [image] * 2))
    assert np.abs(got.astype(int) - image).max() <= 2


@pytest.mark.parametrize(("size", "spaces"), [((64, 48), (5, 6)), ((1280, 720), (1,))])
def test_the_matrix_is_tagged(tmp_path: Path, size: tuple[int, int], spaces: tuple[int, ...]) -> None:
    path = write(tmp_path / "tag.mp4", pictures(2, *size))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert frame.colorspace in spaces
    assert (frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "avi"])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_lossless_is_bit_exact(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, size[1], size[0], 3), np.uint8)
    got, times = read(write(tmp_path / f"out.{suffix}", list(noise), lossless=True))
    assert (got == noise).all()
    assert times == pytest.approx([i / 25 for i in range(5)], abs=1e-9)


def test_odd_sizes_gain_one_repeated_row_and_column(tmp_path: Path) -> None:
    images = pictures(3, 63, 47)
    got, _ = read(write(tmp_path / "odd.mp4", images, quality=4))
    assert got.shape == (3, 48, 64, 3)
    padded = np.pad(np.array(images), ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")
    assert np.abs(got.astype(int) - padded).mean() < 1.5


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (1, 1)])
def test_tiny_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    got, _ = read(write(tmp_path / "tiny.mp4", pictures(3, *size)))
    assert len(got) == 3


def test_variable_times_and_durations_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.033, 0.5, 0.51, 2.0]
    path = write(tmp_path / "vfr.mp4", pictures(5), times)
    assert video_times(path)[0] == pytest.approx(times, abs=1e-5)
    assert read(path)[1] == pytest.approx(times, abs=1e-5)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_the_file_is_as_long_as_its_pictures(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"o.{suffix}", pictures(4), [0.0, 0.5, 0.6, 2.0], fps=10)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        durations = [float(p.duration * stream.time_base) for p in container.demux(stream) if p.size]
        assert container.duration == pytest.approx(2_100_000, abs=1000)
    assert durations == pytest.approx([0.5, 0.1, 1.4, 0.1], abs=1e-3)


def test_the_last_picture_stands_for_one_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", pictures(10))
    assert video_times(path)[1] == pytest.approx(1 / 25)
    with av.open(str(path)) as container:
        assert container.duration == 400_000


def test_a_late_first_picture_stays_late(tmp_path: Path) -> None:
    path = write(tmp_path / "late.mp4", pictures(3), [0.4, 0.44, 0.48])
    assert video_times(path)[0] == pytest.approx([0.4, 0.44, 0.48])


def test_two_pictures_at_one_time_are_both_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "twice.mp4", pictures(4), [0.0, 0.04, 0.04, 0.08])
    times, _ = video_times(path)
    assert times == pytest.approx([0.0, 0.04, 0.04, 0.08], abs=2e-5)
    assert len(set(times)) == 4
    assert len(read(path)[0]) == 4


def test_mp4_starts_to_play_before_it_is_loaded(tmp_path: Path) -> None:
    data = write(tmp_path / "web.mp4", pictures(5)).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "web.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.codec.name, context.pix_fmt) == ("h264", "yuv420p")


def test_the_caller_may_reuse_its_array(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    path = tmp_path / "a.mkv"
    with VideoFileSink(path, width=64, height=48, fps=25, lossless=True) as sink:
        for value in range(5):
            image[:] = value * 10
            sink.write(image, value / 25)
    assert read(path)[0][:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]


def test_an_existing_file_is_replaced_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    sink = VideoFileSink(path, width=64, height=48, fps=25)
    for i in range(100):
        sink.write(gradient(i), i / 25)
    assert path.read_bytes() == b"precious"
    sink.close()
    sink.close()
    assert len(read(path)[0]) == 100
    assert only(tmp_path, "out.mp4")


def test_abort_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    sink = VideoFileSink(path, width=64, height=48, fps=25)
    for i in range(100):
        sink.write(gradient(i), i / 25)
    sink.abort()
    sink.close()
    assert only(tmp_path, "out.mp4")
    assert path.read_bytes() == b"precious"


def test_an_exception_aborts(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25) as sink:
        sink.write(gradient(), 0)
        raise RuntimeError
    assert only(tmp_path)


def test_no_picture_no_file(tmp_path: Path) -> None:
    sink = VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25)
    with pytest.raises(MienError, match="No frame was written"):
        sink.close()
    assert only(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none/out.mp4", "does not exist"),
        ("file/out.mp4", "is a file, not a folder"),
        ("out.xyz", "does not write '.xyz'"),
        ("folder.mp4", "is a folder"),
    ],
)
def test_places_that_cannot_be_written(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(MienError, match=expected) as caught:
        VideoFileSink(tmp_path / name, width=64, height=48, fps=25)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(MienError, match="is not writable"):
        VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25)


def test_a_full_disk_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25)
    sink.write(gradient(), 0)

    def full(*_: object) -> None:
        raise av.error.OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sink, "_encode", full)
    with pytest.raises(MienError, match="The disk is full"):
        sink.write(gradient(1), 0.04)
    assert only(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A real file system of 64 KiB, where this machine lets one mount it."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
        )
        if os.name == "posix" and os.geteuid() == 0
        else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_really_full_disk(small_disk: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 48, 64, 3), np.uint8)
    with pytest.raises(MienError, match="The disk is full"):
        write(small_disk / f"o.{suffix}", list(noise), lossless=True)
    assert only(small_disk)


def test_wrong_pictures_are_the_callers_fault(tmp_path: Path) -> None:
    with VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25) as sink:
        sink.write(gradient(), 0)
        for image in (gradient(0, 48, 64), gradient().astype(np.float32), gradient()[..., 0]):
            with pytest.raises(ValueError, match="expected"):
                sink.write(image, 1)
        for time in (float("nan"), -1.0):
            with pytest.raises(ValueError, match="time"):
                sink.write(gradient(), time)
    with pytest.raises(ValueError, match="after close"):
        sink.write(gradient(), 2)


@pytest.mark.parametrize("quality", [-1, 52])
def test_quality_has_limits(tmp_path: Path, quality: int) -> None:
    with pytest.raises(MienError, match="outside 0"):
        VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25, quality=quality)


def test_better_quality_is_nearer(tmp_path: Path) -> None:
    noise = (
        np.random.default_rng(0).normal(128, 30, (10, 48, 64, 1)).clip(0, 255).astype(np.uint8).repeat(3, -1)
    )
    for suffix in ("mp4", "webm", "avi"):
        errors = [
            np.abs(
                read(write(tmp_path / f"{q}.{suffix}", list(noise), quality=q))[0].astype(int) - noise
            ).mean()
            for q in (10, 40)
        ]
        assert errors[0] < errors[1] / 2


def test_gif_cannot_be_lossless(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="256 colours"):
        VideoFileSink(tmp_path / "o.gif", width=64, height=48, fps=25, lossless=True)


def test_the_file_being_read_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", pictures(3))
    (tmp_path / "link.mp4").symlink_to(path)
    before = path.read_bytes()
    for name in (path, tmp_path / "link.mp4", tmp_path / "x/../a.mp4"):
        (tmp_path / "x").mkdir(exist_ok=True)
        assert same_file(name, path)
        with pytest.raises(MienError, match="is the file being read"):
            open_sink(name, width=64, height=48, fps=25, audio_from=path)
    assert not same_file(path, tmp_path / "b.mp4")
    assert same_file(tmp_path / "new.mp4", tmp_path / "x/../new.mp4")
    assert path.read_bytes() == before


def test_avi_stays_in_step_with_uneven_times(tmp_path: Path) -> None:
    """Two seconds at 60 frames per second, then eight at 5: an average of 16."""
    times = [i / 60 for i in range(120)] + [2 + i / 5 for i in range(40)]
    with VideoFileSink(tmp_path / "o.avi", width=64, height=48, fps=16) as sink:
        for index, time in enumerate(times):
            sink.write(np.full((48, 64, 3), index, np.uint8), time)
    with VideoFileSource(tmp_path / "o.avi") as source:
        shown = [(frame.time, round(float(frame.image.mean()))) for frame in source]
    late = [at - times[index] for at, index in shown]
    assert max(late) < 2.1 / 16
    assert min(late) > -1.1 / 16
    assert shown[-1][1] == 159
    left_out = len(times) - len(shown)
    assert left_out > 60
    assert sink.notes == [
        f"AVI files have one frame rate: {left_out} of 160 frames were left out, so that it plays at the "
        "right speed. MP4 and MKV keep every frame."
    ]


@pytest.mark.parametrize("fps", [60, 100, 200])
def test_a_fast_gif_plays_at_its_speed_in_browsers(tmp_path: Path, fps: int) -> None:
    """They show delays under 20 ms as 100 ms."""
    with VideoFileSink(tmp_path / "o.gif", width=32, height=32, fps=fps) as sink:
        for index in range(fps):
            sink.write(gradient(index, 32, 32), index / fps)
    from PIL import Image as Pil

    with Pil.open(tmp_path / "o.gif") as shown:
        delays = []
        for index in range(shown.n_frames):
            shown.seek(index)
            delays.append(shown.info["duration"])
    assert min(delays) >= 20
    assert sum(delays) == pytest.approx(1000, abs=50)
    assert len(sink.notes) == 1
    assert "at most 50 frames per second" in sink.notes[0]


def test_an_even_rate_loses_no_frame_in_avi(tmp_path: Path) -> None:
    """Times rounded to milliseconds, as Matroska has them."""
    with VideoFileSink(tmp_path / "o.avi", width=32, height=32, fps=Fraction(30000, 1001)) as sink:
        for index in range(200):
            sink.write(gradient(index, 32, 32), round(index * 1001 / 30) / 1000)
    assert sink.notes == []
    assert len(video_times(tmp_path / "o.avi")[0]) == 200


@pytest.mark.parametrize("fps", [Fraction(1, 100_000), 0.001, 1_000_000])
def test_rates_of_damaged_files_are_written_all_the_same(tmp_path: Path, fps: Fraction | float) -> None:
    with VideoFileSink(tmp_path / "o.mp4", width=32, height=32, fps=fps) as sink:
        for index in range(3):
            sink.write(gradient(index, 32, 32), index / 25)
    assert video_times(tmp_path / "o.mp4")[0] == pytest.approx([0, 0.04, 0.08], abs=1e-4)


def test_a_recording_beside_a_live_run_looks_ahead_less_and_encodes_finer_for_that() -> None:
    """Each frame that x264 looks ahead takes memory, in proportion to its size."""
    usual = encoding_for(Path("out.mp4"), lossless=False, quality=10)
    live = encoding_for(Path("out.mp4"), lossless=False, quality=10, live=True)
    assert "rc-lookahead" not in usual.options and int(live.options["rc-lookahead"]) < 40
    assert int(live.options["crf"]) < int(usual.options["crf"])
    lossless = encoding_for(Path("out.mp4"), lossless=True, quality=10)
    assert encoding_for(Path("out.mp4"), lossless=True, quality=10, live=True) == lossless
