"""Many live avatars, one model: one tracking thread per driver, one render thread for all."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic, perf_counter
from typing import TypeVar

from mien.engine.avatar import Avatar
from mien.engine.avatar.model_io import AvatarCode, Field
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Gains
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch_runtime import BatchRuntime
from mien.engine.session.driver_session import Driven, DriverSession
from mien.engine.session.promises import fulfil
from mien.engine.session.renderer import draw_together
from mien.engine.types import Floats, Image, Rendered
from mien.engine.utils.throttled_log import ThrottledLog

T = TypeVar("T")
LOG = logging.getLogger("mien.engine")

WAIT_S = 0.003
"""Seconds for which rendering waits, at most, for drivers whose tracking is about to finish."""


def _trackers() -> int:
    """How many drivers are tracked at a time: one core is the render thread's.

    Threads of Python that all have something to do hand its lock to and fro at every call of OpenCV.  Four
    drivers on two busy cores switched threads 22,000 times a second, at 24 ms of CPU time a frame and 64
    frames a second in all; tracked one at a time 7,000 times, at 19 ms and 77 frames, half as late.
    """
    return max(1, (os.cpu_count() or 1) - 1)


class SharedRenderer:
    """Owner of the runtime and of the thread that renders for all drivers.

    It takes all motions that are ready, the oldest frame first.  If the runtime's :attr:`~Runtime.batch` is
    above 1, it waits at most 3 ms for drivers whose tracking is about to finish, and renders all in one call;
    otherwise one after the other, at once.  Drivers take turns in being tracked.  A next frame is tracked
    when the motion of the last one has been taken: nothing queues up, so a slow machine lowers the frame
    rate, not the timeliness.

    >>> with SharedRenderer(default_runtime(), make_landmarker) as shared:   # doctest: +SKIP
    ...     session = shared.open(avatar, deliver=show)
    ...     session.put(lambda: frame)

    Args:
        runtime: runs the network; from now on used by the render thread alone (see :meth:`shared`).
        make_landmarker: creates the landmarker of one more driver; landmarkers are reused, because compiling
            their networks takes longer than a user should wait.
        crop: side of the square images in pixels; None renders whole portraits.
    """

    def __init__(
        self, runtime: Runtime, make_landmarker: Callable[[], Landmarker], crop: int | None = 512
    ) -> None:
        self._runtime, self._make_landmarker, self._crop = runtime, make_landmarker, crop
        self._changed = threading.Condition()
        self._sessions: list[DriverSession] = []
        self._ready: dict[DriverSession, Driven] = {}
        self._calls: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._spare: list[Landmarker] = []
        self._closed = False
        self._trouble = ThrottledLog(LOG)
        self.turns = threading.Semaphore(_trackers())
        self.rounds = 0
        self.rendered = 0
        self._thread = threading.Thread(target=self._run, name="shared renderer", daemon=True)
        self._thread.start()

    def __enter__(self) -> SharedRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def sessions(self) -> int:
        """Number of drivers."""
        return len(self._sessions)

    def shared(self) -> Runtime:
        """A runtime usable from any thread; its work is done in the render thread."""
        return _AnyThreadRuntime(self)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Run ``work`` in the render thread, between two renderings."""
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                future.set_exception(RuntimeError("the shared renderer is closed"))
                return future
            self._calls.append((work, future))  # type: ignore[arg-type]
            self._changed.notify_all()
        return future

    def open(
        self,
        avatar: Avatar,
        deliver: Callable[[Rendered], None],
        gains: Gains | None = None,
        *,
        own_mouth: bool = True,
    ) -> DriverSession:
        """Add a driver for ``avatar`` (0.2 s the first time).

        Args:
            avatar: the avatar to draw.
            deliver: called with every rendered frame in the render thread; it must be quick.
            gains: strength of each part of the motion.
            own_mouth: show the driver's own mouth, where it is seen well enough.

        Raises:
            RuntimeError: the shared renderer is closed.
        """
        with self._changed:
            landmarker = self._spare.pop() if self._spare else None
        landmarker = landmarker or self._make_landmarker()
        landmarker.reset()
        session = DriverSession(
            self, landmarker, avatar, self._runtime, self._crop, deliver, gains, own_mouth
        )
        with self._changed:
            closed = self._closed
            if not closed:
                self._sessions.append(session)
        if closed:
            session.close()
            raise RuntimeError("the shared renderer is closed")
        return session

    def submit(self, driven: Driven) -> None:
        """Queue a tracked motion for rendering."""
        with self._changed:
            if driven.session not in self._sessions:
                return
            self._ready[driven.session] = driven
            self._changed.notify_all()

    def release(self, session: DriverSession, landmarker: Landmarker) -> None:
        """Remove a session that has ended, and keep its landmarker for the next driver."""
        with self._changed:
            if session in self._sessions:
                self._sessions.remove(session)
            self._ready.pop(session, None)
            if not self._closed:
                self._spare.append(landmarker)
                return
        landmarker.close()

    def close(self) -> None:
        """End all sessions and the render thread."""
        for session in list(self._sessions):
            session.close()
        with self._changed:
            self._closed = True
            spare, self._spare = self._spare, []
            self._changed.notify_all()
        self._thread.join()
        for landmarker in spare:
            landmarker.close()

    def _run(self) -> None:
        while True:
            calls, batch = self._take()
            if calls is None:
                return
            for work, future in calls:
                fulfil(future, work)
            self._render(batch)
            self.rendered += len(batch)
            self.rounds += bool(batch)

    def _render(self, batch: list[Driven]) -> None:
        runtime = self._runtime
        if len(batch) > 1 and runtime.batch > 1 and isinstance(runtime, BatchRuntime):
            _render_together(runtime, batch, self._trouble)
        else:
            for driven in batch:
                driven.session.render(driven)

    def _take(self) -> tuple[list[tuple[Callable[[], object], Future[object]]] | None, list[Driven]]:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._calls or self._ready)
            if self._ready and not self._closed and self._runtime.batch > 1:
                self._wait_for_others()
            calls = list(self._calls)
            self._calls.clear()
            if self._closed:
                for _, future in calls:
                    future.cancel()
                return None, []
            batch = sorted(self._ready.values(), key=lambda driven: driven.frame.captured_ns)
            self._ready.clear()
        for driven in batch:
            driven.session.taken()
        return calls, batch

    def _wait_for_others(self) -> None:
        until = monotonic() + WAIT_S
        while (left := until - monotonic()) > 0 and any(
            session.tracking and session not in self._ready for session in self._sessions
        ):
            self._changed.wait(left)


