"""Access to PyAV (FFmpeg) for all of ``streams``, in the one import order that works.

PyAV and OpenCV each bring a libxcb. If PyAV's is loaded first, OpenCV's first window spins for ever inside
``cv2.namedWindow`` (seen on Linux with PyAV 18.1 and OpenCV 5.0; PyAV-Org/PyAV#1050, opencv/opencv#29195).
The other order works, so OpenCV is always imported first.
"""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):  # a machine without system GL libraries can still use files
    import cv2  # noqa: F401  isort: skip

# isort: split
import av
import av.filter
from av.error import FFmpegError
from av.stream import Disposition
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

__all__ = [
    "ColorPrimaries",
    "ColorRange",
    "ColorTrc",
    "Colorspace",
    "Disposition",
    "FFmpegError",
    "Interpolation",
    "VideoReformatter",
    "av",
]
