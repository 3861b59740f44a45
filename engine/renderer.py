"""Motion and avatar in, the next picture out."""

from __future__ import annotations

from time import perf_counter
from typing import Protocol

from engine.avatar import Avatar, PortraitEncoder
from engine.canvas import compose, make_canvas
from engine.motion import Motion
from engine.runtime import default_runtime
from engine.runtime.base import CardRuntime, Drawing, Runtime
from engine.transfer import carry_over
from engine.types import Rendered


class AvatarRenderer(Protocol):
    """What a session needs of whatever draws its avatar."""

    avatar: Avatar

    @property
    def runtime(self) -> PortraitEncoder: ...

    @property
    def size(self) -> tuple[int, int]: ...

    def set_avatar(self, avatar: Avatar) -> None: ...

    def render(self, motion: Motion) -> Rendered: ...


class Renderer:
    """Draws one avatar.  One renderer belongs to one thread at a time.

    >>> renderer = Renderer(avatar)                   # doctest: +SKIP
    >>> picture = renderer.render(motion).image

    Args:
        avatar: whom to draw.
        runtime: what computes (the default is made when left out).
        crop: side of the square face crop to give back, in pixels; None gives the whole portrait.
    """

    def __init__(self, avatar: Avatar, runtime: Runtime | None = None, crop: int | None = None) -> None:
        self.runtime = runtime or default_runtime()
        self._crop = crop
        self.avatar = avatar
        self._canvas = make_canvas(avatar, crop)

    def set_avatar(self, avatar: Avatar) -> None:
        """Draw another avatar from the next frame on."""
        self._canvas, self.avatar = make_canvas(avatar, self._crop), avatar

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the results."""
        return self._canvas.size(self._crop)

    def render(self, motion: Motion) -> Rendered:
        """The avatar with this motion; ``image`` is ``(H, W, 3) uint8`` RGB, a new array every time."""
        start = perf_counter()
        driving = carry_over(motion, self.avatar)
        carried = perf_counter()
        points = self.avatar.source_points
        if isinstance(self.runtime, CardRuntime):
            drawing = Drawing(self.avatar.code, points, driving.points, driving.dense, self._canvas)
            image = self.runtime.draw([drawing])[0]
            modelled = perf_counter()
        else:
            field = self.runtime.render(self.avatar.code, points, driving.points, driving.dense)
            modelled = perf_counter()
            image = compose(self._canvas, field)
        done = perf_counter()
        times = {"carry": carried - start, "model": modelled - carried, "compose": done - modelled}
        return Rendered(
            image,
            motion.index,
            motion.captured_ns,
            motion.time,
            {name: 1000 * seconds for name, seconds in times.items()},
        )
