"""Motion and avatar in, the next picture out."""

from __future__ import annotations

from time import perf_counter
from typing import Protocol

import numpy as np

from engine.avatar import Avatar, PortraitEncoder
from engine.canvas import Canvas, make_canvas
from engine.motion import Motion
from engine.runtime import default_runtime
from engine.runtime.base import Field, Runtime
from engine.sampling import sample, stretch
from engine.transfer import carry_over
from engine.types import Floats, Image, Rendered


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
        field = self.runtime.render(
            self.avatar.code, self.avatar.source_points, driving.points, driving.dense
        )
        modelled = perf_counter()
        image = _compose(self._canvas, field)
        done = perf_counter()
        times = {"carry": carried - start, "model": modelled - carried, "compose": done - modelled}
        return Rendered(
            image,
            motion.index,
            motion.captured_ns,
            motion.time,
            {name: 1000 * seconds for name, seconds in times.items()},
        )


def _compose(canvas: Canvas, field: Field) -> Image:
    """Warp the portrait at its own resolution, add what the model painted, paste back."""
    size = canvas.part
    lookup = stretch(field.flow * (canvas.fade * canvas.pixels), size, canvas.to_grid, cubic=True)
    lookup += canvas.place
    moved: Image = sample(canvas.still, lookup, cubic=True)
    if np.abs(field.paint).max() > 0.5 / 255:
        moved = _painted(canvas, moved, field.paint, size)
    if not canvas.pasted:
        return moved
    image: Image = canvas.still.copy()
    image[canvas.top : canvas.bottom, canvas.left : canvas.right] = moved
    return image


def _painted(canvas: Canvas, moved: Image, paint: Floats, size: tuple[int, int]) -> Image:
    grown = stretch(paint, size, canvas.to_image)
    return np.asarray(np.clip(moved + 255.0 * grown + 0.5, 0, 255), dtype=np.uint8)
