"""Makes small video and sound files with PyAV alone, so that our own writer is not its own judge."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from mien.streams.video.ffmpeg import av  # OpenCV before PyAV: see there

RATE = 48_000


def gradient(index: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    """A smooth coloured image that differs from frame to frame: what subsampled chroma can carry."""
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    phase = index / 10
    red = 128 + 90 * np.sin(2 * x + phase) * np.ones_like(y)
    green = 128 + 90 * np.cos(2 * y + phase) * np.ones_like(x)
    blue = 40 + 160 * (x + y) / 2
    return np.stack([red, green, np.broadcast_to(blue, red.shape)], -1).round().astype(np.uint8)


def beeps(starts: Sequence[float], seconds: float) -> np.ndarray:
    """Mono float sound: silence with a 40 ms, 1 kHz beep at each start time."""
    sound = np.zeros(round(seconds * RATE), np.float32)
    tone = 0.7 * np.sin(2 * np.pi * 1000 * np.arange(round(0.04 * RATE)) / RATE)
    for start in starts:
        first = round(start * RATE)
        sound[first : first + tone.size] += tone[: max(0, sound.size - first)]
    return sound


def make_video(
    path: Path,
    images: Sequence[np.ndarray],
    ticks: Sequence[int] | None = None,
    *,
    time_base: Fraction = Fraction(1, 25),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    rotation: int | None = None,
    sound: np.ndarray | None = None,
    sound_codec: str = "aac",
    sound_offset: float = 0.0,
    colour: dict[str, int] | None = None,
    muxer: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write ``images`` at ``ticks`` (of ``time_base``) with an optional sound track."""
    colour = colour or {}
    with av.open(str(path), "w", format=muxer) as out:
        stream = out.add_stream(
            codec, rate=25, options={"crf": "4"} | (options or {}) if "264" in codec else options
        )
        stream.width, stream.height = images[0].shape[1], images[0].shape[0]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        for key, value in colour.items():
            setattr(stream.codec_context, key, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        voice = add_sound_stream(out, sound_codec) if sound is not None else None
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format=pixel_format,
                dst_colorspace=colour.get("colorspace"),
                dst_color_range=colour.get("color_range"),
                interpolation="BILINEAR",
            )
            frame.pts = ticks[index] if ticks else index
            frame.time_base = time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if voice is not None:
            mux_sound(out, voice, sound, sound_offset)
    return path


def add_sound_stream(out, codec: str):
    stream = out.add_stream(codec, rate=RATE)
    stream.codec_context.layout = "mono"
    return stream


def mux_sound(out, stream, sound: np.ndarray, offset: float = 0.0) -> None:
    if not stream.codec_context.is_open:
        stream.codec_context.open()
    resampler = av.AudioResampler(
        stream.codec_context.format, "mono", RATE, stream.codec_context.frame_size or None
    )
    frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), round(offset * RATE)
    for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
        out.mux(stream.encode(piece))


def make_sound(path: Path, sound: np.ndarray, codec: str) -> Path:
    with av.open(str(path), "w") as out:
        mux_sound(out, add_sound_stream(out, codec), sound)
    return path


def read_sound(path: Path) -> tuple[np.ndarray, str]:
    """All sound of a file as mono float at 48 kHz, laid out on the time axis of the video; codec name.

    Time zero is that of the container, as a player has it.
    """
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", "mono", RATE)
        zero = max(0.0, (container.start_time or 0) / 1e6)
        track = np.zeros(20 * RATE, np.float32)
        end = 0
        for frame in container.decode(stream):
            for piece in resampler.resample(frame):
                data = piece.to_ndarray()[0]
                # Some decoders give their last samples no time: those that follow.
                first = end if piece.time is None else round((piece.time - zero) * RATE)
                data = data[max(0, -first) :]
                first = max(0, first)
                track[first : first + data.size] = data
                end = max(end, first + data.size)
        return track[:end], stream.codec_context.codec.canonical_name


def delay_ms(heard: np.ndarray, meant: np.ndarray) -> float:
    """By how many ms ``heard`` comes after ``meant`` (peak of the cross-correlation of envelopes)."""
    size = 1 << int(np.ceil(np.log2(heard.size + meant.size)))
    envelopes = [np.convolve(np.abs(s), np.ones(96) / 96, "same")[::8] for s in (heard, meant)]
    a, b = (np.fft.rfft(e, size) for e in envelopes)
    correlation = np.fft.irfft(a * np.conj(b), size)
    lag = int(correlation.argmax())
    return (lag - size if lag > size // 2 else lag) * 8 / RATE * 1000


def video_times(path: Path) -> tuple[list[float], float]:
    """Presentation times of all frames as a player has them, and the last frame's duration (seconds)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
        base = stream.time_base
        times = sorted(float(p.pts * base) for p in packets)
        last = max(packets, key=lambda p: p.pts)
        return times, float((last.duration or 0) * base)
