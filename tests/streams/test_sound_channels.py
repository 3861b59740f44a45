"""Sound of any channels, rate, codec and time stamps: carried over, or left out; the frames always come."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.media import RATE, beeps, delay_ms, gradient, make_video, read_sound, video_times

from mien.streams.video import VideoFileSink, VideoFileSource
from mien.streams.video.audio_track import AudioTrack
from mien.streams.video.ffmpeg import Disposition, FFmpegError, av
from mien.streams.video.sound_decoder import Samples, Timeline, mix_matrix

IMAGES = [gradient(i) for i in range(25)]
BEEPS = beeps([0.2, 0.7], 1.0)

CARRY = """
import sys
from pathlib import Path
from mien.streams.video import VideoFileSink, VideoFileSource
source, *targets = map(Path, sys.argv[1:])
for target in targets:
    with VideoFileSource(source) as frames, VideoFileSink(
        target, width=64, height=48, fps=25, audio_from=source
    ) as sink:
        for frame in frames:
            sink.write(frame.image, frame.time)
    print(sink.notes)
"""


def carry(source: Path, target: Path) -> list[str]:
    with (
        VideoFileSource(source) as frames,
        VideoFileSink(target, width=64, height=48, fps=25, audio_from=source) as sink,
    ):
        for frame in frames:
            sink.write(frame.image, frame.time)
    return sink.notes


def with_sound(
    path: Path, sound: np.ndarray, layout: str, codec: str, rate: int = RATE, sample_format: str = "fltp"
) -> Path:
    """25 frames, and ``(channels, n)`` sound that the encoder is given as it is."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        voice = out.add_stream(codec, rate=rate)
        voice.codec_context.layout = layout
        voice.codec_context.format = sample_format
        voice.codec_context.bit_rate = 64_000 * voice.codec_context.layout.nb_channels
        for index, image in enumerate(IMAGES):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        packed = sound.astype(np.float32).T.reshape(1, -1)  # PyAV cannot make planes of many channels
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format="flt", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        if not voice.codec_context.is_open:
            voice.codec_context.open()
        resampler = av.AudioResampler(sample_format, layout, rate, voice.codec_context.frame_size or None)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            out.mux(voice.encode(piece))
    return path


def test_channels_without_a_standard_order_do_not_end_the_process(tmp_path: Path) -> None:
    """7.1 PCM in MOV: its channel map must be neither looked at twice nor decoded with."""
    sound = np.tile(BEEPS, (8, 1)) * 0.2
    path = with_sound(tmp_path / "ch8.mov", sound, "7.1", "pcm_s24le", sample_format="s32")
    targets = [tmp_path / f"o.{ending}" for ending in ("mp4", "mov", "mkv", "avi", "webm")]
    done = subprocess.run(
        [sys.executable, "-c", CARRY, str(path), *map(str, targets)],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[]"] * 5
    for target in (targets[0], targets[3], targets[4]):
        heard, _ = read_sound(target)
        assert len(video_times(target)[0]) == 25
        assert delay_ms(heard, BEEPS) == pytest.approx(0, abs=2)
    assert all(target.is_file() for target in targets)


@pytest.mark.parametrize(
    ("layout", "count", "codec", "sample_format"),
    [
        ("5.1", 6, "pcm_s16le", "s16"),
        ("quad", 4, "pcm_s16le", "s16"),
        ("3 channels", 3, "pcm_s16le", "s16"),
        ("16 channels", 16, "pcm_s16le", "s16"),
        ("22.2", 24, "pcm_s16le", "s16"),
        ("7.1(wide)", 8, "aac", "fltp"),
    ],
)
def test_any_channels_are_mixed_down(
    tmp_path: Path, layout: str, count: int, codec: str, sample_format: str
) -> None:
    sound = np.tile(BEEPS, (count, 1))
    path = with_sound(tmp_path / "a.mkv", sound, layout, codec, sample_format=sample_format)
    target = tmp_path / ("o.mp4" if codec != "aac" else "o.avi")
    assert carry(path, target) == []
    heard, carried = read_sound(target)
    assert carried == ("aac" if codec != "aac" else "mp3")
    assert delay_ms(heard, BEEPS) == pytest.approx(0, abs=1.5)
    # Neither lost nor clipped: FFmpeg adds the two sides at -3 dB each.
    assert np.abs(heard).max() == pytest.approx(0.7 * 2**0.5, abs=0.1)


def test_left_stays_left() -> None:
    gains = mix_matrix(["FL", "FR", "FC", "LFE", "BL", "BR"], 2)
    assert gains[0, 0] > 0
    assert gains[1, 0] == 0  # the left speaker is not heard on the right
    assert gains[0, 5] == 0
    assert (gains[:, 3] == 0).all()
    assert gains.sum(axis=1) == pytest.approx([1, 1])
    assert mix_matrix(["AMBI0", "AMBI1", "AMBI2", "AMBI3"], 2).tolist() == [[1, 0, 0, 0]] * 2


@pytest.mark.parametrize("target", ["o.mp4", "o.mkv", "o.webm", "o.avi"])
def test_a_decoder_that_ends_without_time_stamps(tmp_path: Path, target: str) -> None:
    """Windows Media Audio; its sound starts late, too, which AVI can only say by silence."""
    path = with_sound(tmp_path / "a.wmv", np.tile(BEEPS, (2, 1)), "stereo", "wmav2")
    before, _ = read_sound(path)
    shift = second_time(path)
    assert carry(path, tmp_path / target) == []
    heard, _ = read_sound(tmp_path / target)
    lag = delay_ms(heard, BEEPS) - 1000 * second_time(tmp_path / target)
    assert lag == pytest.approx(delay_ms(before, BEEPS) - 1000 * shift, abs=2 if target != "o.avi" else 21)
    assert len(video_times(tmp_path / target)[0]) == 25


def second_time(path: Path) -> float:
    with VideoFileSource(path) as source:
        return list(source)[1].time  # AVI shows its first frame from zero on


@pytest.mark.parametrize("rate", [22_254, 11_127, 7_000, 4_000, 96_000])
@pytest.mark.parametrize("target", ["o.mp4", "o.avi", "o.webm"])
def test_rates_that_the_encoder_lacks(tmp_path: Path, rate: int, target: str) -> None:
    times = np.arange(rate) / rate
    tone = np.where((times > 0.4) & (times < 0.6), 0.5 * np.sin(2 * np.pi * 600 * times), 0)[None]
    path = with_sound(tmp_path / "a.mkv", tone, "mono", "pcm_u8", rate, "u8")
    assert carry(path, tmp_path / target) == []
    heard, _ = read_sound(tmp_path / target)
    loud = np.flatnonzero(np.abs(heard) > 0.2) / RATE
    assert loud[0] == pytest.approx(0.4, abs=0.015)
    assert loud[-1] == pytest.approx(0.6, abs=0.015)


def test_sound_that_the_container_refuses_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, sound=BEEPS)

    def refuse(self: AudioTrack, *_: object) -> None:
        raise ValueError("no such sound here")

    monkeypatch.setattr(AudioTrack, "_start", refuse)
    assert carry(path, tmp_path / "o.mp4") == ["The sound of a.mp4 was left out (no such sound here)."]
    assert len(video_times(tmp_path / "o.mp4")[0]) == 25


