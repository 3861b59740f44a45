"""Pipe sink: uncompressed frames with their times, for another program to encode.

NUT is FFmpeg's own streaming container: ``mien ... --output - | ffmpeg -i - ...`` needs no further words.
"""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from mien.engine.types import Image, SinkError, UsageError
from mien.streams.sink import Sink
from mien.streams.video.encodings import FINE
from mien.streams.video.ffmpeg import FFmpegError, av


class PipeSink(Sink):
    """Writes ``rgb24`` (or ``rgba``) frames in NUT, without sound.

    Args:
        pipe: binary stream to write to; it is left open.
        width, height: size of the frames in pixels.
        fps: nominal rate; also how long the last frame stands.
        opacity: take ``(H, W, 4)`` RGBA.

    Raises:
        UsageError: ``pipe`` is a terminal.
        SinkError: the program at the other end has ended.
    """

    def __init__(
        self,
        pipe: BinaryIO,
        *,
        width: int,
        height: int,
        fps: Fraction | float,
        opacity: bool = False,
    ) -> None:
        if pipe.isatty():
            raise UsageError(
                "--output - writes frames for another program, and this is a terminal. Put one behind it: "
                "mien ... --output - | ffmpeg -i - out.mp4"
            )
        self.notes = []
        self._shape = (height, width, 4 if opacity else 3)
        self._format = "rgba" if opacity else "rgb24"
        self._failed: OSError | None = None
        self._done = False
        self._pipe = pipe
        self._last = -1
        rate = max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))
        self._container: Any = av.open(_Writer(self), mode="w", format="nut")
        self._stream: Any = self._container.add_stream("rawvideo", rate=rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, self._format
        self._stream.codec_context.time_base = FINE

    def write(self, image: Image, time: float) -> None:
        """Send an ``(H, W, 3) uint8`` RGB (or RGBA) image that belongs at ``time`` seconds.

        Raises:
            SinkError: the program at the other end has ended.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(f"expected {self._shape} uint8, got {image.shape}")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=self._format)
        self._last = max(round(Fraction(time) / FINE), self._last + 1)
        frame.pts, frame.time_base = self._last, FINE
        self._mux(frame)

    def _mux(self, frame: Any | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (FFmpegError, OSError) as error:
            self._raise(error)
        if self._failed is not None:
            self._raise(self._failed)

    def _raise(self, error: Exception) -> None:
        self.abort()
        # What Python still holds would fail at its exit, with a traceback.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._pipe.fileno())
            os.close(nowhere)
        raise SinkError("The program that reads the frames from the pipe ended before they did.") from error

    def close(self) -> None:
        """Send what is left; the pipe stays open."""
        if self._done:
            return
        self._mux(None)
        self._done = True
        with contextlib.suppress(FFmpegError, OSError):
            self._container.close()
            self._pipe.flush()
        if self._failed is not None:
            self._raise(self._failed)

    def abort(self) -> None:
        """Send no more."""
        if not self._done:
            self._done = True
            with contextlib.suppress(FFmpegError, OSError, ValueError):
                self._container.close()


class _Writer:
    """A file that can only be written to: nothing is sought in a pipe."""

    def __init__(self, sink: PipeSink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        if self._sink._failed is None:
            try:
                self._sink._pipe.write(data)
            except OSError as error:
                self._sink._failed = error
        return len(data)