def _render_together(runtime: BatchRuntime, batch: list[Driven], trouble: ThrottledLog) -> None:
    start = perf_counter()
    plans = [(driven, plan) for driven in batch if (plan := driven.session.plan(driven)) is not None]
    if not plans:
        return
    try:
        found = draw_together(runtime, [plan for _, plan in plans])
    except Exception:
        # It is not known whose motion failed; the other drivers must not lose their frames.
        trouble.exception("a batch of frames could not be drawn")
        for driven, plan in plans:
            try:
                (rendered,) = draw_together(runtime, [plan])
            except Exception:
                trouble.exception("a frame could not be rendered")
            else:
                driven.session.finish(driven, rendered, 1000 * (perf_counter() - start))
        return
    spent = 1000 * (perf_counter() - start)
    for (driven, _), rendered in zip(plans, found, strict=True):
        driven.session.finish(driven, rendered, spent)


class _AnyThreadRuntime(Runtime):
    """The shared runtime for other threads."""

    def __init__(self, shared: SharedRenderer) -> None:
        self._shared = shared
        self.name = shared._runtime.name

    def encode(self, source: Image) -> AvatarCode:
        runtime = self._shared._runtime
        return self._shared.call(lambda: runtime.encode(source)).result()

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        runtime = self._shared._runtime

        def work() -> Field:
            field = runtime.render(code, source_points, driving_points, dense)
            # The runtime reuses its arrays for the next frame.
            return Field(field.flow.copy(), field.occlusion.copy(), field.paint.copy())

        return self._shared.call(work).result()
