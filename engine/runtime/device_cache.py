"""What stays on a card as long as it is used: avatars' codes, canvases."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mien.engine.runtime.cuda import OutOfMemory

IDLE_S = 5.0
"""What was not used for so long is in use no more: a live session draws many times a second."""

K = TypeVar("K")
R = TypeVar("R")


@dataclass(slots=True)
class _Kept(Generic[K, R]):
    key: K  # held, so that its identity cannot be given to another
    made: R
    used: float


class DeviceCache(Generic[K, R]):
    """Things on a card, by the identity of what they were made from.

    However many are in use, they all stay: room for a new one is made by those that were not used for
    :data:`IDLE_S`, the longest unused first, as soon as there are ``limit``; and where the card is full, by
    whatever is not wanted in the same call.

    Args:
        make: brings one onto the card; raises :class:`OutOfMemory` where it is full.
        limit: how many are kept beyond their use.
        drop: gives back what one takes.
    """

    def __init__(
        self,
        make: Callable[[K], R],
        limit: int,
        drop: Callable[[R], None] = lambda made: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._limit, self._drop, self._clock = make, limit, drop, clock
        self._kept: OrderedDict[int, _Kept[K, R]] = OrderedDict()

    def get(self, key: K) -> R:
        """One; see :meth:`all`."""
        return self.all([key])[0]

    def all(self, keys: Sequence[K]) -> list[R]:
        """What the keys stand for, in order.  Call only while nothing that might be dropped is at work.

        Raises:
            OutOfMemory: there is no room for these, though nothing else is left.
        """
        wanted = {id(key) for key in keys}
        return [self._one(key, wanted) for key in keys]

    def _one(self, key: K, wanted: set[int]) -> R:
        now = self._clock()
        kept = self._kept.get(id(key))
        if kept is not None:
            kept.used = now
            self._kept.move_to_end(id(key))
            return kept.made
        while len(self._kept) >= self._limit and self._drop_oldest(wanted, now - IDLE_S):
            pass
        made = self._made(key, wanted)
        self._kept[id(key)] = _Kept(key, made, now)
        return made

    def _made(self, key: K, wanted: set[int]) -> R:
        while True:
            try:
                return self._make(key)
            except OutOfMemory:
                if not self._drop_oldest(wanted, self._clock()):
                    raise

    def _drop_oldest(self, wanted: set[int], unused_since: float) -> bool:
        """Drop what was not used for longest, unless it is ``wanted`` or was used since then."""
        for number, kept in self._kept.items():
            if kept.used > unused_since:
                break
            if number not in wanted:
                del self._kept[number]
                self._drop(kept.made)
                return True
        return False

    def __contains__(self, key: K) -> bool:
        return id(key) in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[R]:
        return iter([kept.made for kept in self._kept.values()])

    def close(self) -> None:
        """Drop all."""
        while self._kept:
            self._drop(self._kept.popitem()[1].made)
