"""Window and keys of a live run, in the main thread, as window systems require."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep

import cv2
import numpy as np

from mien.cli.interrupt import Stopper
from mien.cli.live.gallery import Gallery
from mien.cli.live.reference import Calibration
from mien.engine.face.likeness import SEARCH_S, ReferenceSearch
from mien.engine.session.live_pipeline import LivePipeline, Shown
from mien.engine.tracking.auto_reference import Ghost
from mien.engine.types import Face, Image, MienError
from mien.engine.utils.links import Closed, Link
from mien.streams.preview import PreviewSink
from mien.streams.source import Source

KEYS = (
    "X    this is my reference: neutral face, look at the camera",
    "F    find the best reference in the next 4 seconds",
    "O    the reference over the camera image",
    "1-9  other portraits (of --avatars DIR)",
    "M    mirror view    C  camera image in the corner",
    "P    the mouth: painted, or your own",
    "?    these keys     Esc  end",
)
ESCAPE = 27
INSET, GHOST_INSET = 0.22, 0.4
"""Width of the camera inset as a share of the window: alone, and with the reference over it."""

POLL_S = 0.05
"""Seconds between polls of the keys while no frame arrives."""

SILENT_S = 1.0
"""Seconds without a frame before the user is told."""

FLUSH_S = 10.0
"""Seconds allowed for writing a recording's last images, at most three seconds of them."""


class News:
    """Messages for the user, from any thread; the newest is shown for a while."""

    def __init__(self) -> None:
        self._lines: deque[tuple[str, float]] = deque(maxlen=1)

    def tell(self, text: str, seconds: float = 2.5) -> None:
        """Show a line."""
        self._lines.append((text, monotonic() + seconds))

    @property
    def line(self) -> str | None:
        """What to show now."""
        newest = next(iter(self._lines), None)
        return newest[0] if newest is not None and monotonic() < newest[1] else None


@dataclass(frozen=True, slots=True)
class _Tick:
    """One iteration of the loop: a new image, or none for a while."""

    shown: Shown | None


