"""Media between aiortc and us: frames and sound in, the avatar and the delayed sound out.

aiortc's receive queues have no bound, so a pump takes every frame at once; what is late is dropped there and
then.  A frame is converted to RGB only if it is used.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from mien.engine.types import Frame
from mien.streams.images import fit_within
from mien.streams.live_source import now_ns
from mien.streams.video.colour import RgbConverter
from mien.streams.webrtc.broadcast import Subscription

MAX_SIDE = 1280
"""Longest side of a driving frame, pixels: larger ones are reduced before they are tracked."""

MAX_SOUND_DELAY_S = 1.0
LATE_S = 0.1
"""Sound later than this is skipped."""

SOUND_STEP_S = 0.002
"""How fast the sound's delay may follow the frame's, seconds per 20 ms: without audible jumps."""


class VideoInput:
    """Takes a remote video track's frames and gives the newest one on.

    Args:
        put: takes a function that makes the frame.
    """

    def __init__(self, put: Callable[[Callable[[], Frame]], None]) -> None:
        self._put = put
        self._converter = RgbConverter()
        self._size = (0, 0)
        self.frames = 0
        self.last = monotonic()

    async def run(self, track: MediaStreamTrack) -> None:
        """Until the track ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                self.last = monotonic()
                self._put(partial(self._make, frame, self.frames, now_ns()))
                self.frames += 1

    def _make(self, frame: Any, index: int, captured_ns: int) -> Frame:
        size = frame.width, frame.height
        if size != self._size:
            # A browser begins small and grows with its bit rate, a phone is turned; and a converter holds to
            # its first frame's size.
            self._converter, self._size = RgbConverter(), size
        image = fit_within(self._converter.convert(frame), MAX_SIDE)
        return Frame(image, index, captured_ns, float(frame.time))


class EncodedTrack(MediaStreamTrack):
    """The avatar for one viewer: frames that are encoded already, which aiortc only puts into packets."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._subscription: Subscription | None = None
        self._bound = asyncio.Event()

    def bind(self, subscription: Subscription) -> None:
        """Where the frames come from, known when the codec is."""
        self._subscription = subscription
        self._bound.set()

    async def recv(self) -> Any:
        await self._bound.wait()
        if self._subscription is None or self.readyState != "live":
            raise MediaStreamError
        try:
            return await self._subscription.next()
        except EOFError:
            self.stop()
            raise MediaStreamError from None

    def stop(self) -> None:
        super().stop()
        self._bound.set()
        if self._subscription is not None:
            self._subscription.close()

    def want_key_frame(self) -> None:
        """The viewer asked for a whole frame."""
        if self._subscription is not None:
            self._subscription.want_key_frame()

    def set_estimate(self, rate: int) -> None:
        """What the viewer thinks that its connection carries, bits per second."""
        if self._subscription is not None:
            self._subscription.estimate = rate


class Sound:
    """The driver's sound, given back as late as the avatar's frame is.

    Args:
        delay: the frame's present delay in seconds.
    """

    def __init__(self, delay: Callable[[], float]) -> None:
        self._wished = delay
        self._delay: float | None = None
        self._listeners: tuple[DelayedSound, ...] = ()
        self.heard = False

    async def run(self, track: MediaStreamTrack) -> None:
        """Until the track ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.heard = True
                release = monotonic() + self._next_delay()
                for listener in self._listeners:
                    listener.offer(release, frame)

    def _next_delay(self) -> float:
        wished = min(max(self._wished(), 0.0), MAX_SOUND_DELAY_S)
        if self._delay is None:
            self._delay = wished
        self._delay += min(max(wished - self._delay, -SOUND_STEP_S), SOUND_STEP_S)
        return self._delay

    def listen(self) -> DelayedSound:
        """A track of it for one more listener."""
        track = DelayedSound(self._forget)
        self._listeners = (*self._listeners, track)
        return track

    def _forget(self, track: DelayedSound) -> None:
        self._listeners = tuple(other for other in self._listeners if other is not track)


class DelayedSound(MediaStreamTrack):
    """The sound for one listener; made by :meth:`Sound.listen`."""

    kind = "audio"
    KEPT = int(1.5 * MAX_SOUND_DELAY_S / 0.02)

    def __init__(self, forget: Callable[[DelayedSound], None]) -> None:
        super().__init__()
        self._forget = forget
        self._frames: deque[tuple[float, Any]] = deque(maxlen=self.KEPT)
        self._there = asyncio.Event()

    def offer(self, release: float, frame: Any) -> None:
        """A frame for ``release`` (monotonic seconds); the oldest falls out of a full queue."""
        self._frames.append((release, frame))
        self._there.set()

    async def recv(self) -> Any:
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._there.clear()
            await self._there.wait()
        release, frame = self._frames.popleft()
        while self._frames and monotonic() - release > LATE_S:
            # A sender that fell behind skips, or the sound would trail the frame from then on.
            release, frame = self._frames.popleft()
        await asyncio.sleep(max(0.0, release - monotonic()))
        return frame

    def stop(self) -> None:
        super().stop()
        self._forget(self)
        self._there.set()
