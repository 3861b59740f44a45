"""One runtime works while a better one is made ready beside it, and again if the better one fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from engine.runtime.base import AvatarCode, CardRuntime, Drawing, Field, Runtime
from engine.types import Floats, Image, MienError

Note = Callable[[str], None]


class HandOver(CardRuntime):
    """Uses ``fallback`` until ``make`` has returned, then what it returned.

    ``make`` runs in a thread of its own, so nobody waits for it.  If it raises, or if its runtime raises a
    :class:`MienError` later, there is one line about that, and ``fallback`` works (again).

    Args:
        note: gets the lines.
    """

    def __init__(self, fallback: Runtime, make: Callable[[], CardRuntime], note: Note) -> None:
        self._fallback, self._make, self._note = fallback, make, note
        self._better: CardRuntime | None = None
        self._made = threading.Thread(target=self._prepare, name="engine builder", daemon=True)
        self._made.start()

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the runtime at work."""
        return (self._better or self._fallback).name

    @property
    def batch(self) -> int:
        return self.working.batch

    @property
    def behind(self) -> bool:
        return self.working.behind

    @property
    def working(self) -> Runtime:
        """The runtime at work."""
        return self._better or self._fallback

    def wait(self) -> Runtime:
        """Wait until it is settled which runtime works, and return that one."""
        self._made.join()
        return self.working

    def _prepare(self) -> None:
        try:
            better = self._make()
        except MienError as error:
            self._note(f"{error}; {self._fallback.name} is used")
        except Exception as error:  # a library's bug must not end a session that runs well without it
            text = (str(error).splitlines() or [""])[0]
            self._note(
                f"{type(error).__name__} while an engine was made: {text}; {self._fallback.name} is used"
            )
        else:
            self._better = better

    def _failed(self, error: MienError) -> None:
        failed, self._better = self._better, None
        if failed is not None:
            with suppress(MienError):  # a card that is gone has taken its memory along
                failed.close()
        self._note(f"{error}; {self._fallback.name} is used from now on")

    def encode(self, source: Image) -> AvatarCode:
        # Once per avatar, and codes are the same for every runtime: exact rather than fast.
        return self._fallback.encode(source)

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        if self._better is not None:
            try:
                return self._better.render(code, source_points, driving_points, dense)
            except MienError as error:
                self._failed(error)
        return self._fallback.render(code, source_points, driving_points, dense)

    def draw(self, drawings: Sequence[Drawing]) -> list[Image]:
        if self._better is not None:
            try:
                return self._better.draw(drawings)
            except MienError as error:
                self._failed(error)
        from engine.canvas import compose  # needs avatars, and they this package

        return [
            compose(d.canvas, self._fallback.render(d.code, d.source_points, d.driving_points, d.dense))
            for d in drawings
        ]
