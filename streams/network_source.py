"""Network streams through FFmpeg (PyAV): RTSP, RTMP, SRT, HTTP, ..."""

from __future__ import annotations

import re
import time
from fractions import Fraction
from typing import Any

from mien.engine.types import SourceError
from mien.streams.live_source import LiveSource, now_ns
from mien.streams.source import SourceInfo
from mien.streams.video.colour import RgbConverter
from mien.streams.video.containers import sound_stream, video_stream
from mien.streams.video.ffmpeg import FFmpegError, av

OPEN_S = 10.0
# RTSP over UDP loses packets in most networks, and lost packets smear the face. Not "nobuffer": it throws
# away what was read while probing, and the video starts only at the next key frame; decoding that at full
# speed costs no delay, because only the newest frame is kept.
OPTIONS = {"flags": "low_delay", "rtsp_transport": "tcp"}


class NetworkSource(LiveSource):
    """A stream at an address; of its frames the newest one waits, ``(H, W, 3) uint8`` RGB.

    A recording at an address (a file on a web server) plays at its own speed.

    Args:
        address: ``rtsp://...``, ``http://...``, ...
        timeout: seconds without a frame that count as a broken connection.

    Raises:
        MienError: no connection, or nothing there that FFmpeg decodes.
    """

    def __init__(self, address: str, *, timeout: float = 5.0, open_timeout: float = OPEN_S) -> None:
        super().__init__(without_password(address), timeout)
        self._address = address
        self._open_timeout = open_timeout
        self._container: Any | None = None
        self._rate = Fraction(25)
        self._has_audio = False
        self._thread.start()
        # Opening and reading stay in one thread: FFmpeg's interrupt timer belongs to it.
        first = self._await_first(open_timeout + timeout)
        if first is None:
            self.close()
            raise SourceError(
                f"{self._name} sent no frame. Check the address and that the sender is running."
            )
        height, width = first.image.shape[:2]
        self._info = SourceInfo(width, height, self._rate, None, True, self._has_audio, self._name)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def _connect(self) -> tuple[Any, Any]:
        try:
            container = av.open(self._address, options=OPTIONS, timeout=(self._open_timeout, self._timeout))
        except (FFmpegError, ValueError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(
                f"{self._name} cannot be opened ({reason}). Check the address, the network and the password."
            ) from error
        self._container = container
        stream = video_stream(container)
        if stream is None or stream.codec_context is None:
            raise SourceError(f"{self._name} carries no video stream. Give an address with video.")
        self._rate = Fraction(stream.average_rate or stream.guessed_rate or self._rate)
        self._has_audio = sound_stream(container) is not None
        # Frame threads would hold back one frame per thread.
        stream.thread_type = "SLICE"
        return container, stream

    def _capture(self) -> None:
        container, stream = self._connect()
        converter = RgbConverter(stream.sample_aspect_ratio)
        recording = container.duration is not None
        start: float | None = None
        try:
            for frame in container.decode(stream):
                if self._stop.is_set():
                    return
                captured_ns = now_ns()
                if recording and frame.time is not None:
                    start = time.monotonic() - frame.time if start is None else start
                    self._stop.wait(max(0.0, start + frame.time - time.monotonic()))
                    captured_ns = now_ns()
                self._deliver(converter.convert(frame), captured_ns)
        except FFmpegError as error:
            raise SourceError(
                f"{self._name} broke off ({error.strerror}). Start again when it is back."
            ) from error

    def _release(self) -> None:
        if self._container is not None:
            self._container.close()

    def _stalled(self) -> str:
        return (
            f"{self._name} stopped delivering frames ({self._timeout:g} s without one). "
            "Check the sender and the network, then start again."
        )


def without_password(address: str) -> str:
    """The address as it may appear on a screen: ``rtsp://user:***@host/...``."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address)
