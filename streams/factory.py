"""Factories: the source or sink that a path, address or number names."""

from __future__ import annotations

import os
import re
import sys
from fractions import Fraction
from pathlib import Path

from mien.engine.types import UsageError
from mien.streams.sink import Sink
from mien.streams.source import Source
from mien.streams.video.encodings import QUALITY

STDOUT = "-"
"""The output path that means the standard output."""

NETWORK_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "srt", "rtp")


def is_network_address(spec: str) -> bool:
    """Whether ``spec`` names a network stream (``rtsp://...``) rather than a file or camera."""
    scheme, separator, _ = spec.partition("://")
    return bool(separator) and scheme.lower() in NETWORK_SCHEMES


def is_camera(spec: str) -> bool:
    """Whether ``spec`` is a camera number (``"0"``) or a Linux video device (``"/dev/video2"``)."""
    return re.fullmatch(r"\d{1,3}|/dev/(video\d+|v4l/.+)", spec) is not None


def open_source(
    spec: str,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    bits: int | None = None,
) -> Source:
    """Open what ``spec`` names.

    ``"0"`` or ``"/dev/video2"`` is a camera, ``"rtsp://..."`` and its like a network stream, a folder a
    sequence of images, anything else a video file.

    Args:
        spec: the user's words.
        width, height: wished size in pixels; cameras only.
        bits: depth of the values in files of more than 8 bits; None tells it from them.
        fps: wished rate of a camera; the rate at which a folder's images were taken.

    Raises:
        MienError: one line saying why it cannot be opened and what to do.
    """
    if not spec:
        raise UsageError("The source is empty. Name a camera number, a video file, a folder or an address.")
    if is_camera(spec):
        from mien.streams.camera.source import CameraSource

        return CameraSource(int(spec) if spec.isdigit() else spec, width=width, height=height, fps=fps)
    if is_network_address(spec):
        from mien.streams.network_source import NetworkSource

        return NetworkSource(spec)
    if Path(spec).is_dir():
        from mien.streams.folder import FrameFolderSource

        return FrameFolderSource(Path(spec), fps=fps or 25, bits=bits)
    from mien.streams.video import VideoFileSource
    from mien.streams.video.animated_webp import AnimationSource, is_animated_webp

    path = Path(spec)
    return AnimationSource(path) if is_animated_webp(path) else VideoFileSource(path, bits=bits)


def names_folder(path: str | Path) -> bool:
    """Whether an output path means a folder of images: it ends in a slash or has no extension."""
    text = str(path)
    separators = tuple(s for s in (os.sep, os.altsep) if s)
    if text == STDOUT:
        return False
    return text.endswith(separators) or Path(text).is_dir() or Path(text).suffix == ""


def open_sink(
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
) -> Sink:
    """A :class:`~mien.streams.video.VideoFileSink`, or a folder sink where ``path`` names a folder.

    ``"-"`` is the standard output, for another program to encode.

    ``credentials`` are for video files; the images of a folder are not signed one by one.  With ``opacity``
    it takes ``(H, W, 4)`` RGBA.  ``live`` is beside a live run, in less memory.

    Raises:
        MienError: when nothing can be written there, it cannot hold opacity, or it would overwrite
            ``audio_from``.
    """
    if str(path) == STDOUT:
        from mien.streams.video.pipe import PipeSink

        sink = PipeSink(sys.stdout.buffer, width=width, height=height, fps=fps, opacity=opacity)
        if audio_from is not None:
            sink.notes.append("The sound is not sent through the pipe.")
        return sink
    if names_folder(path):
        from mien.streams.folder import FrameFolderSink

        return FrameFolderSink(Path(path))
    from mien.streams.video import VideoFileSink

    return VideoFileSink(
        Path(path),
        width=width,
        height=height,
        fps=fps,
        audio_from=audio_from,
        lossless=lossless,
        quality=quality,
        credentials=credentials,
        opacity=opacity,
        live=live,
    )
