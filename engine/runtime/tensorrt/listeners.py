"""TensorRT's listeners, errors and progress: their base classes come from either of its modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Called with the step and the progress of the build, 0..1.
Progress = Callable[[str, float], None]


def make_log(trt: Any) -> Any:
    """A logger for the module ``trt``, with the last errors in ``errors``."""

    class Log(trt.ILogger):  # type: ignore[misc]
        """Keeps TensorRT's errors for our own messages; by default it prints them to stderr."""

        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message)
                del self.errors[20:]

    return Log()


def make_monitor(trt: Any, progress: Progress) -> Any:
    """A progress monitor for the module ``trt`` that tells ``progress``."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Combines nested phases into one increasing number: each phase fills part of its parent's step."""

        def __init__(self) -> None:
            super().__init__()
            self._phases: dict[str, tuple[float, float, int]] = {}  # start, share of the whole, steps
            self._place: dict[str, int] = {}
            self._told = 0.0

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            start, share = 0.0, 1.0
            if parent in self._phases:
                begin, whole, count = self._phases[parent]
                share = whole / max(1, count)
                start = begin + share * min(self._place[parent], count - 1)
            self._phases[name], self._place[name] = (start, share, steps), 0
            self._tell(name)

        def step_complete(self, name: str, step: int) -> bool:
            if name in self._phases:
                self._place[name] = step + 1
                self._tell(name)
            return True

        def phase_finish(self, name: str) -> None:
            self._phases.pop(name, None)
            self._place.pop(name, None)

        def _tell(self, name: str) -> None:
            start, share, steps = self._phases[name]
            self._told = max(self._told, start + share * min(1.0, self._place[name] / max(1, steps)))
            progress(name, self._told)

    return Monitor()
