"""One driver among many: tracked in its own thread, rendered by the shared renderer."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol, TypeVar

from mien.engine.avatar import Avatar
from mien.engine.face.likeness import SEARCH_S, reference_hint
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Gains, Motion
from mien.engine.runtime.base import Runtime
from mien.engine.session.driver_reference import DriverReference
from mien.engine.session.promises import fulfil
from mien.engine.session.renderer import Planned, Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Frame, Rendered
from mien.engine.utils.throttled_log import ThrottledLog

T = TypeVar("T")
LOG = logging.getLogger("mien.engine")


@dataclass(frozen=True, slots=True)
class Driven:
    """A tracked frame waiting to be rendered."""

    session: DriverSession
    frame: Frame
    motion: Motion | None
    track_ms: float


class RenderThread(Protocol):
    """The parts of :class:`mien.engine.session.shared_renderer.SharedRenderer` that a session uses."""

    turns: threading.Semaphore
    """Held by the drivers that are being tracked."""

    def submit(self, driven: Driven) -> None: ...

    def release(self, session: DriverSession, landmarker: Landmarker) -> None: ...

    def call(self, work: Callable[[], T]) -> Future[T]: ...


class DriverSession:
    """One driver of a shared renderer (``SharedRenderer.open``); thread-safe.

    The next frame is tracked when the last one's motion has its turn in the render thread: on a machine with
    more drivers than it has time for, no time goes into motions that nobody would see.

    Attributes:
        tracking: whether a frame is being tracked at the moment.
        dropped: frames replaced by newer ones before they were tracked.
    """

    def __init__(
        self,
        shared: RenderThread,
        landmarker: Landmarker,
        avatar: Avatar,
        runtime: Runtime,
        crop: int | None,
        deliver: Callable[[Rendered], None],
        gains: Gains | None = None,
        own_mouth: bool = True,
    ) -> None:
        self._shared, self._landmarker, self._deliver = shared, landmarker, deliver
        self._tracker = Tracker(TrackerSettings(live=True, mouth=True, paced=True), landmarker)
        self._renderer = Renderer(avatar, runtime, crop)
        self._renderer.mouth.own = own_mouth
        self._session = Session(self._tracker, self._renderer, gains)
        self._changed = threading.Condition()
        self._next: Callable[[], Frame] | None = None
        self._commands: deque[Callable[[], None]] = deque()
        self._reference = DriverReference(self._tracker)
        self._asked: set[Future[str | None]] = set()
        self._trouble = ThrottledLog(LOG)
        self._ended = False
        self.tracking = self._waiting = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="track", daemon=True)
        self._thread.start()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the rendered images."""
        return self._session.renderer.size

    def put(self, make: Callable[[], Frame]) -> None:
        """Offer the driver's newest frame, replacing one that was not tracked yet.

        ``make`` is called in the tracking thread, so that dropped frames are not even converted; it must be
        quick, because other drivers may be waiting for their turn.
        """
        with self._changed:
            self.dropped += self._next is not None
            self._next = make
            self._changed.notify()

    def taken(self) -> None:
        """The motion tracked last is being rendered: the next frame may be tracked."""
        with self._changed:
            self._waiting = False
            self._changed.notify()

    def set_avatar(self, avatar: Avatar) -> None:
        """Draw another avatar from the next frame on."""
        self._shared.call(lambda: self._session.renderer.set_avatar(avatar))

    def set_gains(self, gains: Gains) -> None:
        """Apply these gains from the next frame on."""
        self._session.gains = gains

    @property
    def gains(self) -> Gains:
        return self._session.gains

    @property
    def own_mouth(self) -> bool:
        """Whether the driver's own mouth is wanted."""
        return self._renderer.mouth.own

    def set_mouth(self, own: bool) -> None:
        """Show the driver's own mouth, or the painted one alone, from the next frame on."""
        self._renderer.mouth.own = own

    @property
    def mouth_note(self) -> str | None:
        """Why the mouth is painted although the driver's own is wanted."""
        return self._renderer.mouth.note

    def hold(self, on: bool) -> None:
        """Let the avatar rest, whatever the driver does, or let it go on."""
        self._session.resting.held = on

    def hold_when_lost(self, on: bool) -> None:
        """Whether the avatar rests by itself when no face is seen for three seconds."""
        self._session.resting.when_lost = on

    @property
    def resting(self) -> bool:
        """Whether the avatar rests now."""
        return self._session.resting.active

    def take_reference(self) -> Future[str | None]:
        """Make the driver's latest frame the reference.

        The future's result is None, or what makes that face a poor reference; without a face it raises
        ``MienError``.
        """
        future = self._promise()
        self._command(lambda: fulfil(future, self._reference.take))
        return future

    def search_reference(self, seconds: float = SEARCH_S) -> Future[str | None]:
        """Search for the frame most similar to the portrait and make it the reference.

        The future is cancelled when another search or a manually taken reference replaces it; it raises
        ``MienError`` if no face was seen in all that time.
        """
        future = self._promise()

        def begin() -> None:
            self._reference.search(self._session.renderer.avatar.face, seconds, future)

        self._command(begin)
        return future

    def hint(self) -> tuple[bool, str]:
        """Whether the driver's face would make a good reference now, and if not, why."""
        odd = reference_hint(self._tracker.face, self._session.renderer.avatar.face)
        return odd is None, odd or ""

    def render(self, driven: Driven) -> None:
        """Draw and deliver one frame, in the render thread."""
        if self._ended:
            return
        start = perf_counter()
        try:
            rendered = self._session.play(driven.frame, driven.motion)
        except Exception:
            # The other drivers' frames come from this thread, too.
            self._trouble.exception("a frame could not be rendered")
            return
        self.finish(driven, rendered, 1000 * (perf_counter() - start))

    def plan(self, driven: Driven) -> Planned | None:
        """Prepare the drawing of a motion for a batch, in the render thread; None if it failed."""
        if self._ended:
            return None
        try:
            return self._renderer.plan(self._session.shown(driven.frame, driven.motion))
        except Exception:
            self._trouble.exception("a frame could not be rendered")
            return None

    def finish(self, driven: Driven, rendered: Rendered, render_ms: float) -> None:
        """Deliver a frame drawn in a batch, in the render thread."""
        times = {"track": driven.track_ms, "render": render_ms, **rendered.stage_ms}
        try:
            self._deliver(replace(rendered, stage_ms=times))
        except Exception:
            self._trouble.exception("a frame could not be delivered")

    def close(self) -> None:
        """Stop the tracking thread and leave the shared renderer.  Idempotent."""
        with self._changed:
            if self._ended:
                return
            self._ended = True
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()
        # No answer will come any more; without this, callers would wait for ever.
        with self._changed:
            asked = list(self._asked)
        for future in asked:
            future.cancel()
        self._shared.release(self, self._landmarker)

    def _promise(self) -> Future[str | None]:
        future: Future[str | None] = Future()
        with self._changed:
            ended = self._ended
            self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        if ended:
            future.cancel()
        return future

    def _command(self, work: Callable[[], None]) -> None:
        # A separate queue: frames may be dropped, user commands may not.
        with self._changed:
            self._commands.append(work)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._ended or self._commands or (self._next and not self._waiting)
                )
                if self._ended:
                    return
                commands, make = list(self._commands), None if self._waiting else self._next
                self._commands.clear()
                self._next = self._next if make is None else None
                self.tracking = make is not None
            for command in commands:
                command()
            if make is not None:
                try:
                    self._track(make)
                except Exception:
                    # One bad frame must not end a driver's stream; the next one is tried.
                    self._trouble.exception("a frame could not be tracked")

    def _track(self, make: Callable[[], Frame]) -> None:
        try:
            with self._shared.turns:
                start = perf_counter()
                frame = (self._newer() or make)()
                motion = self._tracker.track(frame)
                spent = 1000 * (perf_counter() - start)
        finally:
            self.tracking = False
        # The tracker may resize frames; the face's coordinates refer to the resized one.
        frame = self._tracker.frame or frame
        self._reference.seen(frame)
        with self._changed:
            self._waiting = True
        self._shared.submit(Driven(self, frame, motion, spent))

    def _newer(self) -> Callable[[], Frame] | None:
        """The frame that came while this driver waited for their turn."""
        with self._changed:
            newer, self._next = self._next, None
            self.dropped += newer is not None
        return newer
