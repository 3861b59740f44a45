"""VP8 and H.264 encoders for live frames, each run once for all viewers.

aiortc's own encoders are one per viewer and hold to module constants (VP8: 1.5 Mb/s at most); and they use
libvpx's denoiser and static threshold, which take movements of half a pixel for noise.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Image
from mien.streams.video.ffmpeg import FFmpegError, av

CLOCK = 90_000
"""RTP clock of video, Hz."""

TIME_BASE = Fraction(1, CLOCK)
FRAME_RATES = 30, 60
"""What an encoder is told.  x264 gives each frame its share of the bit rate by it: told 30, it sends twice
the rate at 60."""

PACE = 30
"""Frames whose median distance tells the rate."""

HARDWARE = ("h264_nvenc", "h264_qsv", "h264_videotoolbox", "h264_amf", "h264_vaapi")
KEY_FRAME_GAP_S = 10


@dataclass(frozen=True)
class Rates:
    """Bits per second."""

    start: int
    low: int
    high: int

    @staticmethod
    def of(width: int, height: int) -> Rates:
        """For frames of this size at 30 fps; 512 x 512 gets 2 Mb/s."""
        pixels = width * height
        return Rates(start=int(7.6 * pixels), low=int(1.2 * pixels), high=int(12 * pixels))


class Encoder:
    """One codec for one stream of frames; a new size or a far other bit or frame rate starts it anew.

    Args:
        codec: ``"vp8"`` or ``"h264"``.
        hardware: try the machine's H.264 encoders first.
    """

    def __init__(self, codec: str, *, hardware: bool = True) -> None:
        self.codec, self._hardware = codec, hardware
        self.name = ""
        self._context: Any = None
        self._rate = 0
        self._pace = FRAME_RATES[0]
        self._times: deque[int] = deque(maxlen=PACE + 1)

    def encode(self, frame: Any, rate: int, key: bool) -> tuple[bytes, bool]:
        """The frame's bytes (Annex B for H.264) and whether it is a key frame.

        Args:
            frame: a ``yuv420p`` PyAV frame with ``pts`` in :data:`TIME_BASE`, larger than the last one's.
            rate: bits per second asked for.
            key: whether everything must be in this frame.
        """
        fresh = self._outpaced(frame.pts) or self._context is None or self._outgrown(frame, rate)
        if fresh:
            self._open(frame.width, frame.height, rate)
        types = av.video.frame.PictureType
        frame.pict_type = types.I if key or fresh else types.NONE
        packets = self._context.encode(frame)
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)

    def close(self) -> None:
        """Free the encoder."""
        self._context = None

    def _outpaced(self, pts: int) -> bool:
        """Whether frames come at another rate than the encoder was told."""
        self._times.append(pts)
        if len(self._times) <= PACE:
            return False
        usual = median(after - before for before, after in pairwise(self._times))
        pace = min(FRAME_RATES, key=lambda rate: abs(CLOCK / rate - usual))
        changed, self._pace = pace != self._pace, pace
        return changed

    def _outgrown(self, frame: Any, rate: int) -> bool:
        context = self._context
        size = (context.width, context.height) != (frame.width, frame.height)
        return size or not 0.7 < rate / self._rate < 1.4

    def _open(self, width: int, height: int, rate: int) -> None:
        self._rate = rate
        if self.codec == "vp8":
            self._context, self.name = _vp8(width, height, rate, self._pace), "libvpx"
            return
        if self._hardware:
            for name in HARDWARE:
                if name in av.codecs_available and (context := _try(name, width, height, rate, self._pace)):
                    self._context, self.name = context, name
                    return
        self._context, self.name = _x264(width, height, rate, self._pace), "libx264"


def _new(name: str, width: int, height: int, rate: int, pace: int) -> Any:
    context: Any = av.CodecContext.create(name, "w")
    context.width, context.height, context.bit_rate = width, height, rate
    context.pix_fmt = "yuv420p"
    context.framerate = Fraction(pace)
    context.time_base = TIME_BASE
    context.gop_size = KEY_FRAME_GAP_S * pace
    return context


def _vp8(width: int, height: int, rate: int, pace: int) -> Any:
    context = _new("libvpx", width, height, rate, pace)
    context.qmin, context.qmax = 2, 56
    context.thread_count = 1
    context.options = {
        "deadline": "realtime",
        "cpu-used": "-6",
        "lag-in-frames": "0",
        # A quarter of a second: a larger buffer lets a key frame delay the frames after it.
        "bufsize": str(rate // 4),
        "minrate": str(rate),
        "maxrate": str(rate),
        "undershoot-pct": "100",
        "overshoot-pct": "15",
        "error-resilient": "1",
        # The denoiser eats micro-expressions: of a face that moves by half a pixel, its movement after the
        # decoder correlates with the true one by 0.74 with it and by 0.93 without.
        "noise-sensitivity": "0",
        "static-thresh": "0",
    }
    return context


def _x264(width: int, height: int, rate: int, pace: int) -> Any:
    context = _new("libx264", width, height, rate, pace)
    context.profile = "Baseline"
    context.thread_count = 1
    context.options = {
        "preset": "superfast",
        "tune": "zerolatency",
        "level": "31",
        "x264-params": f"vbv-maxrate={rate // 1000}:vbv-bufsize={rate // 4000}:repeat-headers=1",
    }
    return context


def _try(name: str, width: int, height: int, rate: int, pace: int) -> Any | None:
    """A hardware encoder that made a frame, or None: many are compiled in, few find their hardware."""
    try:
        context = _new(name, width, height, rate, pace)
        context.profile = "Baseline"
        context.max_b_frames = 0
        if name == "h264_nvenc":
            context.options = {"preset": "p2", "tune": "ull", "zerolatency": "1", "forced-idr": "1"}
        elif name in ("h264_qsv", "h264_amf"):
            # Else a frame that is asked for whole is no point at which a new viewer can begin.
            context.options = {"forced_idr": "1"}
        trial = to_frame(np.full((height, width, 3), 128, np.uint8), 0)
        if context.encode(trial):
            return context
    except (FFmpegError, ValueError, OSError):
        pass
    return None


def to_frame(image: Image, pts: int) -> Any:
    """A ``yuv420p`` frame (BT.601, limited range) of ``(H, W, 3) uint8`` RGB, its sides made even."""
    height, width = (side & ~1 for side in image.shape[:2])
    planes: Any = cv2.cvtColor(image[:height, :width], cv2.COLOR_RGB2YUV_I420)
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = pts, TIME_BASE
    return frame
