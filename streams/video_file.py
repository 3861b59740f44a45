"""Video files in and out: :class:`VideoFileSource` and :class:`VideoFileSink`, both on FFmpeg (PyAV)."""

from __future__ import annotations

from streams.video_reader import VideoFileSource
from streams.video_writer import VideoFileSink

__all__ = ["VideoFileSink", "VideoFileSource"]