@pytest.mark.parametrize("error", [TypeError("odd"), FFmpegError(22, "Invalid argument")])
def test_sound_that_fails_on_the_way_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = make_video(tmp_path / "a.mp4", IMAGES, sound=BEEPS)
    copied = AudioTrack._copied

    def break_off(self: AudioTrack, target: object):
        for index, item in enumerate(copied(self, target)):
            if index == 10:
                raise error
            yield item

    monkeypatch.setattr(AudioTrack, "_copied", break_off)
    (note,) = carry(path, tmp_path / "o.mp4")
    assert note.startswith("The sound ends early: ")
    assert len(video_times(tmp_path / "o.mp4")[0]) == 25


def test_the_default_tracks_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    dark, bright = np.full((48, 64, 3), 30, np.uint8), np.full((48, 64, 3), 220, np.uint8)
    with av.open(str(path), "w") as out:
        videos = [out.add_stream("ffv1", rate=25) for _ in range(2)]
        voices = [out.add_stream("pcm_s16le", rate=RATE) for _ in range(2)]
        for streams in (videos, voices):
            streams[0].disposition = Disposition(0)
            streams[1].disposition = Disposition.default
        for video in videos:
            video.width, video.height, video.pix_fmt = 64, 48, "bgr0"
        for voice in voices:
            voice.codec_context.layout = "mono"
        for index in range(5):
            for video, image in zip(videos, (dark, bright), strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="bgr0")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                out.mux(video.encode(frame))
        for voice, level in zip(voices, (0.1, 0.6), strict=True):
            data = (np.full((1, RATE // 5), level) * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(data, format="s16", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
            out.mux(voice.encode(frame))
        for stream in (*videos, *voices):
            out.mux(stream.encode(None))
    with VideoFileSource(path) as source:
        assert next(iter(source)).image.mean() == pytest.approx(220, abs=1)
    carry(path, tmp_path / "o.mkv")
    assert read_sound(tmp_path / "o.mkv")[0].max() == pytest.approx(0.6, abs=0.01)


def test_gaps_become_silence_and_overlaps_are_cut() -> None:
    timeline = Timeline(True, 1000, Fraction(0))
    ones = np.ones((1, 100), np.float32)

    def put(start: float | None, rate: int = 1000) -> list[np.ndarray]:
        at = None if start is None else Fraction(start).limit_denominator(1000)
        return [f.to_ndarray() for f in timeline.frames(Samples(ones, at, rate))]

    assert put(0.5)[0].size == 100  # 0.5 to 0.6
    assert put(None)[0].size == 100  # to 0.7
    assert put(0.71)[0].size == 100  # rounding, no gap
    (late,) = put(1.0)  # 0.2 s of silence, to 1.1
    assert (late.size, late[0, :200].sum(), late[0, 200:].sum()) == (300, 0, 100)
    assert put(1.04)[0].size == 40  # what overlaps is cut off
    assert put(1e6)[0].size == 100  # damage, not eleven days of silence
