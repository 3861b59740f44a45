"""One avatar of the server to a sink of this machine: what the page shows is what a video call sees."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mien.engine.types import Image
from mien.engine.utils.links import Closed, Link, Policy
from mien.engine.utils.throttled_log import ThrottledLog
from mien.streams.sink import Sink
from mien.streams.webrtc.logs import LOG

Tap = Callable[[Image, float], None]


class Feed:
    """Writes the newest image in a thread of its own, so that a slow device slows nobody down.

    Args:
        sink: takes the images; it is closed with the feed.
        name: what the page calls it.
        shown: whose images are to go out now.
    """

    def __init__(self, sink: Sink, name: str, shown: Callable[[], object]) -> None:
        self.name = name
        self._sink, self._shown = sink, shown
        self._newest: Link[tuple[Image, float]] = Link(Policy.NEWEST)
        self._trouble = ThrottledLog(LOG)
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def tap(self, owner: object) -> Tap:
        """Takes the images of one avatar; those of others than the one shown are let go."""

        def take(image: Image, time: float) -> None:
            if self._shown() is owner:
                self._newest.put((image, time))

        return take

    def close(self) -> None:
        """Free the sink."""
        self._newest.close()
        self._thread.join(2)
        self._sink.close()

    def _run(self) -> None:
        try:
            while True:
                found = self._newest.take(1.0)
                if found is not None:
                    self._write(*found)
        except Closed:
            return

    def _write(self, image: Image, time: float) -> None:
        try:
            self._sink.write(image, time)
        except Exception:
            # The avatars in the browsers go on.
            self._trouble.exception("the virtual camera took no image")
