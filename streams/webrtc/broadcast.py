"""One avatar's frames, encoded once per codec, for any number of viewers."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

import cv2

from mien.engine.types import Image, Rendered
from mien.engine.utils.links import Closed, Link, Policy
from mien.engine.utils.throttled_log import ThrottledLog
from mien.streams.video.ffmpeg import av
from mien.streams.webrtc.encoder import CLOCK, TIME_BASE, Encoder, Rates, to_frame
from mien.streams.webrtc.logs import LOG, log
from mien.streams.webrtc.stream_stats import StreamStats
from mien.streams.webrtc.watermark import Watermark

KEY_FRAME_EVERY_S = 0.4
"""Requests for key frames within this time are answered by one."""

RATE_EVERY_S = 3.0
"""How often the bit rate may follow the viewers' estimates."""

BEHIND = 3
"""Encoded frames that may wait for a viewer's sender; beyond that it starts again at a key frame."""


class Subscription:
    """One viewer's queue of encoded frames; made by :meth:`Broadcast.subscribe`.

    Lives on the event loop.
    """

    def __init__(self, broadcast: Broadcast, codec: str) -> None:
        self._broadcast, self.codec = broadcast, codec
        self._packets: deque[Any] = deque()
        self._there = asyncio.Event()
        self._started = False
        self._stalled = False
        self._closed = False
        self.estimate: int | None = None
        self.dropped = 0

    async def next(self) -> Any:
        """The next encoded frame, a PyAV packet.

        Raises:
            EOFError: there will be no more.
        """
        while not self._packets:
            if self._closed:
                raise EOFError
            # Not once at the start: frames may also be dropped while the sender waits, when the loop was
            # held up and then has more of them at once than may wait.
            if self._stalled:
                self._stalled = False
                self.want_key_frame()
            self._there.clear()
            await self._there.wait()
        return self._packets.popleft()

    def offer(self, packet: Any, key: bool) -> None:
        """A new frame; one that nobody takes in time is dropped with all that depend on it.

        A whole frame is asked for when the sender takes again, not before: a viewer that is not connected
        yet must not cost the others their bit rate.
        """
        if self._closed or self._stalled:
            return
        if len(self._packets) >= BEHIND:
            self.dropped += len(self._packets)
            self._packets.clear()
            self._started, self._stalled = False, True
            self._there.set()
            return
        if not self._started and not key:
            return
        self._started = True
        self._packets.append(packet)
        self._there.set()

    def want_key_frame(self) -> None:
        """The viewer lost frames, or is new."""
        self._broadcast.want_key_frame(self.codec)

    def close(self) -> None:
        """No more frames are wanted."""
        self._closed = True
        self._there.set()
        self._broadcast.unsubscribe(self)


