"""The reference of one driver: taken when asked, at once or as the best frame of some seconds."""

from __future__ import annotations

from concurrent.futures import Future
from time import monotonic

from mien.engine.face.likeness import ReferenceSearch, drawback
from mien.engine.session.promises import Search, fulfil
from mien.engine.tracking import Tracker
from mien.engine.types import Face, Frame, Image, NoFaceError


class DriverReference:
    """Takes a tracker's reference; for the thread that tracks alone.

    Args:
        tracker: the driver's.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._last: Image | None = None
        self._search: Search | None = None

    def seen(self, frame: Frame) -> None:
        """Consider a frame that was tracked."""
        self._last = frame.image
        search = self._search
        if search is None:
            return
        search.frames.look(frame, self._tracker.face)
        if search.frames.over(monotonic()):
            self._search = None
            fulfil(search.future, lambda: self._take_best(search))

    def take(self) -> str | None:
        """Make the latest frame the reference, which ends a search.

        Returns:
            What makes its face a poor reference, or None.

        Raises:
            NoFaceError: no face is seen.
        """
        face = self._tracker.face
        if face is None or self._last is None:
            raise NoFaceError("No face is seen, so the reference stays as it is. Look at the camera.")
        self._end_search()
        self._tracker.set_reference(self._last, face)
        return drawback(self._last, face)

    def search(self, portrait: Face, seconds: float, future: Future[str | None]) -> None:
        """Search from now on for the frame most similar to a portrait; an earlier search is cancelled.

        Args:
            portrait: its face.
            seconds: how long.
            future: of what :meth:`take` returns and raises, for the best frame.
        """
        self._end_search()
        self._search = Search(ReferenceSearch(portrait, monotonic() + seconds), future)

    def _end_search(self) -> None:
        search, self._search = self._search, None
        if search is not None:
            search.future.cancel()

    def _take_best(self, search: Search) -> str | None:
        if search.frames.best is None:
            raise NoFaceError("No face was seen, so the reference stays as it is. Look at the camera.")
        frame, face = search.frames.best
        self._tracker.set_reference(frame.image, face)
        return drawback(frame.image, face)
