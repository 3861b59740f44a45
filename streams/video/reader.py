"""Video files as a source: every frame that FFmpeg can decode, with its exact time."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from mien.engine.types import Frame, MienError, SourceError
from mien.engine.utils.bit_depth import depth_of, white_of
from mien.streams.source import Source, SourceInfo
from mien.streams.video.colour import DEEP_FORMATS, RgbConverter, deep_array
from mien.streams.video.containers import media_origin, open_input, sound_stream, video_stream
from mien.streams.video.ffmpeg import FFmpegError

DEFAULT_FPS = Fraction(25)
SANE_RATE = (Fraction(1, 1000), Fraction(1_000_000))
"""Frame rates outside of these are damage."""

UNFREED_BYTES = 256 * 2**20
"""Size of the images after which decoded frames are freed.

PyAV's frames and their side data hold each other, so that only Python's collector frees them, and that counts
objects, not their size: of 8K, 47 MB a frame, 4.9 GB were in use after 90 frames.
"""

# Text files decode as "ANSI art" frames in FFmpeg: nobody means that.
LOOKED_AT = 60
"""Frames that tell the depth of a file's values."""

NOT_VIDEO_CODECS = frozenset({"ansi", "bintext", "xbin", "idf"})


class VideoFileSource(Source):
    """Reads any file that FFmpeg decodes: no frame lost, none doubled, times from the container.

    Frames are ``(H, W, 3) uint8`` RGB, turned as the file's rotation says, alpha over white, 10 bits
    rounded to 8. Iterating again starts again at the first frame.

    Raises:
        MienError: when the file is missing, no video, or holds no frame that can be decoded.
    """

    def __init__(self, path: str | Path, *, bits: int | None = None) -> None:
        self._path = Path(path)
        self._bits = bits
        self._first: _Reading | None = _Reading(self._path, bits)
        self._info = self._first.info
        self.notes = self._first.notes

    @property
    def info(self) -> SourceInfo:
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        reading, self._first = self._first or _Reading(self._path, self._bits), None
        self.notes = reading.notes
        with reading:
            yield from reading.frames()

    def close(self) -> None:
        if self._first is not None:
            self._first.close()
            self._first = None


