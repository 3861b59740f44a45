"""Many live avatars, one model: a thread per driver tracks, one thread renders for all of them."""

from __future__ import annotations

import logging
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
from mien.engine.runtime.batch import BatchRuntime
from mien.engine.session.driver_session import Driven, DriverSession
from mien.engine.session.renderer import draw_together
from mien.engine.types import Floats, Image, Rendered
from mien.engine.utils.throttled_log import ThrottledLog

T = TypeVar("T")
LOG = logging.getLogger("mien.engine")

WAIT_S = 0.003
"""How long a rendering waits for other drivers that are just being tracked, at most."""


class SharedRenderer:
    """The thread that the runtime belongs to.

    It takes whatever motions are ready, the oldest picture first, waiting 3 ms at most for drivers that are
    about to be, and renders them: in one call where the runtime's :attr:`~Runtime.batch` is above 1, else one
    after the other.  A motion that a newer one of the same driver overtook is dropped and counted.  Nothing
    queues up, so a slow machine lowers the rate, not the timeliness.

    >>> with SharedRenderer(default_runtime(), make_landmarker) as owner:    # doctest: +SKIP
    ...     session = owner.open(avatar, deliver=show)
    ...     session.put(lambda: frame)

    Args:
        runtime: what renders; from now on used by the owner's thread alone (see :meth:`shared`).
        make_landmarker: makes the face landmarker of one more driver; they are kept and used again, because
            compiling their networks takes longer than a person wants to wait.
        crop: side of the square pictures in pixels; None renders whole portraits.
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
        self.rounds = 0
        self.rendered = 0
        self._thread = threading.Thread(target=self._run, name="model owner", daemon=True)
        self._thread.start()

    def __enter__(self) -> SharedRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def sessions(self) -> int:
        """How many drivers there are."""
        return len(self._sessions)

    def shared(self) -> Runtime:
        """A runtime that any thread may use: what it is asked for is done in the owner's thread."""
        return _Borrowed(self)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Have ``work`` done in the owner's thread, between two renderings."""
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                future.set_exception(RuntimeError("the model owner is closed"))
                return future
            self._calls.append((work, future))  # type: ignore[arg-type]
            self._changed.notify_all()
        return future

    def open(
        self, avatar: Avatar, deliver: Callable[[Rendered], None], gains: Gains | None = None
    ) -> DriverSession:
        """One more driver, with the avatar that is to follow (0.2 s the first time).

        Args:
            avatar: whom to draw.
            deliver: gets every picture, in the owner's thread; it must be quick.
            gains: how much of the motion is taken over.

        Raises:
            RuntimeError: the owner is closed.
        """
        with self._changed:
            landmarker = self._spare.pop() if self._spare else None
        landmarker = landmarker or self._make_landmarker()
        landmarker.reset()
        session = DriverSession(self, landmarker, avatar, self._runtime, self._crop, deliver, gains)
        with self._changed:
            closed = self._closed
            if not closed:
                self._sessions.append(session)
        if closed:
            session.close()
            raise RuntimeError("the model owner is closed")
        return session

    def submit(self, driven: Driven) -> None:
        """A tracked motion that waits to be rendered, in the place of an older one of the same driver."""
        with self._changed:
            if driven.session not in self._sessions:
                return
            if driven.session in self._ready:
                driven.session.count_dropped()
            self._ready[driven.session] = driven
            self._changed.notify_all()

    def release(self, session: DriverSession, landmarker: Landmarker) -> None:
        """The session has ended: forget it, keep its landmarker for the next driver."""
        with self._changed:
            if session in self._sessions:
                self._sessions.remove(session)
            self._ready.pop(session, None)
            if not self._closed:
                self._spare.append(landmarker)
                return
        landmarker.close()

    def close(self) -> None:
        """End all sessions and the thread."""
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
                _fulfil(work, future)
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
            if self._ready and not self._closed:
                self._wait_for_others()
            calls = list(self._calls)
            self._calls.clear()
            if self._closed:
                for _, future in calls:
                    future.cancel()
                return None, []
            batch = sorted(self._ready.values(), key=lambda driven: driven.frame.captured_ns)
            self._ready.clear()
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
        # Which driver's motion it was is not known; the others must not lose their pictures by it.
        trouble.exception("pictures could not be drawn together")
        for driven, plan in plans:
            try:
                (rendered,) = draw_together(runtime, [plan])
            except Exception:
                trouble.exception("a picture could not be rendered")
            else:
                driven.session.finish(driven, rendered, 1000 * (perf_counter() - start))
        return
    spent = 1000 * (perf_counter() - start)
    for (driven, _), rendered in zip(plans, found, strict=True):
        driven.session.finish(driven, rendered, spent)


def _fulfil(work: Callable[[], object], future: Future[object]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


class _Borrowed(Runtime):
    """The owner's runtime for other threads."""

    def __init__(self, owner: SharedRenderer) -> None:
        self._owner = owner
        self.name = owner._runtime.name

    def encode(self, source: Image) -> AvatarCode:
        runtime = self._owner._runtime
        return self._owner.call(lambda: runtime.encode(source)).result()

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        runtime = self._owner._runtime

        def work() -> Field:
            field = runtime.render(code, source_points, driving_points, dense)
            # The runtime fills the same arrays again for the next picture.
            return Field(field.flow.copy(), field.occlusion.copy(), field.paint.copy())

        return self._owner.call(work).result()
