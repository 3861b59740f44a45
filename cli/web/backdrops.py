"""Portraits of the web server before the backgrounds that visitors choose."""

from __future__ import annotations

import threading

from mien.engine.avatar import Avatar
from mien.engine.avatar.person.background import Background, BackgroundKind
from mien.streams.webrtc.backdrops import Backdrop


class Portrayed:
    """A prepared portrait; its person is cut out once, when a background is first wanted."""

    def __init__(self, avatar: Avatar) -> None:
        self.avatar = avatar
        self._cut: Avatar | None = None
        self._lock = threading.Lock()

    def before(self, background: Background) -> Avatar:
        """The person before this background (0.2 s the first time).

        Raises:
            SourceError: nobody can be told apart from what is around them.
        """
        if background.kept:
            return self.avatar
        with self._lock:
            self._cut = (self._cut or self.avatar).before(background)
            return self._cut


def background_of(backdrop: Backdrop) -> Background:
    """The engine's word for a visitor's wish."""
    return Background(BackgroundKind(backdrop.kind), backdrop.colour, backdrop.image)
