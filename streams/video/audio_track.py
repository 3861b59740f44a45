"""Carries the sound of one file over to another, in step with the picture."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from mien.streams.video.containers import media_origin, open_input, picture_stream, sound_stream
from mien.streams.video.encodings import Encoding
from mien.streams.video.ffmpeg import FFmpegError, av


class AudioTrack:
    """Sound packets of ``path``, muxed into ``output`` up to a given time.

    Copied as they are where the container takes the codec, otherwise encoded anew. Times are counted from
    the same zero as the pictures that :class:`~mien.streams.video.VideoFileSource` gives.
    """

    def __init__(self, path: Path, output: Any, encoding: Encoding) -> None:
        self.notes: list[str] = []
        self._output = output
        self._input = open_input(path)
        self._source = sound_stream(self._input)
        self._origin = media_origin(self._input)
        self.picture_end = _end(picture_stream(self._input), self._origin)
        self._packets: Iterator[tuple[Fraction, Any]] = iter(())
        self._next: tuple[Fraction, Any] | None = None
        if self._source is None:
            return
        if encoding.sound_codec is None:
            self.notes.append(
                f"{encoding.muxer.upper()} files have no sound: that of {path.name} was left out."
            )
            return
        self._start(encoding)

    def _start(self, encoding: Encoding) -> None:
        assert self._source is not None and encoding.sound_codec is not None
        name = self._source.codec_context.codec.canonical_name
        if name in encoding.copied_sound:
            packets = self._copied(self._output.add_stream_from_template(self._source))
        else:
            name = encoding.sound_codec
            context = self._source.codec_context
            rate = 48_000 if encoding.sound_codec == "libopus" else min(context.sample_rate, 48_000)
            target = self._output.add_stream(encoding.sound_codec, rate=rate)
            target.codec_context.layout = "mono" if context.layout.nb_channels == 1 else "stereo"
            target.codec_context.bit_rate = 96_000 * target.codec_context.layout.nb_channels
            packets = self._encoded(target)
        # Opus carries the length of its lead-in itself, in every container.
        keep_all = encoding.trims_priming or name in ("opus", "libopus")
        self._packets = packets if keep_all else _without_priming(packets)

    def mux_until(self, seconds: float | Fraction) -> None:
        """Write the sound that starts before ``seconds``."""
        while (item := self._next or next(self._packets, None)) is not None:
            self._next = item
            if item[0] >= seconds:
                return
            self._next = None
            self._output.mux_one(item[1])

    def mux_rest(self) -> None:
        """Write all the sound there is left."""
        self.mux_until(Fraction(10**9))

    def close(self) -> None:
        self._input.close()

    def _copied(self, target: Any) -> Iterator[tuple[Fraction, Any]]:
        last: int | None = None
        for packet in self._demuxed():
            # Times that run backwards end the muxer with an error; such packets are damage.
            if packet.pts is None or packet.dts is None or (last is not None and packet.dts <= last):
                continue
            last = packet.dts
            shift = round(self._origin / packet.time_base)
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = target
            yield packet.pts * Fraction(packet.time_base), packet

    def _encoded(self, target: Any) -> Iterator[tuple[Fraction, Any]]:
        for frame in self._resampled(target.codec_context):
            for packet in target.encode(frame):
                yield packet.pts * Fraction(packet.time_base), packet

    def _resampled(self, context: Any) -> Iterator[Any | None]:
        """Frames in the encoder's format and length, then None, which empties the encoder."""
        if not context.is_open:  # writing the header opens it
            context.open()
        resampler = av.AudioResampler(
            context.format, context.layout, context.sample_rate, context.frame_size or None
        )
        assert self._source is not None
        for frame in self._decoded():
            if frame.pts is not None:
                frame.time_base = frame.time_base or self._source.time_base
                frame.pts -= round(self._origin / frame.time_base)
            yield from resampler.resample(frame)
        yield from resampler.resample(None)
        yield None

    def _decoded(self) -> Iterator[Any]:
        for packet in self._demuxed():
            yield from self._decoded_packet(packet)
        yield from self._decoded_packet(None)

    def _decoded_packet(self, packet: Any | None) -> list[Any]:
        assert self._source is not None
        try:
            frames: list[Any] = self._source.codec_context.decode(packet)
            return frames
        except (FFmpegError, EOFError):
            return []  # a click in the sound is no reason to lose the picture

    def _demuxed(self) -> Iterator[Any]:
        try:
            for packet in self._input.demux(self._source):
                if packet.size:
                    yield packet
        except FFmpegError as error:
            self.notes.append(f"The sound is damaged ({error.strerror}) and was carried over up to there.")


def _without_priming(packets: Iterator[tuple[Fraction, Any]]) -> Iterator[tuple[Fraction, Any]]:
    """Leave out the encoder's lead-in (AAC 21 ms, MP3 23 ms), which Matroska and AVI cannot mark.

    Left in, it would move either the whole picture or the sound by that much.
    """
    for start, packet in packets:
        if start + Fraction(packet.duration or 0) * packet.time_base / 2 >= 0:
            yield start, packet


def _end(stream: Any | None, origin: Fraction) -> Fraction | None:
    """When the picture track ends, in seconds from ``origin``; None when unknown."""
    if stream is None or stream.duration is None or not stream.time_base:
        return None
    ticks = int(stream.start_time or 0) + int(stream.duration)
    return ticks * Fraction(stream.time_base) - origin
