"""Video files as a sink: exact times, true colours, the driver's sound, never a half-written file."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.types import Image, MienError, SinkError
from mien.engine.utils.files import beside, clear_unfinished
from mien.streams.provenance.credentials import add_credentials
from mien.streams.sink import Sink, check_writable_parent, same_file, write_failure
from mien.streams.video.audio_track import DISK_ERRORS, AudioTrack
from mien.streams.video.colour import ACCURATE, matrix_for
from mien.streams.video.containers import media_path
from mien.streams.video.encodings import QUALITY, encoding_for
from mien.streams.video.ffmpeg import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    FFmpegError,
    VideoReformatter,
    av,
)
from mien.streams.video.gif_palette import Palette

FRAME_DURATION_FLAG = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: "trust the duration of my frames"
SPC_BT709, SPC_SMPTE170M = 1, 6
# A file whose last frames were reached within this keeps all of its sound.
END_TOLERANCE = Fraction(1, 5)


class VideoFileSink(Sink):
    """Writes ``.mp4``, ``.mov``, ``.mkv``, ``.avi`` (H.264), ``.webm`` (VP9) or ``.gif``.

    The file is built beside its place under a hidden name and moved there by :meth:`close`; until then an
    existing file stays as it is.

    Args:
        path: target; its extension chooses the format.
        width, height: size of the frames in pixels; odd sizes are padded by one repeated row or column
            where the codec needs even ones.
        fps: nominal rate; also how long the last frame stands.
        audio_from: file whose sound is carried over, in step with frame times counted from that file.
        lossless: every pixel is kept exactly (RGB H.264 in MP4 and MOV, FFV1 in MKV and AVI, VP9 in WebM).
        quality: constant rate factor of H.264, lower is better; ignored when lossless.
        credentials: sign the file as synthetic; what prevents it is a note.
        opacity: take ``(H, W, 4)`` RGBA and keep what is clear (WebM, MOV, lossless MKV).
        live: beside a live run, in less memory.

    Raises:
        MienError: unknown extension, unwritable place, or a target that is the file the sound comes from.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        width: int,
        height: int,
        fps: Fraction | float,
        audio_from: Path | None = None,
        lossless: bool = False,
        quality: int = QUALITY,
        credentials: bool = False,
        opacity: bool = False,
        live: bool = False,
    ) -> None:
        self.notes = []
        self._credentials = credentials
        self._path = Path(path)
        self._size = (width, height)
        self._shape = (height, width, 4 if opacity else 3)
        self._given = "rgba" if opacity else "rgb24"
        self._rate = max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))
        self._encoding = encoding_for(
            self._path, lossless=lossless, quality=quality, opacity=opacity, live=live
        )
        self._check_target(audio_from)
        clear_unfinished(self._path)
        self._part = beside(self._path)
        self._done = False
        self._written = self._left_out = 0
        self._held: Any | None = None
        self._sound: AudioTrack | None = None
        self._guarded(lambda: self._open(audio_from))

    def _check_target(self, audio_from: Path | None) -> None:
        check_writable_parent(self._path)
        if self._path.is_dir():
            raise SinkError(f"{self._path} is a folder. Give a file name.")
        if audio_from is not None and same_file(self._path, audio_from):
            raise SinkError(f"{self._path} is the file being read. Give the output another name.")

    def _open(self, audio_from: Path | None) -> None:
        # FFmpeg opens the file only at the first packet, 50 frames in: find out now whether that will work.
        self._part.open("wb").close()
        self._scaler = VideoReformatter()
        failure: Exception | None = None
        for copy in (True, False) if audio_from is not None else ():
            try:
                self._begin(audio_from, copy)
                return
            except (FFmpegError, ValueError, RuntimeError) as error:
                if getattr(error, "errno", None) in DISK_ERRORS:
                    raise
                failure = error
                self._drop_container()
        self._begin(None, False)
        if failure is not None and audio_from is not None:
            self.notes.append(f"The sound of {audio_from.name} was left out ({failure}).")

    def _begin(self, audio_from: Path | None, copy: bool) -> None:
        """Open the container and write its header, with the sound's track where there is any."""
        encoding = self._encoding
        self._container = av.open(
            media_path(self._part), mode="w", format=encoding.muxer, container_options=encoding.muxer_options
        )
        self._stream: Any = self._container.add_stream(
            encoding.codec, rate=self._rate, options=dict(encoding.options)
        )
        self._configure(self._stream.codec_context)
        self._prepare = (
            Palette(self._size, self._tick).convert if encoding.pixel_format == "pal8" else self._to_codec
        )
        if audio_from is not None:
            self._sound = AudioTrack(audio_from, self._container, encoding, copy=copy)
        # Now, so that a sound that the container refuses is known before the first frame.
        self._container.start_encoding()

    def _drop_container(self) -> None:
        """Close the container, whose trailer may fail, and what the sound comes from."""
        if self._sound is not None:
            self._sound.close()
            self._sound = None
        container = getattr(self, "_container", None)
        if container is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):
                container.close()

    def _configure(self, context: Any) -> None:
        encoding = self._encoding
        context.width, context.height = self._coded_size()
        context.pix_fmt = encoding.pixel_format
        self._tick = encoding.time_base or 1 / self._rate
        context.time_base = self._tick
        self._stream.time_base = self._tick
        context.flags |= FRAME_DURATION_FLAG
        if not encoding.rgb and encoding.pixel_format != "pal8":
            context.color_range = ColorRange.JPEG if encoding.full_range else ColorRange.MPEG
            context.colorspace = SPC_BT709 if self._matrix() == Colorspace.ITU709 else SPC_SMPTE170M
            # The frames are sRGB whatever the matrix: BT.709's primaries are sRGB's.
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709

    def _matrix(self) -> Colorspace:
        # JPEG is BT.601 at every size; otherwise what players assume, so that tags and custom agree.
        return Colorspace.ITU601 if self._encoding.full_range else matrix_for(*self._size)

    def _coded_size(self) -> tuple[int, int]:
        width, height = self._size
        return (width + width % 2, height + height % 2) if self._encoding.subsampled else (width, height)

    def write(self, image: Image, time: float) -> None:
        """Add an ``(H, W, 3) uint8`` RGB (or RGBA) image shown from ``time`` on; times must increase.

        Raises:
            MienError: full disk or another failure; nothing is left behind then.
            ValueError: wrong shape or type of ``image``, or a time that is no finite number.
        """
        if self._done:
            raise ValueError("write() after close()")
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(f"expected {self._shape} uint8, got {image.shape} {image.dtype}")
        if not math.isfinite(time) or time < 0:
            raise ValueError(f"a frame's time must be finite and not negative, got {time}")
        self._guarded(lambda: self._write(image, time))

    def _write(self, image: Image, time: float) -> None:
        held = self._held
        pts = round(Fraction(time) / self._tick)
        least = self._encoding.least_ticks
        if held is not None and pts < (earliest := held.pts + (least or 1)):
            if least is not None and earliest - Fraction(time) / self._tick > least:
                self._left_out += 1  # pushed further and further, all later frames would lag behind the sound
                return
            pts = earliest
        self._written += 1
        frame = self._prepare(image)
        frame.pts, frame.time_base = pts, self._tick
        # A frame's duration is known when the next one comes.
        self._held = frame
        if held is not None:
            self._encode(held, pts - held.pts)

    def _to_codec(self, image: Image) -> Any:
        width, height = self._coded_size()
        if (width, height) != self._size:
            rows, columns = height - self._size[1], width - self._size[0]
            image = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=self._given)
        if self._encoding.rgb:
            return self._scaler.reformat(frame, format=self._encoding.pixel_format)
        return self._scaler.reformat(
            frame,
            format=self._encoding.pixel_format,
            dst_colorspace=self._matrix(),
            dst_color_range=ColorRange.JPEG if self._encoding.full_range else ColorRange.MPEG,
            interpolation=ACCURATE,
        )

    def _encode(self, frame: Any, duration: int) -> None:
        frame.duration = duration
        self._container.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.mux_until(frame.pts * self._tick)

    def close(self) -> None:
        """Finish the file and move it to its place.

        Raises:
            MienError: no frame was written, or the disk is full; nothing is left behind then.
        """
        if self._done:
            return
        if self._held is None:
            self.abort()
            raise SinkError(f"No frame was written, so {self._path.name} was not made.")
        self._guarded(self._finish)
        self._done = True
        # Only now that the file is in its place: nothing that happens here can lose it.
        if self._credentials and (problem := add_credentials(self._path)) is not None:
            self.notes.append(problem)

    def _finish(self) -> None:
        held = self._held
        assert held is not None
        duration = max(self._encoding.least_ticks or 1, round(1 / self._rate / self._tick))
        self._encode(held, duration)
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._end_sound(self._sound, (held.pts + duration) * self._tick)
        if self._left_out:
            self.notes.append(self._told_left_out())
        self._container.close()
        self._part.replace(self._path)

    def _told_left_out(self) -> str:
        name = self._encoding.muxer.upper()
        fastest = f"{name} files have one frame rate"
        if self._encoding.time_base is not None:
            fastest = f"{name} files show at most {1 / (2 * self._encoding.time_base)} frames per second"
        return (
            f"{fastest}: {self._left_out} of {self._left_out + self._written} frames were left out, so that "
            "it plays at the right speed. MP4 and MKV keep every frame."
        )

    def _end_sound(self, sound: AudioTrack, end: Fraction) -> None:
        """All the sound if the frames reached the end of that file, else what belongs to them."""
        if sound.video_end is not None and end + END_TOLERANCE >= sound.video_end:
            sound.mux_rest()
        else:
            sound.mux_until(end)
        self.notes += sound.notes
        sound.close()

    def abort(self) -> None:
        """Drop everything written so far; an existing file stays as it was."""
        if self._done:
            return
        self._done = True
        self._drop_container()
        self._part.unlink(missing_ok=True)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except MienError:
            self.abort()
            raise
        except (FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise write_failure(self._path, error) from error
