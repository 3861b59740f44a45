"""A one-slot mailbox: the newest item wins, what was overwritten is counted."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The mailbox was closed and holds nothing more."""


class Mailbox(Generic[T]):
    """Hands the newest item from one thread to another; never grows.

    Attributes:
        dropped: how many items were replaced before anyone took them.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._error: Exception | None = None
        self.dropped = 0

    def put(self, item: T) -> None:
        """Leave ``item``, in the place of one that was not taken."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify_all()

    def take(self, timeout: float) -> T | None:
        """The newest item, waited for up to ``timeout`` seconds; None when none came.

        Raises:
            Closed: after :meth:`close`, when the last item is gone.
            Exception: the error given to :meth:`close`, once.
        """
        with self._changed:
            item = self._wait(timeout)
            self._item = None
            return item

    def look(self, timeout: float) -> T | None:
        """Like :meth:`take`, but the item stays for the next taker."""
        with self._changed:
            return self._wait(timeout)

    def _wait(self, timeout: float) -> T | None:
        self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
        if self._item is not None or not self._closed:
            return self._item
        error, self._error = self._error, None
        raise error or Closed

    def close(self, error: Exception | None = None) -> None:
        """No more items will come; ``error`` is raised to the taker. The first close counts."""
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
                self._changed.notify_all()
