"""Video files in and out: :class:`VideoFileSource` and :class:`VideoFileSink`, both on FFmpeg (PyAV)."""

from __future__ import annotations

from mien.streams.video.reader import VideoFileSource
from mien.streams.video.writer import VideoFileSink

__all__ = ["VideoFileSink", "VideoFileSource"]
