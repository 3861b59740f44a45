"""The recording of a live run: one picture size, times from zero, whatever the live run does."""

from __future__ import annotations

import threading

from mien.engine.pipeline.stage import Stage
from mien.engine.types import Image, SinkError
from mien.engine.utils.images import fit_into
from mien.streams.sink import Sink

__all__ = ["Recorder", "fit_into"]

CLOSE_S = 20.0
"""Seconds that a file gets to be finished."""

GIVE_UP_S = 1.0
"""Seconds that a recording's thread gets to come back before its file is left to itself."""


class Recorder:
    """Writes a live run's pictures into a sink of a fixed size.

    A disk may block a write for ever, and two threads in one FFmpeg file crash: whoever ends the recording
    waits for a while, and then leaves the sink to the thread that is in it.

    Args:
        sink: the file.
        size: width and height of its pictures.
        name: what messages call it.

    Attributes:
        stage: the thread that writes, once there is one.
        written: how many pictures the sink has taken.
    """

    def __init__(self, sink: Sink, size: tuple[int, int], name: str = "the recording") -> None:
        self.sink, self.size = sink, size
        self.stage: Stage | None = None
        self.written = 0
        self._name = name
        self._start: float | None = None
        self._closer: threading.Thread | None = None
        self._failure: Exception | None = None

    def write(self, image: Image, time: float) -> None:
        """Add a picture; the first one is at time zero, whenever the camera was opened."""
        if self._start is None:
            self._start = time
        self.sink.write(fit_into(image, self.size), time - self._start)
        self.written += 1

    @property
    def lost(self) -> int:
        """How many pictures came too fast for it."""
        inlet = self.stage.inlet if self.stage is not None else None
        return inlet.dropped + inlet.forgotten if inlet is not None else 0

    @property
    def notes(self) -> list[str]:
        """Remarks on what could not be kept, one line each."""
        if not self.lost:
            return self.sink.notes
        many = f"{self.lost} of {self.lost + self.written} pictures are missing in {self._name}"
        return [*self.sink.notes, f"{many}: they came faster than they could be written."]

    def close(self, patience: float | None = None) -> None:
        """Finish the file, within ``patience`` seconds (:data:`CLOSE_S`).

        Raises:
            MienError: the sink failed, or its disk does not answer.
        """
        if self._busy(GIVE_UP_S):
            raise SinkError(self._gone())
        self._closer = threading.Thread(target=self._finish, name="recording's end", daemon=True)
        self._closer.start()
        if self._busy(CLOSE_S if patience is None else patience):
            raise SinkError(self._gone())
        if self._failure is not None:
            raise self._failure

    def abort(self) -> None:
        """Drop the file, unless it was finished or a thread hangs in it."""
        if not self._busy(GIVE_UP_S):
            self.sink.abort()

    def _finish(self) -> None:
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
            f"pictures were given to it and {self.lost} came after them. Record to another disk."
        )
