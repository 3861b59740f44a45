"""Interface of the engine as the server sees it: the server itself imports no engine.

``run_live.py`` brings the two together (:mod:`mien.cli.web.run`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from mien.engine.types import Frame, Image, Rendered
from mien.streams.webrtc.backdrops import Backdrop


@dataclass(frozen=True)
class Prepared:
    """A portrait that the engine has prepared.

    Attributes:
        avatar: the engine's own.
        notes: what the user should know about it, one line each.
        refused: those of the notes that say which photos were left out.
    """

    avatar: Any
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class AvatarSession(Protocol):
    """One driver and one avatar; every method may be called from any thread."""

    @property
    def dropped(self) -> int:
        """Frames that newer ones replaced before they were used."""

    def put(self, make: Callable[[], Frame]) -> None:
        """The driver's newest frame, made only if it is used."""

    def set_avatar(self, avatar: Any) -> None:
        """Draw another prepared avatar."""

    def set_backdrop(self, backdrop: Backdrop) -> Future[None]:
        """Show this behind the person, for other portraits too; ``MienError`` if nobody can be cut out."""

    def set_gains(self, gains: Mapping[str, float]) -> None:
        """Change the named gains (expression, head, turn, eyes, mouth, micro).

        Raises:
            MienError: a gain that does not exist or is out of range.
        """

    @property
    def own_mouth(self) -> bool:
        """Whether the avatar is to have the driver's own mouth, or the painted one alone."""

    def set_mouth(self, own: bool) -> None:
        """Show the driver's own mouth, or the painted one alone."""

    @property
    def mouth_note(self) -> str | None:
        """Why the mouth is painted although the driver's own is wanted, or None."""

    def hold(self, on: bool) -> None:
        """Let the avatar rest, breathing and blinking, whatever the driver does; or let it go on."""

    def hold_when_lost(self, on: bool) -> None:
        """Whether the avatar rests by itself when no face is seen for three seconds."""

    @property
    def resting(self) -> bool:
        """Whether the avatar rests now."""

    def take_reference(self) -> Future[str | None]:
        """Make the latest frame the reference; None, or what is odd about it; ``MienError`` if no face."""

    def search_reference(self) -> Future[str | None]:
        """Find the best reference in the next seconds."""

    def hint(self) -> tuple[bool, str]:
        """Whether the face would make a good reference now, and if not, why."""

    def close(self) -> None:
        """End it; blocks for a moment."""


class AvatarEngine(Protocol):
    """The engine as the server sees it."""

    @property
    def ready(self) -> bool:
        """Whether drivers can be taken."""

    @property
    def reason(self) -> str:
        """Why it is not ready."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames."""

    def prepare(self, image: Image, name: str, photos: tuple[Any, ...] = ()) -> Prepared:
        """Prepare a portrait (0.3 s; called in a worker thread).

        Args:
            image: ``(H, W, 3 or 4) uint8``.
            name: what messages call it.
            photos: further photos of the same person, of the engine's own kind.

        Raises:
            MienError: no face in it.
        """

    def add_photos(self, avatar: Any, photos: Sequence[tuple[Image, str]]) -> Prepared:
        """Give a prepared portrait those of these photos of the same person that help.

        Called in a worker thread (0.1 s each).  The notes say what was taken, what is missing and what was
        left out, and begin with "photos: ".

        Args:
            photos: images ``(H, W, 3) uint8`` and what messages call them.
        """

    def still(self, avatar: Any, backdrop: Backdrop | None) -> Image:
        """The avatar at rest, as the live image shows it (in a worker thread); None: as a session begins.

        Raises:
            MienError: nobody can be told apart from what is around them.
        """

    def open_session(self, avatar: Any, deliver: Callable[[Rendered], None]) -> AvatarSession:
        """One more driver (called in a worker thread); ``deliver`` must be quick."""
