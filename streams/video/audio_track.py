"""Sound of one file carried over to another, in step with the frames."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from mien.streams.video.containers import media_origin, open_input, sound_stream, video_stream
from mien.streams.video.encodings import Encoding
from mien.streams.video.ffmpeg import FFmpegError, av
from mien.streams.video.sound_decoder import SoundDecoder, Timeline

DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EIO, errno.EROFS, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
)

LATE = Fraction(1, 50)
"""Seconds after the first frame from which a sound's start counts as late."""


class AudioTrack:
    """Sound packets of ``path``, muxed into ``output`` up to a given time.

    Copied as they are where the container takes the codec, otherwise encoded anew. Times are counted from
    the same zero as the frames that :class:`~mien.streams.video.VideoFileSource` gives. Whatever is wrong
    with the sound costs the sound alone: it ends there, and a note says so.

    Args:
        path: file whose sound is carried over.
        output: PyAV ``OutputContainer``.
        encoding: what the output takes.
        copy: carry packets over as they are where possible.

    Raises:
        MienError: ``path`` cannot be opened.
    """

    def __init__(self, path: Path, output: Any, encoding: Encoding, *, copy: bool = True) -> None:
        self.notes: list[str] = []
        self._output = output
        self._input = open_input(path)
        self._source = sound_stream(self._input)
        self._origin = media_origin(self._input)
        self.video_end = _end(video_stream(self._input), self._origin)
        self.written = False
        self._packets: Iterator[tuple[Fraction, Any]] = iter(())
        self._next: tuple[Fraction, Any] | None = None
        if self._source is None:
            return
        if encoding.sound_codec is None:
            self.notes.append(
                f"{encoding.muxer.upper()} files have no sound: that of {path.name} was left out."
            )
            return
        self._start(encoding, copy)

    def _start(self, encoding: Encoding, copy: bool) -> None:
        assert self._source is not None and encoding.sound_codec is not None
        name = self._source.codec_context.codec.canonical_name
        late = self._source.start_time is not None and (
            Fraction(self._source.start_time) * self._source.time_base - self._origin > LATE
        )
        self._from_zero = encoding.muxer == "avi"
        if copy and name in encoding.copied_sound and not (late and self._from_zero):
            packets = self._copied(self._output.add_stream_from_template(self._source))
        else:
            name = encoding.sound_codec
            decoder = SoundDecoder(self._source)
            target = self._output.add_stream(name, rate=encoder_rate(name, decoder.rate))
            target.codec_context.layout = "mono" if decoder.mono else "stereo"
            target.codec_context.bit_rate = 96_000 * (1 if decoder.mono else 2)
            packets = self._encoded(decoder, target)
        # Opus carries the length of its lead-in itself, in every container.
        keep_all = encoding.trims_priming or name in ("opus", "libopus")
        self._packets = packets if keep_all else _without_priming(packets)

    def mux_until(self, seconds: float | Fraction) -> None:
        """Write the sound that starts before ``seconds``.

        Raises:
            OSError: the disk is full or fails; everything else ends the sound with a note.
        """
        try:
            self._mux_until(seconds)
        except Exception as error:  # whatever it is, it must not cost the frames
            if getattr(error, "errno", None) in DISK_ERRORS:
                raise
            self._packets, self._next = iter(()), None
            what = "ends early" if self.written else "was left out"
            self.notes.append(f"The sound {what}: {getattr(error, 'strerror', None) or error}.")

    def _mux_until(self, seconds: float | Fraction) -> None:
        while (item := self._next or next(self._packets, None)) is not None:
            self._next = item
            if item[0] >= seconds:
                return
            self._next = None
            self._output.mux_one(item[1])
            self.written = True

    def mux_rest(self) -> None:
        """Write all the sound there is left."""
        self.mux_until(Fraction(10**9))

    def close(self) -> None:
        """Close the file that the sound comes from."""
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

    def _encoded(self, decoder: SoundDecoder, target: Any) -> Iterator[tuple[Fraction, Any]]:
        for frame in self._resampled(decoder, target.codec_context):
            for packet in target.encode(frame):
                yield packet.pts * Fraction(packet.time_base), packet

    def _resampled(self, decoder: SoundDecoder, context: Any) -> Iterator[Any | None]:
        """Frames in the encoder's format and length, then None, which empties the encoder."""
        if not context.is_open:  # writing the header opens it
            context.open()
        resampler = av.AudioResampler(
            context.format, context.layout, context.sample_rate, context.frame_size or None
        )
        timeline = Timeline(decoder.mono, decoder.rate, self._origin, from_zero=self._from_zero)
        for packet in chain(self._demuxed(), [None]):
            for samples in decoder.decode(packet):
                for frame in timeline.frames(samples):
                    yield from resampler.resample(frame)
        yield from resampler.resample(None)
        yield None

    def _demuxed(self) -> Iterator[Any]:
        try:
            for packet in self._input.demux(self._source):
                if packet.size:
                    yield packet
        except FFmpegError as error:
            self.notes.append(f"The sound is damaged ({error.strerror}) and was carried over up to there.")


def encoder_rate(codec: str, rate: int) -> int:
    """The encoder's lowest sampling rate that keeps what a sound of ``rate`` Hz holds, 48 kHz at most."""
    rates = sorted(r for r in av.Codec(codec, "w").audio_rates or (48_000,) if r <= 48_000)
    if codec == "libopus":
        return 48_000  # what every player decodes it to
    return next((r for r in rates if r >= rate), rates[-1])


def _without_priming(packets: Iterator[tuple[Fraction, Any]]) -> Iterator[tuple[Fraction, Any]]:
    """Leave out the encoder's lead-in (AAC 21 ms, MP3 23 ms), which Matroska and AVI cannot mark.

    Left in, it would move either the frames or the sound by that much.
    """
    for start, packet in packets:
        if start + Fraction(packet.duration or 0) * packet.time_base / 2 >= 0:
            yield start, packet


def _end(stream: Any | None, origin: Fraction) -> Fraction | None:
    """When the video track ends, in seconds from ``origin``; None when unknown."""
    if stream is None or stream.duration is None or not stream.time_base:
        return None
    ticks = int(stream.start_time or 0) + int(stream.duration)
    return ticks * Fraction(stream.time_base) - origin
