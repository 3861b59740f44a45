"""Local engine of the web server (:class:`mien.streams.webrtc.engine_interface.AvatarEngine`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.cli.background import chosen_background
from mien.cli.build import make_gains, make_runtime, portrait_landmarker
from mien.cli.live.speed import server_network
from mien.cli.options.arguments import CROP_SIDE, Options
from mien.cli.photos import extended, gathered
from mien.cli.web.backdrops import Portrayed, background_of
from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.person.background import Background
from mien.engine.enrolment.selection import Selection
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.motion import Gains
from mien.engine.mouth.mode import OWN
from mien.engine.runtime import Runtime
from mien.engine.session.driver_session import DriverSession
from mien.engine.session.resting import blink_frames
from mien.engine.session.shared_renderer import SharedRenderer
from mien.engine.types import Frame, Image, ModelError, Rendered, SourceError, UsageError
from mien.engine.utils.memory import release_freed
from mien.engine.utils.thread_priority import make_way
from mien.streams.webrtc.backdrops import Backdrop
from mien.streams.webrtc.engine_interface import Prepared

REGIONS = ("eyes", "mouth")


class LocalEngine:
    """Engine that loads its model while the server runs, then accepts drivers.

    Args:
        options: tracker, precision, threads, size and gains.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._gains = make_gains(options)
        self._background = chosen_background(options.background)
        self._side = (options.size or CROP_SIDE) & ~1
        self._owner: SharedRenderer | None = None
        self._runtime: Runtime | None = None
        self._landmarker: Landmarker | None = None
        # The portraits' landmarker belongs to one thread at a time.
        self._lock = threading.Lock()
        self._drivers: Landmarker | None = None
        self._drivers_lock = threading.Lock()
        self._cutter = ThreadPoolExecutor(1, "background", initializer=make_way)
        self._ready = False

    @property
    def ready(self) -> bool:
        return self._ready

    @property
    def reason(self) -> str:
        return "" if self._ready else "the model is still loading"

    @property
    def size(self) -> tuple[int, int]:
        return self._side, self._side

    def load(self) -> None:
        """Load the model (seconds; in a worker thread). When the portraits are there: :meth:`open_doors`.

        Raises:
            MienError: the model's files are missing or damaged.
        """
        self._landmarker = portrait_landmarker()
        runtime: Any = make_runtime(self._options, server_network(self._options))
        if not isinstance(runtime, Runtime):
            raise UsageError("--webrtc draws with the live model alone. Leave out --model.")
        self._runtime = runtime
        blink_frames()  # read now, not in the thread that renders
        self._owner = SharedRenderer(runtime, self._make_landmarker, self._side)

    def open_doors(self) -> None:
        """Accept drivers from now on."""
        release_freed()
        self._ready = True

    def _make_landmarker(self) -> Landmarker:
        """One more driver's: they share their networks (30 MB otherwise)."""
        with self._drivers_lock:
            first = self._drivers or make_landmarker(self._options.tracker, 1, live=True)
            twin = first.twin(live=True)
            self._drivers = None if twin is None else first
        return twin or first

    def prepare(self, image: Image, name: str, photos: tuple[Any, ...] = ()) -> Prepared:
        if self._owner is None or self._landmarker is None:
            raise ModelError("The model is still loading.")
        with self._lock:
            avatar = Avatar.of(image, self._landmarker, self._owner.shared(), name)
        avatar = replace(avatar, photos=photos)
        portrayed, notes = Portrayed(avatar), avatar.notes
        try:
            portrayed.before(self._background)
        except SourceError as error:
            notes = (*notes, str(error))
        return Prepared(portrayed, notes)

    def gathered(self, image: Image, place: Path) -> Selection:
        """The photos at a place that help a portrait (many: seconds).

        Raises:
            MienError: no face in the portrait, or nothing at the place that can be read.
        """
        avatar = self.prepare(image, "the portrait").avatar.avatar
        assert self._landmarker is not None
        with self._lock:
            return gathered(avatar, place, self._landmarker)

    def add_photos(self, avatar: Any, photos: Sequence[tuple[Image, str]]) -> Prepared:
        if self._landmarker is None:
            raise ModelError("The model is still loading.")
        with self._lock:
            found = extended(avatar.avatar, photos, self._landmarker)
        return Prepared(Portrayed(replace(avatar.avatar, photos=found.photos)), found.notes, found.refused)

    def still(self, avatar: Any, backdrop: Backdrop | None) -> Image:
        background = self._background if backdrop is None else background_of(backdrop)
        return still_of(avatar.before(background), self._side)

    def open_session(self, avatar: Any, deliver: Callable[[Rendered], None]) -> LocalSession:
        if self._owner is None:
            raise ModelError("The model is still loading.")
        own = self._options.mouth == OWN
        shown = before_if_possible(avatar, self._background)
        session = self._owner.open(shown, deliver, self._gains, own_mouth=own)
        return LocalSession(session, avatar, self._background, self._cutter)

    def close(self) -> None:
        """Free everything."""
        self._ready = False
        self._cutter.shutdown(wait=True, cancel_futures=True)
        if self._owner is not None:
            self._owner.close()
        if self._runtime is not None:
            self._runtime.close()
        if self._landmarker is not None:
            self._landmarker.close()
        if self._drivers is not None:
            self._drivers.close()


