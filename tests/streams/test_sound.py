"""The driver's sound goes into the result, in step with the picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.media import beeps, delay_ms, gradient, make_sound, make_video, read_sound, video_times

from mien.engine.types import MienError
from mien.streams.video import VideoFileSink, VideoFileSource
from mien.streams.video.ffmpeg import av

BEEPS = beeps([0.5, 1.3, 2.2], 3.0)
IMAGES = [gradient(i) for i in range(75)]


def carry(source_path: Path, target: Path, limit: int | None = None) -> tuple[Path, list[str]]:
    with VideoFileSource(source_path) as source:
        frames = list(source)[:limit]
        with VideoFileSink(target, width=64, height=48, fps=source.info.fps, audio_from=source_path) as sink:
            for frame in frames:
                sink.write(frame.image, frame.time)
    return target, sink.notes


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize(
    ("source", "codec", "target", "expected"),
    [
        ("a.mp4", "aac", "o.mp4", "aac"),
        ("a.mp4", "aac", "o.mov", "aac"),
        ("a.mp4", "aac", "o.mkv", "aac"),
        ("a.mp4", "aac", "o.webm", "opus"),
        ("a.mp4", "aac", "o.avi", "mp3"),
        ("a.mp4", "libmp3lame", "o.mp4", "mp3"),
        ("a.mkv", "ac3", "o.mp4", "ac3"),
        ("a.mkv", "libopus", "o.mp4", "opus"),
        ("a.mkv", "libopus", "o.mov", "aac"),
        ("a.mkv", "libopus", "o.webm", "opus"),
        ("a.mkv", "libopus", "o.avi", "mp3"),
        ("a.mkv", "pcm_s16le", "o.mp4", "aac"),
        ("a.mkv", "pcm_s16le", "o.mov", "pcm_s16le"),
        ("a.mkv", "pcm_s16le", "o.mkv", "pcm_s16le"),
        ("a.ts", "aac", "o.mp4", "aac"),
    ],
)
def test_sound_stays_in_step(tmp_path: Path, source: str, codec: str, target: str, expected: str) -> None:
    path = make_video(tmp_path / source, IMAGES, sound=BEEPS, sound_codec=codec)
    before, _ = read_sound(path)
    out, notes = carry(path, tmp_path / target)
    after, name = read_sound(out)
    assert name == expected
    assert notes == []
    lag_before = delay_ms(before, BEEPS) - 1000 * first_picture(path)
    lag_after = delay_ms(after, BEEPS) - 1000 * first_picture(out)
    assert abs(lag_after - lag_before) <= 1.5
    assert len(video_times(out)[0]) == 75


def first_picture(path: Path) -> float:
    with VideoFileSource(path) as source:
        return next(iter(source)).time


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus"])
def test_sound_that_fits_is_copied_packet_by_packet(tmp_path: Path, codec: str) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, sound=BEEPS, sound_codec=codec)
    out, _ = carry(path, tmp_path / "o.mp4")
    assert packets(out) == packets(path)


@pytest.mark.parametrize("offset", [0.3, 0.7])
def test_late_sound_stays_late(tmp_path: Path, offset: float) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, sound=BEEPS, sound_offset=offset)
    for target in ("o.mp4", "o.mkv", "o.webm"):
        out, _ = carry(path, tmp_path / target)
        assert delay_ms(read_sound(out)[0], BEEPS) == pytest.approx(1000 * offset, abs=2)


@pytest.mark.parametrize("target", ["o.mp4", "o.webm"])
def test_a_container_that_starts_late_keeps_its_sound_in_step(tmp_path: Path, target: str) -> None:
    ticks = [i + 1000 for i in range(75)]
    path = make_video(tmp_path / "a.ts", IMAGES, ticks, sound=BEEPS, sound_offset=40.0, muxer="mpegts")
    out, _ = carry(path, tmp_path / target)
    # The stream carries 21 ms of priming before its first picture, which is heard in it and stays.
    lag = delay_ms(read_sound(out)[0], BEEPS) - 1000 * first_picture(out)
    assert lag == pytest.approx(0, abs=2)
    assert first_picture(out) == pytest.approx(0, abs=0.03)


def test_late_pictures_stay_late(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, [i + 10 for i in range(75)], sound=BEEPS)
    out, _ = carry(path, tmp_path / "o.mp4")
    assert video_times(out)[0][0] == pytest.approx(0.4)
    assert delay_ms(read_sound(out)[0], BEEPS) == pytest.approx(0, abs=1)


def test_variable_frame_times_with_sound(tmp_path: Path) -> None:
    ticks = [0, 10, 300, 700, 701, 2900]
    path = make_video(tmp_path / "a.mp4", IMAGES[:6], ticks, time_base=Fraction(1, 1000), sound=BEEPS)
    out, _ = carry(path, tmp_path / "o.mp4")
    assert video_times(out)[0] == pytest.approx([t / 1000 for t in ticks], abs=1e-5)
    assert delay_ms(read_sound(out)[0], BEEPS) == pytest.approx(0, abs=1)


def test_sound_longer_than_the_picture_is_kept_when_the_picture_is_whole(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES[:50], sound=BEEPS)
    out, _ = carry(path, tmp_path / "o.mp4")
    assert read_sound(out)[0].size == pytest.approx(read_sound(path)[0].size, abs=1100)


def test_sound_ends_with_the_picture_when_it_was_stopped_early(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, sound=BEEPS)
    out, _ = carry(path, tmp_path / "o.mp4", limit=25)
    assert read_sound(out)[0].size / 48_000 == pytest.approx(1.0, abs=0.03)


def test_sound_shorter_than_the_picture(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, sound=BEEPS[:48_000])
    out, _ = carry(path, tmp_path / "o.mp4")
    assert len(video_times(out)[0]) == 75
    assert read_sound(out)[0].size / 48_000 == pytest.approx(1.0, abs=0.03)


def test_a_sound_file_can_be_the_source(tmp_path: Path) -> None:
    song = make_sound(tmp_path / "song.wav", BEEPS, "pcm_s16le")
    with VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25, audio_from=song) as sink:
        for i in range(50):
            sink.write(IMAGES[i], i / 25)
    heard, codec = read_sound(tmp_path / "o.mp4")
    assert codec == "aac"
    assert heard.size / 48_000 == pytest.approx(2.0, abs=0.03)
    assert delay_ms(heard, BEEPS[: 2 * 48_000]) == pytest.approx(0, abs=1)


def test_a_silent_source_gives_a_silent_file(tmp_path: Path) -> None:
    out, notes = carry(make_video(tmp_path / "a.mp4", IMAGES[:5]), tmp_path / "o.mp4")
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == 0
    assert notes == []


def test_gif_says_that_it_has_no_sound(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES[:5], sound=BEEPS)
    _, notes = carry(path, tmp_path / "o.gif")
    assert notes == ["GIF files have no sound: that of a.mp4 was left out."]


def test_lossless_keeps_the_sound_too(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, sound=BEEPS)
    with VideoFileSink(
        tmp_path / "o.mkv", width=64, height=48, fps=25, audio_from=path, lossless=True
    ) as sink:
        for i, image in enumerate(IMAGES):
            sink.write(image, i / 25)
    assert delay_ms(read_sound(tmp_path / "o.mkv")[0], BEEPS) == pytest.approx(0, abs=1)


def test_broken_sound_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", IMAGES, sound=BEEPS, sound_codec="aac")
    data = path.read_bytes()
    for packet in packets(path)[20:40]:
        data = data.replace(
            packet, np.random.default_rng(0).integers(0, 256, len(packet), np.uint8).tobytes()
        )
    path.write_bytes(data)
    for target in ("o.mp4", "o.webm"):
        out, _ = carry(path, tmp_path / target)
        assert len(video_times(out)[0]) == 75


def test_a_missing_sound_file(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="does not exist"):
        VideoFileSink(tmp_path / "o.mp4", width=64, height=48, fps=25, audio_from=tmp_path / "no.wav")
    assert list(tmp_path.iterdir()) == []
