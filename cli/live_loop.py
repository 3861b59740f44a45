"""The loop of a live run: frames in, keys obeyed, pictures out."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic, perf_counter

import cv2
import numpy as np

from cli.gallery import Gallery
from cli.recorder import Recorder
from cli.report import StageTimes
from cli.stopping import Stopper
from engine.reference_search import oddity, unlikeness
from engine.session import Session
from engine.types import Face, Frame, Image, MienError, Rendered
from streams.preview import PreviewSink
from streams.source import Source

KEYS = (
    "X    this is my reference: neutral face, look at the camera",
    "F    find the best reference in the next 4 seconds",
    "1-9  other portraits (of --avatars DIR)",
    "M    mirror view    C  camera picture in the corner",
    "?    these keys     Esc  end",
)
ESCAPE = 27
SEARCH_SECONDS = 4.0
INSET = 0.22
"""Width of the camera's picture in the corner, in shares of the window."""


class ReferenceSearch:
    """Collects the frame most like the portrait for a few seconds (key F)."""

    def __init__(self, portrait: Face, until: float) -> None:
        self._portrait, self._until = portrait, until
        self._best: tuple[float, Image, Face] | None = None

    def look(self, frame: Frame, face: Face | None, now: float) -> tuple[Image, Face] | None:
        """Consider a frame; the best one's picture and face once the time is up."""
        if face is not None:
            score = unlikeness(face, self._portrait)
            if self._best is None or score < self._best[0]:
                self._best = score, frame.image.copy(), face
        if now < self._until or self._best is None:
            return None
        return self._best[1], self._best[2]


class LiveLoop:
    """One live run.

    Attributes:
        times: how long what took.
        broken: why the source ended, where it did not simply end.
    """

    def __init__(
        self, session: Session, gallery: Gallery, preview: PreviewSink | None, recorder: Recorder | None
    ) -> None:
        self._session, self._gallery = session, gallery
        self._preview, self._recorder = preview, recorder
        self._search: ReferenceSearch | None = None
        self._inset = True
        self._message, self._message_until = "", 0.0
        self._rate = 0.0
        self.times = StageTimes()
        self.broken: MienError | None = None

    def run(self, source: Source, stop: Stopper) -> None:
        """Until Esc, the window's closing, Ctrl-C, or the source's end."""
        waited = perf_counter()
        for frame in stop.until(self._until_broken(source)):
            read = 1000 * (perf_counter() - waited)
            rendered = self._session.step(frame)
            start = perf_counter()
            goes_on = self._deliver(frame, rendered)
            write = 1000 * (perf_counter() - start)
            self.times.add({"read": read, **rendered.stage_ms, "write": write})
            self._rate += 0.1 * (1.0 / max(perf_counter() - waited, 1e-6) - self._rate)
            if not goes_on:
                return
            waited = perf_counter()

    def _until_broken(self, source: Source) -> Iterator[Frame]:
        # Only the source's failure is kept for later: what was recorded so far is to be finished first.
        try:
            yield from source
        except MienError as error:
            self.broken = error

    def _deliver(self, frame: Frame, rendered: Rendered) -> bool:
        """Show and record one picture; False when the user has had enough."""
        self._keep_searching(frame)
        if self._recorder is not None:
            self._recorder.write(rendered.image, rendered.time)
        if told := self._gallery.poll():
            self._tell(told)
        if self._preview is None:
            return True
        self._preview.status = self._status()
        image = rendered.image
        if self._inset:
            # Where the help is not: in the upper right corner of what the user sees.
            image = with_inset(image, frame.image, left=self._preview.mirror)
        key = self._preview.show(image)
        return not self._preview.closed and (key is None or self._obey(key, frame))

    def _obey(self, key: int, frame: Frame) -> bool:
        """Do what the key asks for; False for the end."""
        letter = chr(key).upper()
        if key == ESCAPE:
            return False
        if letter == "X":
            self._take_reference(frame)
        elif letter == "F":
            self._search = ReferenceSearch(self._session.renderer.avatar.face, monotonic() + SEARCH_SECONDS)
            self._tell("looking for the best reference: move a little, then rest", SEARCH_SECONDS)
        elif letter == "M" and self._preview is not None:
            self._preview.mirror = not self._preview.mirror
        elif letter == "C":
            self._inset = not self._inset
        elif letter in "123456789":
            self._tell(self._gallery.want(int(letter)))
        return True

    def _take_reference(self, frame: Frame) -> None:
        tracker = self._session.tracker
        if tracker is None or tracker.face is None:
            self._tell("no face: the reference stays")
            return
        self._search = None
        tracker.set_reference(frame.image, tracker.face)
        why = oddity(tracker.face)
        self._tell("reference set" + (f", but {why}" if why else ""))

    def _keep_searching(self, frame: Frame) -> None:
        tracker = self._session.tracker
        if self._search is None or tracker is None:
            return
        found = self._search.look(frame, tracker.face, monotonic())
        if found is not None:
            tracker.set_reference(*found)
            self._search = None
            self._tell("best reference set")

    def _tell(self, text: str, seconds: float = 2.5) -> None:
        self._message, self._message_until = text, monotonic() + seconds

    def _status(self) -> str:
        if monotonic() < self._message_until:
            return self._message
        if self._session.lost:
            return "no face"
        return f"{self._rate:.0f} fps   ? keys"


def with_inset(image: Image, camera: Image, *, left: bool = False) -> Image:
    """A copy of the picture with the camera's in its upper right (or left) corner."""
    out = image.copy()
    width = max(16, int(image.shape[1] * INSET))
    height = max(9, round(width * camera.shape[0] / camera.shape[1]))
    if height < image.shape[0]:
        columns = slice(None, width) if left else slice(-width, None)
        out[:height, columns] = cv2.resize(camera, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(out, dtype=np.uint8)
