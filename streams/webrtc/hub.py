"""Hub of the server: avatar streams, their connections, and the limits on both."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from mien.engine.types import MienError
from mien.streams.webrtc.backdrops import Backdrop, Backdrops
from mien.streams.webrtc.broadcast import Broadcast
from mien.streams.webrtc.engine_interface import AvatarEngine, AvatarSession
from mien.streams.webrtc.feed import Feed
from mien.streams.webrtc.isolation import Isolation
from mien.streams.webrtc.logs import log
from mien.streams.webrtc.metrics import Metrics
from mien.streams.webrtc.peer import Peer
from mien.streams.webrtc.portraits import Portrait, Portraits
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.settings import ServerSettings
from mien.streams.webrtc.tracks import Sound, VideoInput

RETRY_S = 5

LATE_S = 1.0
"""How long the end waits for what was begun."""

GOODBYE_S = 0.3
"""For the last words to be on their way before the connection is cut."""


class AvatarStream:
    """One driver's avatar: session, frames out, sound out.

    Attributes:
        id: what a viewer must know to watch it, which ends nothing (the driver's session has another).
        name: the same, chosen by the driver's page: it stays when the connection is made anew.
    """

    def __init__(
        self, session: AvatarSession, broadcast: Broadcast, portrait: Portrait, name: str | None = None
    ) -> None:
        self.id, self.name, self.begun = secrets.token_urlsafe(12), name, monotonic()
        self.session, self.broadcast, self.portrait = session, broadcast, portrait
        self.sound = Sound(lambda: broadcast.stats.latency_ms / 1000)
        self.video = VideoInput(session.put)

    @property
    def dropped(self) -> int:
        """Frames that were not shown because newer ones were there."""
        return self.session.dropped + self.broadcast.dropped


@dataclass
class Resource:
    """A connection as HTTP sees it.

    Attributes:
        id: unguessable.
        kind: ``page``, ``whip`` or ``whep``.
        peer: the connection.
        stream: the avatar that it drives or watches.
        ufrag: the client's ICE user fragment; another one means an ICE restart.
        etag: the ICE session's entity tag.
        on_close: what else ends with it.
        say_goodbye: tells the visitor why it ends, where there is a way to.
        trickled: ICE candidates that have come after the offer.
    """

    kind: str
    peer: Peer
    stream: AvatarStream
    ufrag: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    etag: str = field(default_factory=lambda: f'"{secrets.token_urlsafe(9)}"')
    on_close: Callable[[], Awaitable[None]] | None = None
    say_goodbye: Callable[[str], None] | None = None
    begun: float = field(default_factory=monotonic)
    trickled: int = 0


class Hub:
    """Lives on the event loop.

    Args:
        settings: the limits.
        engine: the engine.
    """

    def __init__(self, settings: ServerSettings, engine: AvatarEngine) -> None:
        self.settings, self.engine = settings, engine
        self.metrics = Metrics()
        self.isolation = Isolation()
        self.portraits = Portraits(engine, self.isolation, self._portraits_in_use)
        self.backdrops = Backdrops()
        self.resources: dict[str, Resource] = {}
        self.streams: set[AvatarStream] = set()
        self.main: AvatarStream | None = None
        self.main_driver: str | None = None
        self.feed: Feed | None = None
        self.draining = False
        self._opening = 0
        # Of the streams that have ended: a counter never goes back.
        self._past_frames, self._past_dropped = 0, 0
        self._tasks: set[asyncio.Task[Any]] = set()
        # Opening and closing an engine session blocks for a moment: never on the event loop.
        self.worker = ThreadPoolExecutor(2, "session")
        self._register_gauges()

    def _portraits_in_use(self) -> set[str]:
        return {stream.portrait.id for stream in list(self.streams)}

    def check_open(self) -> None:
        """Refuse while nobody can be served.

        Raises:
            Problem: 503.
        """
        if self.draining:
            raise Problem(503, "The server is shutting down.", retry_after=30)
        if not self.engine.ready:
            raise Problem(503, f"Not ready: {self.engine.reason}.", retry_after=2)

    def check_room(self) -> None:
        """Refuse one more driver when there are as many as allowed.

        Raises:
            Problem: 503.
        """
        if len(self.streams) + self._opening >= self.settings.max_sessions:
            raise Problem(
                503,
                f"The server is full ({_sessions(self.settings.max_sessions)}). Try again in a moment.",
                retry_after=RETRY_S,
            )

    def check_viewers(self) -> None:
        """Refuse one more viewer when there are as many as allowed.

        Raises:
            Problem: 503.
        """
        if sum(r.kind == "whep" for r in self.resources.values()) >= self.settings.max_viewers:
            raise Problem(503, "There are as many viewers as this server takes.", retry_after=RETRY_S)

    async def open_stream(
        self, portrait: Portrait | None = None, name: str | None = None, backdrop: Backdrop | None = None
    ) -> AvatarStream:
        """One more driver, before ``backdrop`` from the first frame on; viewers may also find it by ``name``.

        Raises:
            Problem: 503 not ready or full.
        """
        self.check_open()
        self.check_room()
        portrait = portrait or self.portraits.first
        loop = asyncio.get_running_loop()
        broadcast = Broadcast(loop, mark=self.settings.mark, on_times=self.metrics.observe)
        self._opening += 1
        try:
            session = await loop.run_in_executor(
                self.worker, self.engine.open_session, portrait.prepared.avatar, broadcast.deliver
            )
        except BaseException:
            broadcast.close()
            raise
        finally:
            self._opening -= 1
        if backdrop is not None:
            # What prevents it is said when the page asks for it again on its channel.
            with contextlib.suppress(MienError):
                await asyncio.wrap_future(session.set_backdrop(backdrop))
        stream = AvatarStream(session, broadcast, portrait, name)
        if self.draining:
            self.streams.add(stream)
            await self.close_stream(stream)
            self.check_open()
        if self.feed is not None:
            broadcast.tap = self.feed.tap(stream)
        self.streams.add(stream)
        self.metrics.count("sessions_opened_total")
        return stream

    def shown(self) -> AvatarStream | None:
        """Whose avatar this machine's virtual camera shows: the main one, else the page's that came first."""
        return self.main or min(list(self.streams), key=lambda stream: stream.begun, default=None)

    async def close_stream(self, stream: AvatarStream) -> None:
        """The driver has left: end the avatar and everybody who watches it."""
        if stream not in self.streams:
            return
        self.streams.discard(stream)
        self._past_frames += stream.broadcast.stats.frames
        self._past_dropped += stream.dropped
        if self.main is stream:
            self.main, self.main_driver = None, None
        stream.broadcast.close()
        for resource in [r for r in self.resources.values() if r.stream is stream]:
            await self.close(resource, "the driver left")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.worker, stream.session.close)
        await loop.run_in_executor(self.worker, stream.broadcast.join)

    def add(self, resource: Resource, address: str) -> None:
        """A connection has come about."""
        self.resources[resource.id] = resource
        log(f"{resource.kind} open", id=resource.id[:6], address=address)

    async def close(self, resource: Resource, reason: str) -> None:
        """End a connection. Closing twice is allowed."""
        if self.resources.pop(resource.id, None) is None:
            return
        lasted = monotonic() - resource.begun
        log(f"{resource.kind} closed", id=resource.id[:6], reason=reason, seconds=round(lasted, 1))
        self.metrics.count("closed_total", f'kind="{resource.kind}"')
        with contextlib.suppress(Exception):
            await resource.peer.close()
        if resource.on_close is not None:
            await resource.on_close()

    def later(self, work: Awaitable[Any]) -> None:
        """Do ``work`` soon; it is waited for at the end."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Take nobody new, say goodbye to everybody, end all sessions."""
        self.draining = True
        self.isolation.close()
        spoken = [r.say_goodbye for r in self.resources.values() if r.say_goodbye is not None]
        for say in spoken:
            say("The server is shutting down.")
        if spoken:
            await asyncio.sleep(GOODBYE_S)
        for resource in list(self.resources.values()):
            await self.close(resource, "the server ended")
        for stream in list(self.streams):
            await self.close_stream(stream)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LATE_S)
            for task in late:
                task.cancel()

    async def close_all(self) -> None:
        """End what :meth:`drain` could not know of yet, and the threads; afterwards nothing can be opened."""
        await self.drain()
        self.worker.shutdown(wait=False)
        self.portraits.close()
        if self.feed is not None:
            self.feed.close()

    def _register_gauges(self) -> None:
        gauge = self.metrics.gauge
        gauge("ready", "Whether drivers can be taken.", lambda: float(self.engine.ready))
        gauge("sessions", "Drivers now.", lambda: float(len(self.streams)))
        gauge("sessions_max", "Drivers at most.", lambda: float(self.settings.max_sessions))
        gauge("viewers", "WHEP players now.", lambda: sum(r.kind == "whep" for r in self.resources.values()))
        gauge(
            "pictures_total",
            "Frames of the avatars.",
            lambda: self._past_frames + sum(s.broadcast.stats.frames for s in self.streams),
        )
        gauge(
            "dropped_total",
            "Frames that newer ones replaced before they were shown.",
            lambda: self._past_dropped + sum(s.dropped for s in self.streams),
        )
        gauge(
            "frames_per_second",
            "Frames a second, all avatars together.",
            lambda: sum(s.broadcast.stats.fps() for s in self.streams),
        )
        gauge(
            "queue_age_milliseconds",
            "Largest smoothed age of a frame when it is sent.",
            lambda: max((s.broadcast.stats.latency_ms for s in self.streams), default=0.0),
        )


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"
