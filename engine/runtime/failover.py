"""Failover: a fallback works while a better runtime is built in the background, and if that one fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from mien.engine.avatar.model_io import AvatarCode, Field
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing
from mien.engine.types import Floats, Image, MienError

Notify = Callable[[str], None]


class Working(Protocol):
    """The parts of a runtime that a failover uses, whatever it computes."""

    @property
    def name(self) -> str: ...

    def close(self) -> None: ...


R = TypeVar("R", bound=Working)
T = TypeVar("T")


class Failover(Generic[R]):
    """Uses ``fallback`` until ``make`` has returned a better runtime, then that one.

    ``make`` runs in its own thread, so nobody waits for it.  If it raises, or if its runtime raises a
    :class:`MienError` later, that is reported in one line, and ``fallback`` works (again).  Any thread that
    may use both runtimes may use this one.

    Args:
        notify: called with each line.
    """

    def __init__(self, fallback: R, make: Callable[[], R], notify: Notify) -> None:
        self._fallback, self._make, self._notify = fallback, make, notify
        self._better: R | None = None
        self._lock = threading.Lock()
        self._ended = False
        self._made = threading.Thread(target=self._prepare, name="engine builder", daemon=True)
        self._made.start()

    @property
    def working(self) -> R:
        """The runtime currently in use."""
        return self._better or self._fallback

    def wait(self) -> R:
        """Wait until it is settled which runtime works, and return that one."""
        self._made.join()
        return self.working

    def either(self, work: Callable[[R], T]) -> T:
        """Run ``work`` with the better runtime, or with the fallback if that fails."""
        better = self._better
        if better is not None:
            try:
                return work(better)
            except MienError as error:
                self._failed(better, error)
        return work(self._fallback)

    def close(self) -> None:
        """Close both runtimes; one still being built is closed as soon as it is ready."""
        with self._lock:
            self._ended = True
            better, self._better = self._better, None
        if better is not None:
            close_quietly(better)
        self._fallback.close()

    def _prepare(self) -> None:
        try:
            better = self._make()
        except MienError as error:
            self._say(f"{error}; {self._fallback.name} is used")
        except Exception as error:  # a library's bug must not end a session that runs well without it
            text = (str(error).splitlines() or [""])[0]
            self._say(
                f"{type(error).__name__} while an engine was built: {text}; {self._fallback.name} is used"
            )
        else:
            with self._lock:
                if not self._ended:
                    self._better = better
                    return
            close_quietly(better)

    def _failed(self, failed: R, error: MienError) -> None:
        with self._lock:
            if self._better is not failed:  # another thread noticed it first, or all is closed
                return
            self._better = None
        close_quietly(failed)
        self._say(f"{error}; {self._fallback.name} is used from now on")

    def _say(self, line: str) -> None:
        if not self._ended:
            self._notify(line)


def close_quietly(runtime: Working) -> None:
    """Close a runtime that is no longer used."""
    with suppress(MienError):  # a GPU that is gone has taken its memory along
        runtime.close()


class FailoverRuntime(BatchRuntime):
    """A :class:`Failover` between runtimes of the ``live`` preset."""

    def __init__(self, fallback: Runtime, make: Callable[[], Runtime], notify: Notify) -> None:
        self._both: Failover[Runtime] = Failover(fallback, make, notify)
        self._fallback = fallback

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the runtime currently in use."""
        return self.working.name

    @property
    def batch(self) -> int:
        return self.working.batch

    @property
    def stale(self) -> bool:
        return self.working.stale

    @property
    def working(self) -> Runtime:
        """The runtime currently in use."""
        return self._both.working

    def wait(self) -> Runtime:
        """Wait until it is settled which runtime works, and return that one."""
        return self._both.wait()

    def encode(self, source: Image) -> AvatarCode:
        # Once per avatar, and every runtime uses the same codes: exact rather than fast.
        return self._fallback.encode(source)

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        return self._both.either(lambda runtime: runtime.render(code, source_points, driving_points, dense))

    def draw(self, drawings: Sequence[Drawing]) -> list[Image]:
        return self._both.either(lambda runtime: _drawn(runtime, drawings))

    def close(self) -> None:
        self._both.close()


def _drawn(runtime: Runtime, drawings: Sequence[Drawing]) -> list[Image]:
    if isinstance(runtime, BatchRuntime):
        return runtime.draw(drawings)
    from mien.engine.avatar.canvas.composition import compose  # lazy: avatars import this package

    return [
        compose(d.canvas, runtime.render(d.code, d.source_points, d.driving_points, d.dense), d.warp)
        for d in drawings
    ]