class LiveLoop:
    """One live run as its user sees it.

    Attributes:
        broken: the source's failure, if it failed.
    """

    def __init__(
        self,
        live: LivePipeline,
        gallery: Gallery,
        calibration: Calibration,
        preview: PreviewSink | None,
        news: News,
    ) -> None:
        self._live, self._gallery, self._calibration = live, gallery, calibration
        self._preview, self._news = preview, news
        self._images: Link[Shown] | None = live.output() if preview is not None else None
        self._shown: Shown | None = None
        self._search: ReferenceSearch | None = None
        self._inset, self._ghost = True, False
        self._said = False
        self._rate, self._last = 0.0, monotonic()
        self.broken: MienError | None = None

    def run(self, source: Source, stop: Stopper) -> None:
        """Run until Esc, a closed window, Ctrl-C, or the end of the source; work under way is finished.

        Raises:
            MienError: an output or a stage failed.
        """
        with self._live as live:
            for tick in stop.until(self._ticks()):
                if not self._turn(tick, source):
                    break
            live.end()
            if self._images is not None:
                self._images.abort()
            if self._preview is not None:
                # Writing the last images can take a while, and the user has ended the run.
                self._preview.close()
            try:
                live.wait(FLUSH_S)
            except MienError as error:
                if live.capture_stage.fault is not error:
                    raise
                # Only the source's failure is kept for later: what was recorded is to be finished first.
                self.broken = error

    def _ticks(self) -> Iterator[_Tick]:
        if self._images is None:
            while self._live.running:
                sleep(POLL_S)
                yield _Tick(None)
            return
        while True:
            try:
                yield _Tick(self._images.take(POLL_S))
            except Closed:
                return

    def _turn(self, tick: _Tick, source: Source) -> bool:
        """One iteration; False when the user ends the run."""
        if told := self._gallery.poll():
            self._news.tell(told)
        if self._preview is None:
            return True
        self._preview.status = self._status(source)
        if tick.shown is None:
            key = self._preview.poll()
        else:
            self._shown = tick.shown
            self._keep_searching(tick.shown)
            self._count()
            key = self._preview.show(self._view(tick.shown))
        return not self._preview.closed and (key is None or self._obey(key))

    def _view(self, shown: Shown) -> Image:
        image = shown.rendered.image
        ghost = self._calibration.ghost if self._ghost else None
        if not self._inset and ghost is None:
            return image
        # In the upper right corner of what the user sees: the help is on the left.
        mirrored = self._preview is not None and self._preview.mirror
        camera = shown.frame.image if ghost is None else with_ghost(shown.frame.image, ghost)
        return with_inset(image, camera, left=mirrored, share=INSET if ghost is None else GHOST_INSET)

    def _count(self) -> None:
        now = monotonic()
        self._rate += 0.1 * (1.0 / max(now - self._last, 1e-3) - self._rate)
        self._last = now

    def _obey(self, key: int) -> bool:
        """Handle a key; False ends the run."""
        letter = chr(key).upper()
        if key == ESCAPE:
            return False
        if letter == "X":
            self._take_reference()
        elif letter == "F":
            # In the tracker's thread, as all that changes the reference: not amid its look at a frame.
            self._live.track_stage.tell(self._calibration.hold)
            portrait = self._live.session.renderer.avatar.face
            self._search = ReferenceSearch(portrait, monotonic() + SEARCH_S)
            self._news.tell("looking for the best reference: move a little, then rest", SEARCH_S)
        elif letter == "M" and self._preview is not None:
            self._preview.mirror = not self._preview.mirror
        elif letter == "C":
            self._inset = not self._inset
        elif letter == "O":
            self._ghost = not self._ghost
        elif letter == "P":
            self._change_mouth()
        elif letter in "123456789":
            self._news.tell(self._gallery.want(int(letter)))
        return True

    def _change_mouth(self) -> None:
        own = not self._live.session.renderer.mouth.own
        self._live.set_mouth(own)
        self._news.tell("your own mouth" if own else "painted mouth")

    def _take_reference(self) -> None:
        if self._shown is None or self._shown.face is None:
            self._news.tell("no face: the reference stays")
            return
        self._search = None
        self._set(self._shown.frame.image, self._shown.face, "reference set")

    def _keep_searching(self, shown: Shown) -> None:
        search = self._search
        if search is None:
            return
        search.look(shown.frame, shown.face)
        # Where no face was seen in that time, the first one ends the search.
        if search.best is not None and search.over(monotonic()):
            self._search = None
            frame, face = search.best
            self._set(frame.image, face, "best reference set")

    def _set(self, image: Image, face: Face, told: str) -> None:
        # In the tracker's thread, between two frames.
        self._live.track_stage.tell(lambda: self._calibration.set(image, face, told))

    def _status(self, source: Source) -> str:
        silent = getattr(source, "silent_s", 0.0)
        if silent > SILENT_S:
            return f"no frame from {source.info.name} for {silent:.0f} s: waiting for it"
        if line := self._news.line:
            return line
        if (note := self._live.session.renderer.mouth.note) is not None and not self._said:
            self._said = True
            self._news.tell(note, 6.0)
        if self._shown is not None and self._shown.lost:
            return "no face"
        return f"{self._rate:.0f} fps   ? keys"


def with_inset(image: Image, camera: Image, *, left: bool = False, share: float = INSET) -> Image:
    """A copy of the image with the camera's image in its upper right (or left) corner."""
    out = image.copy()
    width = max(16, int(image.shape[1] * share))
    height = max(9, round(width * camera.shape[0] / camera.shape[1]))
    if height < image.shape[0]:
        columns = slice(None, width) if left else slice(-width, None)
        out[:height, columns] = cv2.resize(camera, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(out, dtype=np.uint8)


def with_ghost(camera: Image, ghost: Ghost) -> Image:
    """The camera's image blended half and half with the reference frame, so that the pose can be matched."""
    height, width = camera.shape[:2]
    other = ghost.image
    if other.shape != camera.shape:
        other = np.asarray(cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.addWeighted(camera, 0.5, other, 0.5, 0.0), np.uint8)
