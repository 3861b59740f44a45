"""Rate-limited log for errors that may occur in every frame: the first at once, later ones counted."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from time import monotonic

EVERY_S = 10.0
"""How often the same line may be logged, seconds."""


class ThrottledLog:
    """Logs exceptions, each kind at most every :data:`EVERY_S`, with how often it has happened meanwhile.

    May be called from any thread.

    Args:
        log: where to.
        clock: monotonic seconds.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = monotonic) -> None:
        self._log, self._clock = log, clock
        self._lock = threading.Lock()
        self._told: dict[str, tuple[float, int]] = {}

    def exception(self, event: str) -> None:
        """In an ``except`` clause: ``event`` (one of few: they are kept), with the traceback."""
        times = self.count(event)
        if times > 1:
            self._log.exception("%s (%d times more since the last such line)", event, times - 1)
        elif times:
            self._log.exception("%s", event)

    def count(self, event: str) -> int:
        """Count an event, for a line in another form.

        Returns:
            how often it has happened since the last line, this time included, when a line is due now; else 0.
        """
        now = self._clock()
        with self._lock:
            last, unsaid = self._told.get(event, (-math.inf, 0))
            due = now - last >= EVERY_S
            self._told[event] = (now, 0) if due else (last, unsaid + 1)
        return unsaid + 1 if due else 0