class _Reading:
    """One pass over a file, opened up to its first decoded frame."""

    def __init__(self, path: Path, bits: int | None) -> None:
        self.path = path
        self._bits = bits
        self.notes: list[str] = []
        self._damaged = 0
        self._container = open_input(path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        stream = video_stream(self._container)
        if stream is None:
            kind = "audio only" if self._container.streams.audio else "no video track"
            raise SourceError(
                f"{self.path.name} holds no video stream ({kind}). Give a file with a video track."
            )
        if stream.codec_context is None:
            raise SourceError(
                f"{self.path.name} uses a video codec that FFmpeg cannot decode. Convert it to H.264."
            )
        if stream.codec_context.name in NOT_VIDEO_CODECS:
            raise SourceError(
                f"{self.path.name} is a text file, not a video. Give a file with a video track."
            )
        # Frame and slice threads: the order and the number of frames stay the same.
        stream.thread_type = "AUTO"
        self._stream = stream
        self._converter = RgbConverter(stream.sample_aspect_ratio)
        self._converter.white = self._white(stream)
        self._origin = media_origin(self._container)
        self._decoded = self._decode()
        self._head = next(self._decoded, None)
        if self._head is None:
            raise SourceError(
                f"{self.path.name} holds no frame that can be decoded. It is damaged or cut off; record or "
                "export it again."
            )
        self._head_image = self._converter.convert(self._head)
        self.info = self._describe()

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def _white(self, stream: Any) -> float:
        """The value that is white in frames of 16 bits, told from the first ones of the file."""
        if self._bits is not None:
            return white_of(self._bits)
        if stream.codec_context.format is None or stream.codec_context.format.name not in DEEP_FORMATS:
            return white_of(16)
        peak = 0
        with suppress(FFmpegError, MienError, ValueError), open_input(self.path) as looked_at:
            for frame in islice(looked_at.decode(looked_at.streams[stream.index]), LOOKED_AT):
                peak = max(peak, int(deep_array(frame).max()))
        white = white_of(depth_of(peak)) if peak else white_of(16)
        if white < white_of(16):
            self.notes.append(
                f"The 16-bit frames of {self.path.name} hold {depth_of(white)}-bit values and were read so; "
                "--bits overrules it."
            )
        return white

    def _describe(self) -> SourceInfo:
        stream = self._stream
        height, width = self._head_image.shape[:2]
        rates = (Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate)
        fps = next((rate for rate in rates if SANE_RATE[0] <= rate <= SANE_RATE[1]), DEFAULT_FPS)
        return SourceInfo(
            width=width,
            height=height,
            fps=fps,
            frames=stream.frames or self._estimate_frames(fps),
            live=False,
            has_audio=sound_stream(self._container) is not None,
            name=self.path.name,
        )

    def _estimate_frames(self, fps: Fraction) -> int | None:
        seconds = self._duration()
        return max(1, round(seconds * fps)) if seconds else None

    def _duration(self) -> Fraction | None:
        if self._stream.duration:
            return Fraction(self._stream.duration) * Fraction(self._stream.time_base)
        if self._container.duration:
            return Fraction(self._container.duration, 1_000_000)
        return None

    def frames(self) -> Iterator[Frame]:
        last: Fraction | None = None
        tick = Fraction(self._stream.time_base or Fraction(1, 90_000))
        index = 0
        repaired = 0
        unfreed = 0
        for index, frame in enumerate(self._all_decoded()):
            image = self._head_image if index == 0 else self._converter.convert(frame)
            unfreed += image.nbytes
            if unfreed > UNFREED_BYTES:
                unfreed = 0
                gc.collect()
            moment = self._time(frame, last)
            if last is not None and moment <= last:
                moment, repaired = last + tick, repaired + 1
            last = moment
            yield Frame(image, index, time.monotonic_ns(), float(moment))
        self._remark(index + 1, last, repaired)

    def _all_decoded(self) -> Iterator[Any]:
        assert self._head is not None
        yield self._head
        yield from self._decoded

    def _time(self, frame: Any, last: Fraction | None) -> Fraction:
        # The stream's time base: frames that come out of the emptied decoder carry none of their own.
        if frame.pts is not None and self._stream.time_base:
            return Fraction(frame.pts) * Fraction(self._stream.time_base) - self._origin
        # Elementary streams (.h264) carry no times: the nominal rate stands in.
        return Fraction(0) if last is None else last + 1 / self.info.fps

    def _decode(self) -> Iterator[Any]:
        for packet in self._packets():
            try:
                frames = self._stream.codec_context.decode(packet)
            except EOFError:
                return
            except FFmpegError:
                self._damaged += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self._damaged += 1
                else:
                    yield frame

    def _packets(self) -> Iterator[Any | None]:
        """Packets of the video track, then None, which empties the decoder."""
        failures = 0
        packets = self._container.demux(self._stream)
        while failures < 2:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except FFmpegError as error:
                # One bad packet ends the generator, not the file: go on behind it, unless it fails at once.
                failures += 1
                self._note_broken(error)
                packets = self._container.demux(self._stream)
                continue
            if packet.size:
                failures = 0
                yield packet
        yield None

    def _note_broken(self, error: FFmpegError) -> None:
        note = f"{self.path.name} is damaged ({error.strerror}); what could be read was used."
        if note not in self.notes:
            self.notes.append(note)

    def _remark(self, count: int, last: Fraction | None, repaired: int) -> None:
        if self._damaged:
            self.notes.append(f"{self.path.name}: {self._damaged} damaged frames were skipped.")
        if self._converter.resized:
            self.notes.append(
                f"{self.path.name} changes its frame size: {self._converter.resized} frames "
                "were scaled to the first one's."
            )
        if repaired:
            self.notes.append(f"{self.path.name}: {repaired} time stamps ran backwards and were moved on.")
        if self._is_cut(count, last):
            self.notes.append(
                f"{self.path.name} is cut off: {count} of about {self.info.frames} frames were there."
            )
        self.notes += (f"{self.path.name}: {note}" for note in self._converter.notes)

    def _is_cut(self, count: int, last: Fraction | None) -> bool:
        if not self.info.frames or last is None or self.notes:
            return False
        seconds = self._duration()
        # A container that counts its frames is believed to the frame, an estimate to half a second.
        doubt = Fraction(3, 2) if self._stream.frames else 3 + self.info.fps / 2
        return seconds is not None and count < self.info.frames and last + doubt / self.info.fps < seconds
