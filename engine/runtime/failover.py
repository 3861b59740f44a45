"""One runtime works while a better one is made ready beside it, and again if the better one fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from mien.engine.avatar.model_io import AvatarCode, Field
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch import BatchRuntime, Drawing
from mien.engine.types import Floats, Image, MienError

Notify = Callable[[str], None]


class Working(Protocol):
    """What a hand-over needs to know of a runtime, whatever it computes."""

    @property
    def name(self) -> str: ...

    def close(self) -> None: ...


R = TypeVar("R", bound=Working)
T = TypeVar("T")


class Failover(Generic[R]):
    """Uses ``fallback`` until ``make`` has returned, then what it returned.

    ``make`` runs in a thread of its own, so nobody waits for it.  If it raises, or if its runtime raises a
    :class:`MienError` later, there is one line about that, and ``fallback`` works (again).  Any thread that
    may use both runtimes may use this one.

    Args:
        notify: gets the lines.
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
        """The runtime at work."""
        return self._better or self._fallback

    def wait(self) -> R:
        """Wait until it is settled which runtime works, and return that one."""
        self._made.join()
        return self.working

    def either(self, work: Callable[[R], T]) -> T:
        """What ``work`` gives with the better runtime, or where that fails with the fallback."""
        better = self._better
        if better is not None:
            try:
                return work(better)
            except MienError as error:
                self._failed(better, error)
        return work(self._fallback)

    def close(self) -> None:
        """Close both runtimes; one that is being made still is closed when it is made."""
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
                f"{type(error).__name__} while an engine was made: {text}; {self._fallback.name} is used"
            )
        else:
            with self._lock:
                if not self._ended:
                    self._better = better
                    return
            close_quietly(better)

    def _failed(self, failed: R, error: MienError) -> None:
        with self._lock:
            if self._better is not failed:  # another thread has seen it before, or all has ended
                return
            self._better = None
        close_quietly(failed)
        self._say(f"{error}; {self._fallback.name} is used from now on")

    def _say(self, line: str) -> None:
        if not self._ended:
            self._notify(line)


def close_quietly(runtime: Working) -> None:
    """Close a runtime that is given up."""
    with suppress(MienError):  # a GPU that is gone has taken its memory along
        runtime.close()


class FailoverRuntime(BatchRuntime):
    """A :class:`Failover` of runtimes of the ``live`` preset."""

    def __init__(self, fallback: Runtime, make: Callable[[], Runtime], notify: Notify) -> None:
        self._both: Failover[Runtime] = Failover(fallback, make, notify)
        self._fallback = fallback

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the runtime at work."""
        return self.working.name

    @property
    def batch(self) -> int:
        return self.working.batch

    @property
    def stale(self) -> bool:
        return self.working.stale

    @property
    def working(self) -> Runtime:
        """The runtime at work."""
        return self._both.working

    def wait(self) -> Runtime:
        """Wait until it is settled which runtime works, and return that one."""
        return self._both.wait()

    def encode(self, source: Image) -> AvatarCode:
        # Once per avatar, and codes are the same for every runtime: exact rather than fast.
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
    from mien.engine.avatar.canvas import compose  # needs avatars, and they this package

    return [
        compose(d.canvas, runtime.render(d.code, d.source_points, d.driving_points, d.dense), d.warp)
        for d in drawings
    ]
