"""Interruption by Ctrl-C: a run ends early and keeps what it has made."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, the system's polite request, and the closing of the terminal."""


class Stopper:
    """Turns signals into an orderly end.

    While a run waits for its next frame nothing can be lost, and a signal ends the wait at once.  While
    an image is written or a file is finished, the first signal is only recorded, because an interrupted
    encoder leaves a broken file behind; a second one gives up.

    >>> with Stopper() as stop:                       # doctest: +SKIP
    ...     for image in stop.until(images):
    ...         sink.write(image)
    ...     sink.close()

    Attributes:
        asked: whether the user has asked to stop.
    """

    def __init__(self) -> None:
        self.asked = False
        self._harmless = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stopper:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # One that is ignored (nohup, a shell's background job) stays ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if self._harmless or again:
            self._harmless = False
            raise KeyboardInterrupt

    def until(self, items: Iterable[T]) -> Iterator[T]:
        """The items, until there are no more or the user asks for the end."""
        iterator = iter(items)
        try:
            while not self.asked:
                self._harmless = True
                item = next(iterator, None)
                self._harmless = False
                if item is None:
                    return
                yield item
        except KeyboardInterrupt:
            return
        finally:
            self._harmless = False
