"""Sources that run in real time: a thread captures, the newest frame waits in one slot."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Iterator

from mien.engine.types import Frame, Image, MienError, SourceError
from mien.engine.utils.links import Closed, Link, Policy
from mien.streams.source import Source

STUCK_THREAD_S = 0.5


class LiveSource(Source):
    """A source whose frames cannot wait: a slow reader gets the newest one, and the others are counted.

    ``Frame.index`` counts captured frames, so a gap in it is a drop; ``Frame.time`` runs from the first one.

    Args:
        name: what messages call the source.
        timeout: seconds without a frame after which the iteration ends in an error.

    Attributes:
        silent_s: seconds since the last frame.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self.notes = []
        self._name = name
        self._timeout = timeout
        self._newest: Link[Frame] = Link(Policy.NEWEST)
        self._stop = threading.Event()
        self._count = 0
        self._first_ns = 0
        self._last_ns = 0
        # A daemon, because a driver can hang in a read for ever and must not hold up the exit.
        self._thread = threading.Thread(target=self._run, name=f"capture {name}", daemon=True)

    @property
    def dropped(self) -> int:
        """Frames that were captured but replaced by newer ones before they were read."""
        return self._newest.dropped

    @property
    def silent_s(self) -> float:
        """Seconds since the last frame; 0 before the first."""
        return (now_ns() - self._last_ns) / 1e9 if self._last_ns else 0.0

    @abstractmethod
    def _capture(self) -> None:
        """In the capture thread: deliver frames until ``self._stop`` is set or the source ends."""

    @abstractmethod
    def _release(self) -> None:
        """In the capture thread, last: free the device."""

    @abstractmethod
    def _stalled(self) -> str:
        """The line for the user when no frame came for ``timeout`` seconds."""

    def _run(self) -> None:
        try:
            self._capture()
        except Exception as error:
            self._newest.close(error if isinstance(error, MienError) else SourceError(self._failed(error)))
        finally:
            # Freeing a device while another thread reads from it crashes OpenCV and FFmpeg: only we do it.
            try:
                self._release()
            finally:
                self._newest.close()

    def _failed(self, error: Exception) -> str:
        return f"{self._name} failed ({error or type(error).__name__}). {self._stalled()}"

    def _deliver(self, image: Image, captured_ns: int) -> None:
        if self._count == 0:
            self._first_ns = captured_ns
        seconds = (captured_ns - self._first_ns) / 1e9
        self._last_ns = captured_ns
        self._newest.put(Frame(image, self._count, captured_ns, seconds))
        self._count += 1

    def _await_first(self, timeout: float) -> Frame | None:
        try:
            return self._newest.peek(timeout)
        except Closed:
            return None

    def __iter__(self) -> Iterator[Frame]:
        while not self._stop.is_set():
            try:
                frame = self._newest.take(self._timeout)
            except Closed:
                return
            if frame is not None:
                yield frame
            elif not self._stop.is_set():
                raise SourceError(self._stalled())

    def close(self) -> None:
        self._stop.set()
        self._newest.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STUCK_THREAD_S)


def now_ns() -> int:
    """The clock of ``Frame.captured_ns``."""
    return time.monotonic_ns()
