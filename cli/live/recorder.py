"""The recording of a live run: one image size, times from zero, whatever the live run does."""

from __future__ import annotations

import threading

from mien.cli.build import wants_credentials, wants_opacity
from mien.cli.live.output import Live, Output
from mien.cli.options.arguments import Options
from mien.engine.types import Image, SinkError
from mien.engine.utils.images import fit_into
from mien.streams.factory import open_sink
from mien.streams.sink import Sink

__all__ = ["Recorder", "fit_into"]

CLOSE_S = 20.0
"""Seconds that a file gets to be finished."""

GIVE_UP_S = 1.0
"""Seconds that a recording's thread gets to come back before its file is left to itself."""


WAITING_BYTES = 96 * 2**20
MOST_WAITING = 90
"""A pause of a slow disk is bridged by as many images as fit into this much memory, three seconds at most."""


class Recorder(Output):
    """Writes a live run's images into a sink of a fixed size (``--output``).

    A disk may block a write for ever, and two threads in one FFmpeg file crash: the thread that ends the
    recording waits for a while, and then leaves the sink to the thread that is in it.

    Args:
        sink: the file.
        size: width and height of its images.
        name: what messages call it.

    Attributes:
        written: number of images that the sink has taken.
    """

    name = "recording"
    doing = "recording"
    required = True

    def __init__(self, sink: Sink, size: tuple[int, int], name: str = "the recording") -> None:
        self.sink, self.size = sink, size
        self.capacity = max(4, min(MOST_WAITING, WAITING_BYTES // (3 * size[0] * size[1])))
        self.written = 0
        self._name = name
        self._start: float | None = None
        self._closer: threading.Thread | None = None
        self._failure: Exception | None = None

    @classmethod
    def wanted(cls, options: Options) -> bool:
        return options.output_text is not None

    @classmethod
    def open(cls, options: Options, live: Live) -> Recorder:
        name = options.output_text or ""
        width, height = live.size
        sink = open_sink(
            name,
            width=width,
            height=height,
            fps=live.fps,
            lossless=options.lossless,
            credentials=wants_credentials(options),
            opacity=wants_opacity(options),
            live=True,
        )
        return cls(sink, live.size, name)

    @property
    def file(self) -> str:
        return self._name

    def write(self, image: Image, time: float) -> None:
        """Add an image; the first one is at time zero, whenever the camera was opened."""
        if self._start is None:
            self._start = time
        self.sink.write(fit_into(image, self.size), time - self._start)
        self.written += 1

    @property
    def lost(self) -> int:
        """Number of images that came faster than they could be written."""
        inlet = self.stage.inlet if self.stage is not None else None
        return inlet.dropped + inlet.forgotten if inlet is not None else 0

    @property
    def notes(self) -> list[str]:
        """Remarks on what could not be kept, one line each."""
        if not self.lost:
            return self.sink.notes
        many = f"{self.lost} of {self.lost + self.written} images are missing in {self._name}"
        return [*self.sink.notes, f"{many}: they came faster than they could be written."]

    def finish(self, patience: float | None = None) -> None:
        """Complete the file, within ``patience`` seconds (:data:`CLOSE_S`).

        Raises:
            MienError: the sink failed, or its disk does not answer.
        """
        if self._busy(GIVE_UP_S):
            raise SinkError(self._gone())
        self._closer = threading.Thread(target=self._close_sink, name="recording's end", daemon=True)
        self._closer.start()
        if self._busy(CLOSE_S if patience is None else patience):
            raise SinkError(self._gone())
        if self._failure is not None:
            raise self._failure

    def abort(self) -> None:
        """Drop the file, unless it was finished or a thread hangs in it."""
        if not self._busy(GIVE_UP_S):
            self.sink.abort()

    def _close_sink(self) -> None:
        try:
            self.sink.close()
        except Exception as error:
            self._failure = error

    def _busy(self, patience: float) -> bool:
        """Whether a thread is still in the sink after so many seconds."""
        for thread in (self.stage.thread if self.stage is not None else None, self._closer):
            if thread is not None:
                thread.join(patience)
                if thread.is_alive():
                    return True
        return False

    def _gone(self) -> str:
        return (
            f"The disk of {self._name} does not answer, so the recording was not finished: {self.written} "
            f"images were given to it and {self.lost} came after them. Record to another disk."
        )
