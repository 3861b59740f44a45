"""Stages in their own threads, joined by links: capture -> track -> render -> send.

Work that releases the GIL (OpenCV, OpenVINO, FFmpeg) runs in parallel; how far a slow stage holds up the
others is decided where a link is created (:class:`mien.engine.utils.links.Policy`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from time import monotonic, perf_counter, thread_time
from typing import TypeVar

from mien.engine.pipeline.stage import Stage
from mien.engine.types import MienError
from mien.engine.utils.links import Closed, Link

In = TypeVar("In")
Out = TypeVar("Out")
_Self = TypeVar("_Self", bound="Pipeline")
LOG = logging.getLogger("mien.engine")

STUCK_S = 2.0
"""Seconds to wait for a stage to end; a device driver can hang in a read and must not block the exit."""


class Pipeline:
    """Threads that start and stop together.

    >>> numbers, doubled = Link(Policy.WAIT), Link(Policy.WAIT)       # doctest: +SKIP
    >>> pipeline = Pipeline()
    >>> pipeline.feed("count", range(3), [numbers])
    >>> pipeline.stage("double", lambda n: 2 * n, numbers, [doubled])
    >>> with pipeline:
    ...     list(doubled)
    [0, 2, 4]

    When the feed ends, items in flight are finished, and the stages end one after the other.  When a required
    stage fails, all are stopped, and :meth:`wait` or the end of the ``with`` block raises its error, once.  A
    stage that is not required ends alone.

    Args:
        on_fault: called with every stage that fails, in its thread.
    """

    def __init__(self, on_fault: Callable[[Stage], None] | None = None) -> None:
        self.stages: list[Stage] = []
        self._runs: list[Callable[[], None]] = []
        self._stops: list[Callable[[], None]] = []
        self._on_fault = on_fault
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._error: MienError | None = None
        self._ending, self._stopping = threading.Event(), threading.Event()

    def feed(
        self,
        name: str,
        items: Iterable[Out],
        outlets: Sequence[Link[Out]],
        stop: Callable[[], None] | None = None,
    ) -> Stage:
        """Add a stage that emits the items of an iterable; ``stop`` ends a waiting iteration."""
        stage = Stage(name, True, None, outlets)
        if stop is not None:
            self._stops.append(stop)

        def run() -> None:
            iterator = iter(items)
            while not self._ending.is_set():
                start = perf_counter()
                item = next(iterator, None)
                stage.work_ms.add(1000 * (perf_counter() - start))
                if item is None or not stage.give(item):
                    break
                stage.obey()

        return self._add(stage, run, None)

    def stage(
        self,
        name: str,
        work: Callable[[In], Out | None],
        inlet: Link[In],
        outlets: Sequence[Link[Out]] = (),
        *,
        required: bool = True,
        finish: Callable[[], None] | None = None,
    ) -> Stage:
        """Add a stage that processes the items of its inlet; a result of None is not passed on.

        Args:
            required: whether its failure ends the pipeline.
            finish: called last in its thread, also after a failure; its error is then only logged.
        """
        stage = Stage(name, required, inlet, outlets)

        def run() -> None:
            while True:
                try:
                    item = inlet.take()
                except Closed:
                    return
                stage.obey()
                if item is None:
                    continue
                stage.queue_ms.add(1000 * inlet.waited)
                start = perf_counter()
                result = work(item)
                stage.work_ms.add(1000 * (perf_counter() - start))
                stage.cpu_s = thread_time()
                if result is not None and not stage.give(result):
                    return

        return self._add(stage, run, finish)

    def _add(self, stage: Stage, run: Callable[[], None], finish: Callable[[], None] | None) -> Stage:
        self.stages.append(stage)
        self._runs.append(lambda: self._live(stage, run, finish))
        return stage

    def _live(self, stage: Stage, run: Callable[[], None], finish: Callable[[], None] | None) -> None:
        def work() -> None:
            run()
            stage.end_lane()

        try:
            error = _error_of(work)
            if finish is not None and (later := _error_of(finish)) is not None:
                if error is not None:
                    # Usually a consequence of the first error, which it would hide.
                    LOG.info("the %s stage could not finish after its failure", stage.name, exc_info=later)
                error = error or later
            if error is not None:
                stage.refuse()
                self._failed(stage, error)
        finally:
            # Upstream may still be emitting: its link must neither fill up nor block it.
            if stage.inlet is not None:
                stage.inlet.abort()
            for outlet in stage.outlets:
                outlet.close()

    def _failed(self, stage: Stage, error: Exception) -> None:
        words = error if isinstance(error, MienError) else _in_words(stage, error)
        stage.fault = words
        if stage.required:
            with self._lock:
                first = self._error is None and not self._stopping.is_set()
                if first:
                    self._error = words
            self._halt()
        if self._on_fault is not None:
            self._on_fault(stage)

    @property
    def running(self) -> bool:
        """Whether any stage is running."""
        return any(stage.running for stage in self.stages)

    def start(self) -> None:
        """Start every stage, consumers first, so that no item is dropped for lack of one."""
        # A stop() comes either before all starts or after: the threads it joins must be known and running.
        with self._starting:
            if self._stopping.is_set():
                return
            for stage, run in reversed(list(zip(self.stages, self._runs, strict=True))):
                if stage.thread is None:
                    thread = threading.Thread(target=run, name=stage.name, daemon=True)
                    thread.start()
                    stage.thread = thread

    def stop(self) -> None:
        """Stop every stage and discard items in flight.  Thread-safe, idempotent, allowed before start."""
        self._halt()
        self._join(STUCK_S)

    def end(self) -> None:
        """End the feeds; items in flight are finished.  Call :meth:`wait` next."""
        if not self._ending.is_set():
            self._ending.set()
            for stop in self._stops:
                stop()

    def _halt(self) -> None:
        self.end()
        with self._starting:
            if self._stopping.is_set():
                return
            self._stopping.set()
        for stage in self.stages:
            if stage.inlet is not None:
                stage.inlet.abort()
            for outlet in stage.outlets:
                outlet.abort()

    def _join(self, timeout: float | None) -> bool:
        end = None if timeout is None else monotonic() + timeout
        me = threading.current_thread()
        for stage in self.stages:
            if stage.thread is not None and stage.thread is not me:
                stage.thread.join(None if end is None else max(0.0, end - monotonic()))
        return not self.running

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every stage has ended; returns False after ``timeout`` seconds.

        Raises:
            MienError: the error of a required stage; once.
        """
        ended = self._join(timeout)
        self.raise_error()
        return ended

    def raise_error(self) -> None:
        """Raise the error of a required stage, unless it was raised before."""
        with self._lock:
            error, self._error = self._error, None
        if error is not None:
            raise error

    def __enter__(self: _Self) -> _Self:
        try:
            self.start()
        except BaseException:
            # Ctrl-C during the start, or no thread available: nobody else would stop those already running.
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if kind is None:
            self.raise_error()


def _error_of(work: Callable[[], None]) -> Exception | None:
    """The exception raised by ``work``, or None."""
    try:
        work()
    except Exception as error:
        return error
    return None


def _in_words(stage: Stage, error: Exception) -> MienError:
    told = MienError(f"The {stage.name} stage failed ({type(error).__name__}: {error}). Please report this.")
    told.__cause__ = error
    return told
