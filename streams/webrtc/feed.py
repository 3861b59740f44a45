"""One avatar of the server to this machine's virtual camera: video calls see what the page shows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from mien.engine.types import Image
from mien.engine.utils.links import Closed, Link, Policy
from mien.engine.utils.throttled_log import ThrottledLog
from mien.streams.virtual_camera import virtual_camera_status
from mien.streams.webrtc.logs import LOG

Tap = Callable[[Image, float], None]


class CallCamera(Protocol):
    """What is asked of a virtual camera (see :class:`mien.streams.virtual_camera.VirtualCameraSink`)."""

    device: str
    lost: bool
    problem: str

    def write(self, image: Image, time: float) -> None: ...

    def close(self) -> None: ...


class Feed:
    """Writes the newest image in a thread of its own, so that a slow device slows nobody down.

    Args:
        camera: takes the images; it is closed with the feed.
        shown: whose images are to go out now.
    """

    def __init__(self, camera: CallCamera, shown: Callable[[], object]) -> None:
        self._camera, self._shown = camera, shown
        self._newest: Link[tuple[Image, float]] = Link(Policy.NEWEST)
        self._trouble = ThrottledLog(LOG)
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str | None:
        """What video calls find the camera as; None while it is not there."""
        return None if self._camera.lost else self._camera.device

    @property
    def problem(self) -> str:
        """Why the camera is not there, and the remedy; empty while it is."""
        return self._camera.problem

    def tap(self, owner: object) -> Tap:
        """Takes the images of one avatar; those of others than the one shown are let go."""

        def take(image: Image, time: float) -> None:
            if self._shown() is owner:
                self._newest.put((image, time))

        return take

    def close(self) -> None:
        """Free the camera."""
        self._newest.close()
        self._thread.join(2)
        self._camera.close()

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
            self._camera.write(image, time)
        except Exception:
            # The avatars in the browsers go on.
            self._trouble.exception("the virtual camera took no image")


def described(feed: Feed | None, *, here: bool) -> dict[str, str | bool | None]:
    """What the page says about video calls.

    Args:
        feed: where the avatar goes, with ``--virtual-camera``.
        here: whether the page is on this machine alone; elsewhere its visitors' calls are on other ones.
    """
    if feed is not None:
        return {"camera": feed.name, "help": feed.problem, "wanted": True}
    if not here:
        return {"camera": None, "help": "", "wanted": False}
    present, text = virtual_camera_status()
    told = "Start Mien with --virtual-camera, then choose the camera in the call." if present else text
    return {"camera": None, "help": told, "wanted": False}
