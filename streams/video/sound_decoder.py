"""Decoded sound as mono or stereo float samples, whatever the file's channels, rate and time stamps."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mien.engine.types import Floats
from mien.streams.video.ffmpeg import FFmpegError, av

HALF_POWER = 0.7071
"""-3 dB, the share of a centre or surround speaker on each side (ITU-R BS.775)."""

JITTER = Fraction(1, 20)
"""Seconds by which time stamps may be off without a gap being meant: containers round to milliseconds."""

LONGEST_GAP = 600
"""Seconds of silence that a jump of the time stamps may mean; beyond that the time stamps are damaged."""

PLANES = 8
"""From so many channels on PyAV (18.1) reads the planes of a frame beyond their end."""

_LEFT = {"FL", "FLC", "BL", "SL", "WL", "TFL", "TBL", "TSL", "SDL", "DL"}
_RIGHT = {"FR", "FRC", "BR", "SR", "WR", "TFR", "TBR", "TSR", "SDR", "DR"}
_FRONT = {"FL", "FR", "DL", "DR"}
_SILENT = {"LFE", "LFE2"}
_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0}


@dataclass(frozen=True, slots=True)
class Samples:
    """A piece of sound.

    Attributes:
        data: ``(channels, n) float32``, one channel or two.
        start: time stamp of the first sample in seconds; None where the decoder gives none.
        rate: samples per second.
    """

    data: Floats
    start: Fraction | None
    rate: int


class SoundDecoder:
    """Decodes a sound track to mono or stereo.

    PyAV (18.1) frees the channel map of an ``AVChannelLayout`` that it does not own: looking at a layout
    without a standard order (7.1 in MOV, say) corrupts the heap, and so does every frame decoded with it.
    The layout is therefore looked at once, kept alive for ever, and replaced by one in standard order before
    the decoder is opened.

    Args:
        stream: PyAV audio stream whose decoder has not been opened yet.

    Attributes:
        mono: whether the track has one channel.
        rate: the track's nominal sampling rate.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        layout = _immortal(stream.codec_context.layout)
        self._count = int(layout.nb_channels)
        self._speakers = tuple(channel.name for channel in layout.channels)
        self.mono = self._count == 1
        self.rate = int(stream.codec_context.sample_rate)
        self._mixes: dict[tuple[str, ...], Floats] = {}
        stream.codec_context.layout = _in_order(layout.name, self._count)

    def decode(self, packet: Any | None) -> Iterator[Samples]:
        """The samples in ``packet`` (None: what is left in the decoder); damaged packets give nothing."""
        try:
            frames = self._stream.codec_context.decode(packet)
        except (FFmpegError, EOFError):
            return  # a click in the sound is no reason to lose the rest
        for frame in frames:
            yield self._samples(frame)

    def _samples(self, frame: Any) -> Samples:
        speakers = self._speakers
        layout = frame.layout
        if layout.nb_channels != self._count:
            speakers = tuple(channel.name for channel in _immortal(layout).channels)
        channels = _channels(frame, len(speakers))
        start = None
        if frame.pts is not None:
            start = Fraction(frame.pts) * Fraction(frame.time_base or self._stream.time_base)
        return Samples(self._mixed(channels, speakers), start, int(frame.sample_rate))

    def _mixed(self, channels: Floats, speakers: tuple[str, ...]) -> Floats:
        if channels.shape[0] == (1 if self.mono else 2):
            return channels
        if speakers not in self._mixes:
            self._mixes[speakers] = mix_matrix(speakers, 1 if self.mono else 2)
        return np.asarray(self._mixes[speakers] @ channels, np.float32)


def mix_matrix(speakers: Sequence[str], outputs: int) -> Floats:
    """``(outputs, channels) float32`` gains from named speakers to mono or stereo.

    Centre and surround at -3 dB, no low-frequency effects, every row scaled so that nothing clips. Of
    ambisonic sound the omnidirectional channel is taken; channels without a name go to both sides.

    Args:
        speakers: FFmpeg's names of the channels (``"FL"``, ``"LFE"``, ..., ``"NONE"`` for unnamed).
        outputs: 1 or 2.
    """
    gains = np.zeros((2, len(speakers)), np.float32)
    if "AMBI0" in speakers:
        gains[:, list(speakers).index("AMBI0")] = 1.0
    for channel, name in enumerate(speakers):
        if name in _SILENT or name.startswith("AMBI"):
            continue
        gain = 1.0 if name in _FRONT else HALF_POWER
        gains[0, channel] = 0.0 if name in _RIGHT else gain
        gains[1, channel] = 0.0 if name in _LEFT else gain
    if outputs == 1:
        gains = gains.sum(axis=0, keepdims=True)
    total = gains.sum(axis=1, keepdims=True)
    return np.asarray(gains / np.where(total > 0, total, 1.0), np.float32)


