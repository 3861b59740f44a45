"""Motion and avatar in, the next picture out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from mien.engine.avatar import Avatar
from mien.engine.avatar.avatar import PortraitEncoder
from mien.engine.avatar.canvas import compose, make_canvas
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Motion
from mien.engine.runtime import default_runtime
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch import BatchRuntime, Drawing
from mien.engine.types import Rendered


class AvatarRenderer(Protocol):
    """What a session needs of whatever draws its avatar."""

    avatar: Avatar

    @property
    def runtime(self) -> PortraitEncoder: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def stale(self) -> bool: ...

    def set_avatar(self, avatar: Avatar) -> None: ...

    def render(self, motion: Motion) -> Rendered: ...


@dataclass(frozen=True, slots=True)
class Planned:
    """A picture that is ready to be drawn.

    Attributes:
        drawing: what to draw.
        motion: the motion that it shows.
        carry_ms: milliseconds that its preparation took.
    """

    drawing: Drawing
    motion: Motion
    carry_ms: float


def draw_together(runtime: BatchRuntime, planned: Sequence[Planned]) -> list[Rendered]:
    """Pictures of several renderers, in order, by as few calls of the network as ``runtime`` needs."""
    start = perf_counter()
    images = runtime.draw([plan.drawing for plan in planned])
    spent = 1000 * (perf_counter() - start)
    return [
        Rendered(
            image,
            plan.motion.index,
            plan.motion.captured_ns,
            plan.motion.time,
            {"carry": plan.carry_ms, "model": spent, "compose": 0.0},
        )
        for plan, image in zip(planned, images, strict=True)
    ]


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
        self._draws = self.runtime.for_driver()
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

    @property
    def stale(self) -> bool:
        """Whether the last motion, rendered once more, would come out better."""
        return self._draws.stale

    def plan(self, motion: Motion) -> Planned:
        """What :meth:`render` would draw."""
        start = perf_counter()
        driving = carry_over(motion, self.avatar)
        code, points = self.avatar.code, self.avatar.source_points
        canvas = self._canvas
        warp = canvas.mesh.warp(driving.mesh)
        if isinstance(self.runtime, BatchRuntime):
            warp = warp.kept()  # it may wait there while the next one is made
        drawing = Drawing(code, points, driving.points, driving.dense, canvas, warp)
        return Planned(drawing, motion, 1000 * (perf_counter() - start))

    def render(self, motion: Motion) -> Rendered:
        """The avatar with this motion; ``image`` is ``(H, W, 3) uint8`` RGB, a new array every time."""
        plan = self.plan(motion)
        if isinstance(self.runtime, BatchRuntime):
            return draw_together(self.runtime, [plan])[0]
        start = perf_counter()
        drawing = plan.drawing
        field = self._draws.render(drawing.code, drawing.source_points, drawing.driving_points, drawing.dense)
        modelled = perf_counter()
        image = compose(drawing.canvas, field, drawing.warp)
        done = perf_counter()
        return Rendered(
            image,
            motion.index,
            motion.captured_ns,
            motion.time,
            {
                "carry": plan.carry_ms,
                "model": 1000 * (modelled - start),
                "compose": 1000 * (done - modelled),
            },
        )