class Broadcast:
    """A thread that stamps, encodes and hands on the newest frame; with no viewer it does nothing.

    Args:
        loop: the event loop that the viewers' senders run in.
        mark: whether every frame says that it is synthetic.
        on_times: gets every frame's milliseconds per stage, for the metrics.

    Attributes:
        mirror: whether all see it mirrored.
        tap: gets every frame as the viewers see it, in this thread; it must be quick.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        mark: bool = True,
        on_times: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self._loop, self._mark, self._on_times = loop, Watermark() if mark else None, on_times
        self._newest: Link[Rendered] = Link(Policy.NEWEST)
        self._lock = threading.Lock()
        self._viewers: tuple[Subscription, ...] = ()
        self._key_wanted: set[str] = set()
        self._key_made: dict[str, float] = {}
        self._encoders: dict[str, Encoder] = {}
        self._hardware = True
        self._closed = False
        self._rates: tuple[float, int] = (0.0, 0)
        self._last_pts = -1
        self._trouble = ThrottledLog(LOG)
        self._base: tuple[float, float] | None = None
        self._origin = 0
        self.mirror = False
        self.tap: Callable[[Image, float], None] | None = None
        self.stats = StreamStats()
        self._thread = threading.Thread(target=self._run, name="encode", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Frames that newer ones replaced before they were encoded."""
        return self._newest.dropped

    @property
    def viewers(self) -> int:
        """How many there are."""
        return len(self._viewers)

    def deliver(self, rendered: Rendered) -> None:
        """The avatar's next frame, from any thread."""
        self._newest.put(rendered)

    def subscribe(self, codec: str) -> Subscription:
        """One more viewer of ``"vp8"`` or ``"h264"``."""
        viewer = Subscription(self, codec)
        if self._closed:
            viewer.close()
            return viewer
        with self._lock:
            self._viewers = (*self._viewers, viewer)
            self._key_wanted.add(codec)
        return viewer

    def unsubscribe(self, viewer: Subscription) -> None:
        """One viewer less."""
        with self._lock:
            self._viewers = tuple(v for v in self._viewers if v is not viewer)

    def want_key_frame(self, codec: str) -> None:
        """Make the next frame of this codec a key frame."""
        with self._lock:
            self._key_wanted.add(codec)

    def close(self) -> None:
        """End the thread and all subscriptions (from the event loop)."""
        self._closed = True
        self._newest.close()
        for viewer in self._viewers:
            viewer.close()

    def join(self) -> None:
        """Wait for the thread's end (blocks)."""
        self._thread.join(2)

    def _run(self) -> None:
        try:
            while True:
                rendered = self._newest.take(1.0)
                if rendered is not None:
                    self._try(rendered)
        except Closed:
            pass
        finally:
            self._encoders.clear()

    def _try(self, rendered: Rendered) -> None:
        try:
            self._send(rendered)
        except Exception as error:
            # One bad frame must not end the stream; a hardware encoder may have lost its hardware.
            if times := self._trouble.count("encoding failed"):
                reason = f"{type(error).__name__}: {error}"
                log("encoding failed", logging.ERROR, reason=reason, times=times)
            self._hardware = False
            self._encoders.clear()

    def _send(self, rendered: Rendered) -> None:
        start = perf_counter()
        viewers = self._viewers
        codecs = {viewer.codec for viewer in viewers}
        image: Any = rendered.image
        pts = self._pts(rendered.time)
        tap = self.tap
        if codecs or tap is not None:
            if self.mirror:
                image = cv2.flip(image, 1)
            if self._mark is not None:
                self._mark.stamp(image)
        if tap is not None:
            tap(image, rendered.time)
        if codecs:
            rate = self._rate(image.shape[1], image.shape[0], viewers)
            frame = to_frame(image, pts)
            for codec in codecs:
                self._encode(codec, frame, rate)
        times = self.stats.count(rendered, 1000 * (perf_counter() - start))
        if self._on_times is not None:
            self._on_times(times)

    def _encode(self, codec: str, frame: Any, rate: int) -> None:
        if codec not in self._encoders:
            self._encoders[codec] = Encoder(codec, hardware=self._hardware)
        encoder = self._encoders[codec]
        data, key = encoder.encode(frame, rate, self._key_due(codec))
        if not data:
            return
        packet = av.Packet(data)
        packet.pts, packet.time_base = frame.pts, TIME_BASE
        self.stats.sent_bytes += len(data)
        try:
            self._loop.call_soon_threadsafe(self._offer, codec, packet, key)
        except RuntimeError:
            self._newest.close()  # the loop has ended

    def _offer(self, codec: str, packet: Any, key: bool) -> None:
        # Those who watch now, not those who did when the encoding began: a key frame answers the wish of
        # everybody who came before it was made, so it must reach them too.
        for viewer in self._viewers:
            if viewer.codec == codec:
                viewer.offer(packet, key)

    def _key_due(self, codec: str) -> bool:
        now = monotonic()
        with self._lock:
            if codec not in self._key_wanted or now - self._key_made.get(codec, -9.0) < KEY_FRAME_EVERY_S:
                return False
            self._key_wanted.discard(codec)
            self._key_made[codec] = now
            return True

    def _rate(self, width: int, height: int, viewers: tuple[Subscription, ...]) -> int:
        """What the slowest viewer's connection carries, within what the size needs."""
        decided, rate = self._rates
        now = monotonic()
        if rate and now - decided < RATE_EVERY_S:
            return rate
        limits = Rates.of(width, height)
        estimates = [viewer.estimate for viewer in viewers if viewer.estimate]
        wished = int(0.9 * min(estimates)) if estimates else limits.start
        # The estimates grow from nothing in their first seconds: start from what the size needs.
        rate = min(limits.start if not rate else limits.high, max(limits.low, wished))
        self._rates = (now, rate)
        return rate

    def _pts(self, time: float) -> int:
        """Media time in the RTP clock: increasing whatever the drivers' clocks do."""
        now = monotonic()
        if self._base is None or abs((time - self._base[0]) - (now - self._base[1])) > 1.0:
            # Another driver, or the same one after a pause: go on where the last frame was.
            self._base = (time, now)
            self._origin = max(self._last_pts + CLOCK // 30, 0)
        pts = self._origin + round((time - self._base[0]) * CLOCK)
        self._last_pts = pts = max(pts, self._last_pts + CLOCK // 240)
        return pts
