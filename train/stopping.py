"""Deferral of Ctrl-C to the end of a training step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def asked_to_stop(active: bool) -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C or SIGTERM came; a second signal ends at once.

    Args:
        active: False leaves the signals alone (in distributed training, processes would stop at different
            steps and wait for each other; their last checkpoint must do).
    """
    asked = False
    signals = (signal.SIGINT, signal.SIGTERM)
    if not active or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        for each, old in before.items():
            signal.signal(each, old)

    before = {each: signal.signal(each, ask) for each in signals}
    try:
        yield lambda: asked
    finally:
        for each, old in before.items():
            signal.signal(each, old)
