"""Cache of device-resident objects: avatars' codes and canvases."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mien.engine.runtime.cuda import OutOfMemory

IDLE_S = 5.0
"""Seconds after which an unused object is no longer in use: a live session draws many times a second."""

K = TypeVar("K")
R = TypeVar("R")


@dataclass(slots=True)
class _Kept(Generic[K, R]):
    key: K  # kept alive, so that its id is not reused
    made: R
    used: float


class DeviceCache(Generic[K, R]):
    """Cache of device-resident objects, keyed by the identity of their source.

    All objects in use stay, however many they are.  Those unused for :data:`IDLE_S` make room for new ones,
    the longest unused first, as soon as there are ``limit``; if the GPU is full, so does everything that is
    not requested in the same call.

    Args:
        make: creates an object on the GPU; raises :class:`OutOfMemory` if that is full.
        limit: number of objects kept although unused.
        drop: frees an object.
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
        """Return the object of one key; see :meth:`all`."""
        return self.all([key])[0]

    def all(self, keys: Sequence[K]) -> list[R]:
        """Return the objects of the keys, in order.  Call only while no object that may be dropped is in use.

        Raises:
            OutOfMemory: there is no room for these, even with everything else dropped.
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
        """Drop the object unused for longest, unless it is ``wanted`` or was used since ``unused_since``."""
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
        """Drop all objects."""
        while self._kept:
            self._drop(self._kept.popitem()[1].made)
