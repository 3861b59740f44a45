"""The recording of a live run: one picture size, times from zero, whatever the live run does."""

from __future__ import annotations

from engine.types import Image
from streams.fitting import fit_into
from streams.sink import Sink

__all__ = ["Recorder", "fit_into"]


class Recorder:
    """Writes a live run's pictures into a sink of a fixed size.

    Args:
        sink: the file.
        size: width and height of its pictures.
    """

    def __init__(self, sink: Sink, size: tuple[int, int]) -> None:
        self.sink, self.size = sink, size
        self._start: float | None = None

    def write(self, image: Image, time: float) -> None:
        """Add a picture; the first one is at time zero, whenever the camera was opened."""
        if self._start is None:
            self._start = time
        self.sink.write(fit_into(image, self.size), time - self._start)
