"""Where frames come from: the :class:`Source` base class and :func:`open_source`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from engine.types import Frame, MienError

NETWORK_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "srt", "rtp")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known about a source before its frames are read.

    Attributes:
        width, height: size of the pictures in pixels, after rotation.
        fps: nominal frames per second; a source with a variable rate gives its average.
        frames: number of pictures, or an estimate good enough for a progress bar; None when unknown.
        live: True where frames come in real time and waiting for one loses others.
        has_audio: True when a sound track lies beside the pictures.
        name: what to call the source in a message.
    """

    width: int
    height: int
    fps: Fraction
    frames: int | None
    live: bool
    has_audio: bool
    name: str


class Source(ABC):
    """Gives frames in order; a context manager that frees its device or file.

    Attributes:
        notes: remarks on what was found wrong but could be lived with, one line each; complete when the
            iteration has ended.
    """

    notes: list[str]

    @property
    @abstractmethod
    def info(self) -> SourceInfo:
        """Size, rate and kind of the pictures."""

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield every :class:`~engine.types.Frame`: ``(H, W, 3) uint8`` RGB, times in seconds, increasing.

        Raises:
            MienError: when the source fails in a way that ends it.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the device or file. Closing twice is allowed."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_network_address(spec: str) -> bool:
    """Whether ``spec`` names a network stream (``rtsp://...``) rather than a file or camera."""
    scheme, separator, _ = spec.partition("://")
    return bool(separator) and scheme.lower() in NETWORK_SCHEMES


def is_camera(spec: str) -> bool:
    """Whether ``spec`` is a camera number (``"0"``) or a Linux video device (``"/dev/video2"``)."""
    return re.fullmatch(r"\d{1,3}|/dev/(video\d+|v4l/.+)", spec) is not None


def open_source(
    spec: str, *, width: int | None = None, height: int | None = None, fps: float | None = None
) -> Source:
    """Open what ``spec`` names.

    ``"0"`` or ``"/dev/video2"`` is a camera, ``"rtsp://..."`` and its like a network stream, a folder a
    sequence of pictures, anything else a video file.

    Args:
        spec: the user's words.
        width, height: wished size in pixels; cameras only.
        fps: wished rate of a camera; the rate at which a folder's pictures were taken.

    Raises:
        MienError: one line saying why it cannot be opened and what to do.
    """
    if not spec:
        raise MienError("The source is empty. Name a camera number, a video file, a folder or an address.")
    if is_camera(spec):
        from streams.camera import CameraSource

        return CameraSource(int(spec) if spec.isdigit() else spec, width=width, height=height, fps=fps)
    if is_network_address(spec):
        from streams.network import NetworkSource

        return NetworkSource(spec)
    if Path(spec).is_dir():
        from streams.folder import FrameFolderSource

        return FrameFolderSource(Path(spec), fps=fps or 25)
    from streams.animation import AnimationSource, is_animated_webp
    from streams.video_file import VideoFileSource

    path = Path(spec)
    return AnimationSource(path) if is_animated_webp(path) else VideoFileSource(path)
