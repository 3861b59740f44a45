"""An engine for tests of the server: the avatar is the driver's own image, tinted by the portrait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Frame, Image, MienError, Rendered
from mien.engine.utils.links import Closed, Link, Policy
from mien.streams.webrtc.backdrops import Backdrop
from mien.streams.webrtc.engine_interface import Prepared

SIDE = 256


class TintEngine:
    """Takes any image as a portrait but a wholly black one, which "has no face".

    Args:
        work_s: how long one image takes.
    """

    def __init__(self, work_s: float = 0.0) -> None:
        self.ready, self.reason, self.size = True, "", (SIDE, SIDE)
        self.work_s = work_s
        self.sessions: list[TintSession] = []

    def prepare(self, image: Image, name: str, photos: tuple[Any, ...] = ()) -> Prepared:
        if not image.any():
            raise MienError(f"No face was found in {name}. Give another photo.")
        return Prepared(image.mean(axis=(0, 1)), (f"{name} is only a colour.",))

    def add_photos(self, avatar: Any, photos: Sequence[tuple[Image, str]]) -> Prepared:
        refused = tuple(f"photos: no face in {name}." for image, name in photos if not image.any())
        used = tuple(f"photos: {name} is used." for image, name in photos if image.any())
        return Prepared(avatar, used + refused, refused)

    def still(self, avatar: Any, backdrop: Backdrop | None) -> Image:
        if backdrop is not None and backdrop.kind == "blur":
            raise MienError("No outline of a person was found.")
        colour = avatar if backdrop is None or backdrop.kind == "keep" else backdrop.colour
        return np.full((SIDE, SIDE, 3), colour, np.uint8)

    def open_session(self, avatar: Any, deliver: Callable[[Rendered], None]) -> TintSession:
        session = TintSession(avatar, deliver, self.work_s)
        self.sessions.append(session)
        return session


class TintSession:
    """Draws the driver's image, its channels scaled by the portrait's mean colour."""

    def __init__(self, avatar: Any, deliver: Callable[[Rendered], None], work_s: float) -> None:
        self.avatar, self._deliver, self._work_s = avatar, deliver, work_s
        self._newest: Link[Callable[[], Frame]] = Link(Policy.NEWEST)
        self.gains: dict[str, float] = {}
        self.backdrop: Backdrop | None = None
        self.resting = self.rests_when_lost = False
        self.own_mouth = True
        self.mouth_note: str | None = None
        self.made = 0
        self.closed = False
        self._thread = threading.Thread(target=self._run, name="track", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        return self._newest.dropped

    def put(self, make: Callable[[], Frame]) -> None:
        self._newest.put(make)

    def set_avatar(self, avatar: Any) -> None:
        self.avatar = avatar

    def set_backdrop(self, backdrop: Backdrop) -> Future[None]:
        future: Future[None] = Future()
        if backdrop.kind == "blur":
            future.set_exception(MienError("No outline of a person was found."))
        else:
            self.backdrop = backdrop
            future.set_result(None)
        return future

    def hold(self, on: bool) -> None:
        self.resting = on

    def hold_when_lost(self, on: bool) -> None:
        self.rests_when_lost = on

    def set_gains(self, gains: Mapping[str, float]) -> None:
        if any(abs(value) > 8 for value in gains.values()):
            raise MienError("A gain must be a number from -8 to 8.")
        self.gains.update(gains)

    def set_mouth(self, own: bool) -> None:
        self.own_mouth = own

    def take_reference(self) -> Future[str | None]:
        future: Future[str | None] = Future()
        if self.made:
            future.set_result(None)
        else:
            future.set_exception(MienError("No face is seen."))
        return future

    def search_reference(self) -> Future[str | None]:
        return self.take_reference()

    def hint(self) -> tuple[bool, str]:
        return bool(self.made), "" if self.made else "no face is seen"

    def close(self) -> None:
        self.closed = True
        self._newest.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                make = self._newest.take(1.0)
                if make is not None:
                    self._draw(make())
        except Closed:
            pass

    def _draw(self, frame: Frame) -> None:
        image = cv2.resize(frame.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        tinted = np.asarray(image * (self.avatar / 255.0), np.uint8)
        if self._work_s:
            time.sleep(self._work_s)
        self.made += 1
        self._deliver(Rendered(tinted, frame.index, frame.captured_ns, frame.time, {"render": 1.0}))
