"""Progress of building GPU engines, and notes on the runtime in use, on stderr."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class EngineProgress:
    """Progress bars of the engines being built; removed when all are finished.

    Both methods may be called from any thread.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._done: set[str] = set()

    def note(self, line: str) -> None:
        """Print a line."""
        with self._lock:
            self._stop()
            self._console.print(f"mien: {line}", markup=False, highlight=False, soft_wrap=True)

    def progress(self, part: str, share: float) -> None:
        """Set the progress of ``part`` to ``share`` (0..1); 1 ends its bar."""
        with self._lock:
            if not self._console.is_terminal:
                if share == 0.0 and part not in self._tasks:
                    self._tasks[part] = TaskID(len(self._tasks))
                    self._console.print(
                        f"mien: building the GPU engine {part}", markup=False, highlight=False
                    )
                return
            if self._bars is None:
                self._bars = Progress(
                    TextColumn("building the GPU engine {task.description}"),
                    BarColumn(),
                    TimeElapsedColumn(),
                    console=self._console,
                    transient=True,
                )
                self._bars.start()
            if part not in self._tasks:
                self._tasks[part] = self._bars.add_task(part, total=1.0)
            self._bars.update(self._tasks[part], completed=share)
            if share >= 1.0:
                self._done.add(part)
            if self._done >= set(self._tasks):
                self._stop()

    def _stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars = None
        self._tasks.clear()
        self._done.clear()