class Timeline:
    """Pieces of sound joined without a gap or an overlap, at one rate, as PyAV frames.

    Frames without time stamps (what a WMA decoder gives when it is emptied) follow the last sample; a jump
    forward becomes silence, and what overlaps is cut off.

    Args:
        mono: one channel instead of two.
        rate: of the frames that come out.
        origin: seconds that are subtracted from every time stamp.
        from_zero: begin at zero, with silence where the sound comes later (AVI cannot say that it does).
    """

    def __init__(self, mono: bool, rate: int, origin: Fraction, *, from_zero: bool = False) -> None:
        self._mono, self._rate, self._origin = mono, rate, origin
        self._next: int | None = 0 if from_zero else None
        self._jitter = Fraction(0) if from_zero else JITTER
        self._converters: dict[int, Any] = {}

    def frames(self, samples: Samples) -> Iterator[Any]:
        """``fltp`` frames with continuous time stamps in units of one sample."""
        start = None if samples.start is None else samples.start - self._origin
        for data in self._at_rate(samples):
            placed = self._placed(data, start)
            start = None
            if placed.shape[1]:
                yield self._frame(placed)

    def _at_rate(self, samples: Samples) -> Iterator[Floats]:
        if samples.rate == self._rate:
            yield samples.data
            return
        if samples.rate not in self._converters:
            self._converters[samples.rate] = av.AudioResampler("fltp", self._layout, self._rate)
        for frame in self._converters[samples.rate].resample(
            _frame(samples.data, self._layout, samples.rate)
        ):
            yield frame.to_ndarray()

    def _placed(self, data: Floats, start: Fraction | None) -> Floats:
        """``data`` with silence before it, or without what overlaps the samples before it."""
        if self._next is None:
            self._next = round((start or Fraction(0)) * self._rate)
            return data
        if start is None:
            return data
        gap = round(start * self._rate) - self._next
        jitter, self._jitter = self._jitter, JITTER
        if abs(gap) <= jitter * self._rate or gap > LONGEST_GAP * self._rate:
            return data
        if gap < 0:
            # Time stamps that start again (joined recordings) are no overlap.
            return data[:, -gap:] if -gap < data.shape[1] else data
        return np.concatenate([np.zeros((data.shape[0], gap), np.float32), data], axis=1)

    def _frame(self, data: Floats) -> Any:
        frame = _frame(data, self._layout, self._rate)
        frame.pts = self._next
        self._next = (self._next or 0) + data.shape[1]
        return frame

    @property
    def _layout(self) -> str:
        return "mono" if self._mono else "stereo"


def _frame(data: Floats, layout: str, rate: int) -> Any:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), format="fltp", layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    return frame


def _channels(frame: Any, count: int) -> Floats:
    """``(channels, n) float32`` in -1..1 of a PyAV ``AudioFrame`` of ``count`` channels."""
    if frame.format.is_planar and count >= PLANES:
        (frame,) = av.AudioResampler("flt").resample(frame)
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, count).T
    scale = _FULL_SCALE.get(array.dtype.str[1:])
    if scale is None:
        return np.asarray(array, np.float32)
    return np.asarray((array.astype(np.float32) - (scale if array.dtype.kind == "u" else 0)) / scale)


def _in_order(name: str, count: int) -> str:
    """A layout in standard order with as many channels: itself, or one without names."""
    try:
        known = "+" not in name and av.AudioLayout(name).nb_channels == count
    except ValueError:
        known = False
    return name if known else f"{count} channels"


def _immortal(layout: Any) -> Any:
    """The layout, never freed (a hundred bytes): freeing it would free the decoder's channel map."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout
