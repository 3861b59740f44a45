"""A stage: one thread of a pipeline with its links, its command queue, and its statistics."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mien.engine.types import MienError
from mien.engine.utils.links import Link
from mien.engine.utils.samples import Samples

Command = Callable[[], None]


class Stage:
    """One thread of a pipeline; created by :class:`mien.engine.pipeline.pipeline.Pipeline`.

    Attributes:
        name: name in messages.
        work_ms: milliseconds spent on each item.
        queue_ms: milliseconds that each item waited in the inlet.
        cpu_s: seconds of processor time of this thread (not of threads started by libraries).
        fault: the error that ended it, if any.
    """

    def __init__(
        self, name: str, required: bool, inlet: Link[Any] | None, outlets: Sequence[Link[Any]]
    ) -> None:
        self.name, self.required = name, required
        self.inlet, self.outlets = inlet, tuple(outlets)
        self.work_ms, self.queue_ms = Samples(), Samples()
        self.cpu_s = 0.0
        self.fault: MienError | None = None
        self.thread: threading.Thread | None = None
        self._commands: deque[Command] = deque()
        self._lane = threading.Lock()
        self._over = False

    @property
    def running(self) -> bool:
        """Whether its thread is running."""
        return self.thread is not None and self.thread.is_alive()

    def tell(self, command: Command) -> bool:
        """Queue ``command`` to run in this stage's thread before its next item; never dropped, in order.

        Returns:
            False when the stage has ended and will not run it.
        """
        with self._lane:
            if self._over:
                return False
            self._commands.append(command)
        if self.inlet is not None:
            self.inlet.nudge()
        return True

    def obey(self) -> None:
        """Run the queued commands."""
        while self._commands:
            self._commands.popleft()()

    def end_lane(self) -> None:
        """Run the remaining commands and accept no more."""
        while True:
            self.obey()
            with self._lane:
                if not self._commands:
                    self._over = True
                    return

    def refuse(self) -> None:
        """Accept no more commands, after a failure."""
        with self._lane:
            self._over = True
            self._commands.clear()

    def give(self, item: Any) -> bool:
        """Put ``item`` into every outlet; returns False when none is open any more."""
        if not self.outlets:
            return True
        taken = [outlet.put(item) for outlet in self.outlets]
        return any(taken)
