"""Links that pass items between threads, bounded and with a named policy."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from enum import Enum
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Policy(Enum):
    """Behaviour of a full link when the next item arrives.

    Attributes:
        NEWEST: the oldest item is dropped and counted; the producer never waits.  For live
            frames, since a late one is worthless.
        WAIT: the producer waits until there is room; nothing is lost.  For files.
    """

    NEWEST = "newest wins"
    WAIT = "wait"


class Closed(Exception):
    """The link was closed and holds nothing more."""


class Link(Generic[T]):
    """Hands items from any number of threads to one.

    >>> link: Link[int] = Link(Policy.NEWEST)
    >>> link.put(1), link.put(2), link.take(0), link.dropped
    (True, True, 2, 1)

    Args:
        policy: what happens when it is full.
        capacity: how many items it holds.

    Attributes:
        dropped: how many items made room for newer ones.
        forgotten: how many were in it when it was aborted.
        waited: seconds that the item taken last had spent in the link.
    """

    def __init__(self, policy: Policy, capacity: int = 1) -> None:
        if capacity < 1:
            raise ValueError("a link holds at least one item")
        self.policy, self.capacity = policy, capacity
        self.dropped = self.forgotten = 0
        self.waited = 0.0
        self._items: deque[tuple[float, T]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._error: Exception | None = None
        self._nudges = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def closed(self) -> bool:
        """Whether nothing can be put into it any more."""
        return self._closed

    def put(self, item: T) -> bool:
        """Leave an item; False (and nothing done) when the link is closed."""
        with self._changed:
            if self.policy is Policy.WAIT:
                self._changed.wait_for(lambda: self._closed or len(self._items) < self.capacity)
            if self._closed:
                return False
            if len(self._items) >= self.capacity:
                self._items.popleft()
                self.dropped += 1
            self._items.append((monotonic(), item))
            self._changed.notify_all()
            return True

    def take(self, timeout: float | None = None) -> T | None:
        """The oldest item, waited for; None after ``timeout`` seconds or a :meth:`nudge`.

        Raises:
            Closed: after :meth:`close`, when the last item is gone.
            Exception: the error given to :meth:`close`, once, then too.
        """
        with self._changed:
            if not self._wait(timeout):
                return None
            since, item = self._items.popleft()
            self.waited = monotonic() - since
            self._changed.notify_all()
            return item

    def peek(self, timeout: float | None = None) -> T | None:
        """Like :meth:`take`, but the item stays for the next taker."""
        with self._changed:
            return self._items[0][1] if self._wait(timeout) else None

    def _wait(self, timeout: float | None) -> bool:
        """Whether there is an item; holding the lock."""
        self._changed.wait_for(lambda: self._items or self._closed or self._nudges, timeout)
        self._nudges = 0
        if self._items or not self._closed:
            return bool(self._items)
        error, self._error = self._error, None
        raise error or Closed

    def __iter__(self) -> Iterator[T]:
        """The items until the link is closed and empty."""
        while True:
            try:
                item = self.take()
            except Closed:
                return
            if item is not None:
                yield item

    def nudge(self) -> None:
        """Wake the taker though there is no item: there is something else for it to do."""
        with self._changed:
            self._nudges += 1
            self._changed.notify_all()

    def close(self, error: Exception | None = None) -> None:
        """No more items will come; those that are in it can still be taken.

        Closing twice is allowed, and the first one counts.

        Args:
            error: raised to the taker when the last item is gone.
        """
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
                self._changed.notify_all()

    def abort(self) -> None:
        """Close, and forget what is in it."""
        with self._changed:
            self._closed = True
            self.forgotten += len(self._items)
            self._items.clear()
            self._changed.notify_all()