class LocalSession:
    """One live session of the engine."""

    def __init__(
        self, session: DriverSession, avatar: Portrayed, background: Background, cutter: ThreadPoolExecutor
    ) -> None:
        self._session, self._avatar, self._background = session, avatar, background
        # One thread for all: what is wished last is shown last.
        self._cutter = cutter

    @property
    def dropped(self) -> int:
        return self._session.dropped

    def put(self, make: Callable[[], Frame]) -> None:
        self._session.put(make)

    def set_avatar(self, avatar: Any) -> None:
        self._avatar = avatar
        if self._background.kept:
            # Behind what is still being cut out for an earlier wish, it would be overtaken.
            self._cutter.submit(self._session.set_avatar, avatar.avatar)
        else:
            background = self._background
            self._cutter.submit(lambda: self._session.set_avatar(before_if_possible(avatar, background)))

    def set_backdrop(self, backdrop: Backdrop) -> Future[None]:
        background, avatar = background_of(backdrop), self._avatar
        self._background = background
        return self._cutter.submit(lambda: self._session.set_avatar(avatar.before(background)))

    def set_gains(self, gains: Mapping[str, float]) -> None:
        self._session.set_gains(changed(self._session.gains, gains))

    @property
    def own_mouth(self) -> bool:
        return self._session.own_mouth

    def set_mouth(self, own: bool) -> None:
        self._session.set_mouth(own)

    @property
    def mouth_note(self) -> str | None:
        return self._session.mouth_note

    def hold(self, on: bool) -> None:
        self._session.hold(on)

    def hold_when_lost(self, on: bool) -> None:
        self._session.hold_when_lost(on)

    @property
    def resting(self) -> bool:
        return self._session.resting

    def take_reference(self) -> Future[str | None]:
        return self._session.take_reference()

    def search_reference(self) -> Future[str | None]:
        return self._session.search_reference()

    def hint(self) -> tuple[bool, str]:
        return self._session.hint()

    def close(self) -> None:
        self._session.close()


def before_if_possible(portrayed: Portrayed, background: Background) -> Avatar:
    """The person before a background, or as the portrait has them where nobody can be told apart."""
    try:
        return portrayed.before(background)
    except SourceError:
        return portrayed.avatar


def still_of(avatar: Avatar, side: int) -> Image:
    """The avatar at rest, as the live image shows it: ``(side, side, 3) uint8`` RGB."""
    canvas = make_canvas(avatar, side)
    return np.ascontiguousarray(canvas.still[canvas.top : canvas.bottom, canvas.left : canvas.right])


def changed(gains: Gains, wished: Mapping[str, float]) -> Gains:
    """Copy the gains with the page's changes (eyes and mouth are regions).

    Raises:
        MienError: out of range.
    """
    regions = {**gains.regions, **{name: wished[name] for name in REGIONS if name in wished}}
    others = {name: value for name, value in wished.items() if name not in REGIONS}
    return replace(gains, regions=regions, **others)
