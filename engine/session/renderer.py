"""The renderer: motion and avatar in, the next frame's image out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

from mien.engine.avatar import Avatar
from mien.engine.avatar.avatar import PortraitEncoder
from mien.engine.avatar.canvas.avatar_mouth import AvatarMouth
from mien.engine.avatar.canvas.avatar_photos import AvatarPhotos
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.composition import compose, show_cavity, show_outline, with_opacity
from mien.engine.avatar.canvas.folds import Folds, draw_folds, folds_of
from mien.engine.avatar.canvas.hidden_eyes import HiddenEyes, OpenedEye
from mien.engine.avatar.canvas.lid_skin import AvatarLids, ShutLid
from mien.engine.avatar.canvas.mouth_corners import MouthCorners
from mien.engine.avatar.canvas.smile_folds import GoneSmile, SmileFolds
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Motion
from mien.engine.mouth.own_mouth import Placed
from mien.engine.photos.drawing import Patches
from mien.engine.runtime import default_runtime
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing
from mien.engine.types import Image, Rendered


class AvatarRenderer(Protocol):
    """Interface of the renderers that a session can use."""

    avatar: Avatar
    mouth: AvatarMouth

    @property
    def runtime(self) -> PortraitEncoder: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def stale(self) -> bool: ...

    @property
    def unsettled(self) -> bool: ...

    def set_avatar(self, avatar: Avatar) -> None: ...

    def render(self, motion: Motion) -> Rendered: ...


@dataclass(frozen=True, slots=True)
class Planned:
    """A frame ready to be drawn.

    Attributes:
        drawing: input of the runtime.
        motion: the motion it shows.
        carry_ms, mouth_ms: milliseconds spent preparing it, and the driver's own mouth.
        mouth: draws the driver's own mouth.
        placed: what it is to draw, or None.
        photos: draws the avatar's further photos.
        patches: what of them, or None.
        folds: light and shadow on the skin, or None.
        lids: draws the lids that shut.
        shut: which they are.
        eyes: draws the eyeballs that the portrait hides.
        opened: which they are.
        smiles: softens the folds of the portrait's own smile.
        gone: how far that is gone, or None.
        corners: clears the corners of a mouth that becomes narrow.
        narrow: how far it is, or None.
    """

    drawing: Drawing
    motion: Motion
    carry_ms: float
    mouth_ms: float
    mouth: AvatarMouth
    placed: Placed | None
    photos: AvatarPhotos
    patches: Patches | None
    folds: Folds | None
    lids: AvatarLids
    shut: tuple[ShutLid, ...]
    eyes: HiddenEyes
    opened: tuple[OpenedEye, ...]
    smiles: SmileFolds
    gone: GoneSmile | None
    corners: MouthCorners
    narrow: GoneSmile | None

    def finish(self, image: Image) -> tuple[Image, float]:
        """Draw deep mouth, shut lids, photos, light, the driver's mouth, and the portrait's bars before all.

        Returns:
            the result, and the milliseconds spent on the mouth, the skin and the eyes; ``image`` is changed.
        """
        if self.mouth.takes_paint and self.drawing.dense is not None:
            show_cavity(self.drawing.canvas, image, self.drawing.warp, whole=False)
        spent = self.smiles.draw(image, self.gone) + self.corners.draw(image, self.narrow)
        spent += self.eyes.draw(image, self.opened) + self.lids.draw(image, self.shut)
        spent += self.photos.draw(image, self.patches)
        # On all of these; the driver's own mouth has the light that was on it.
        grey = self.mouth.look.tone is not None
        spent += draw_folds(self.drawing.canvas, image, self.folds, grey)
        spent += self.mouth.draw(image, self.placed)
        return self.drawing.canvas.finished(image), spent

    def rendered(self, image: Image, stages: dict[str, float]) -> Rendered:
        """The finished frame."""
        return Rendered(image, self.motion.index, self.motion.captured_ns, self.motion.time, stages)


def draw_together(runtime: BatchRuntime, planned: Sequence[Planned]) -> list[Rendered]:
    """Draw the frames of several renderers, in order, with as few network calls as ``runtime`` allows."""
    start = perf_counter()
    images = [
        with_opacity(plan.drawing.canvas, image, plan.drawing.warp) if plan.drawing.canvas.clear else image
        for plan, image in zip(planned, runtime.draw([plan.drawing for plan in planned]), strict=True)
    ]
    spent = 1000 * (perf_counter() - start)
    found = []
    for plan, image in zip(planned, images, strict=True):
        shown, mouth_ms = _finish(plan, image)
        stages = {"carry": plan.carry_ms, "model": spent, "compose": 0.0, "mouth": plan.mouth_ms + mouth_ms}
        found.append(plan.rendered(shown, stages))
    return found


def _finish(plan: Planned, image: Image) -> tuple[Image, float]:
    """What a GPU's graph, which always paints, leaves to be done: the result, and milliseconds spent."""
    start = perf_counter()
    show_outline(plan.drawing.canvas, image, plan.drawing.warp)
    if plan.mouth.unpainted:
        show_cavity(plan.drawing.canvas, image, plan.drawing.warp, whole=True)
    shown, _ = plan.finish(image)
    return shown, 1000 * (perf_counter() - start)


class Renderer:
    """Draws one avatar.  A renderer may be used by one thread at a time.

    >>> renderer = Renderer(avatar)                   # doctest: +SKIP
    >>> image = renderer.render(motion).image

    Args:
        avatar: the avatar to draw.
        runtime: runs the network (None creates the default).
        crop: side of the square face crop to return, in pixels; None returns the whole portrait.
        always: run the network for every image, also where nothing of it is seen: to measure it.
    """

    def __init__(
        self, avatar: Avatar, runtime: Runtime | None = None, crop: int | None = None, *, always: bool = False
    ) -> None:
        self.runtime = runtime or default_runtime()
        self._draws = self.runtime.for_driver()
        self._crop = crop
        self._always, self._asked = always, False
        self.avatar = avatar
        self._canvas = make_canvas(avatar, crop)
        self.mouth = AvatarMouth(avatar, self._canvas)
        self.photos = AvatarPhotos(avatar, self._canvas)
        self.lids = AvatarLids(avatar, self._canvas, self.mouth.look)
        self.eyes = HiddenEyes(avatar, self._canvas, self.mouth.look)
        self.smiles = SmileFolds(avatar, self._canvas, self.mouth.look.drawn)
        self.corners = MouthCorners(avatar, self._canvas, self.smiles.softened())

    def set_avatar(self, avatar: Avatar) -> None:
        """Draw another avatar from the next frame on."""
        self._canvas, self.avatar = make_canvas(avatar, self._crop), avatar
        self.mouth.set_avatar(avatar, self._canvas)
        self.photos.set_avatar(avatar, self._canvas)
        self.lids.set_avatar(avatar, self._canvas, self.mouth.look)
        self.eyes.set_avatar(avatar, self._canvas, self.mouth.look)
        self.smiles.set_avatar(avatar, self._canvas, self.mouth.look.drawn)
        self.corners.set_avatar(avatar, self._canvas, self.smiles.softened())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the rendered images."""
        return self._canvas.size(self._crop)

    @property
    def stale(self) -> bool:
        """Whether rendering the last motion once more would give a better image."""
        return self._asked and self._draws.stale

    @property
    def unsettled(self) -> bool:
        """Whether the next image differs from the last although no landmark moves: a tongue, a new photo."""
        return self.mouth.shows or self.photos.changing

    def plan(self, motion: Motion) -> Planned:
        """Prepare what :meth:`render` would draw."""
        start = perf_counter()
        driving = carry_over(motion, self.avatar)
        warp = self._canvas.mesh.warp(driving.mesh)
        begun = perf_counter()
        shut, opened = self.lids.place(driving.mesh, warp), self.eyes.place(driving.mesh)
        gone, narrow = self.smiles.place(driving.mesh, warp), self.corners.place(driving.mesh, warp)
        folds = folds_of(motion, self.avatar, self._canvas, warp) if self.mouth.takes_folds else None
        patches = self.photos.place(driving, motion.time)
        covered = 0.0 if patches is None else patches.mouth
        placed = self.mouth.place(motion, driving.mesh, covered)
        mouth_ms = 1000 * (perf_counter() - begun)
        if isinstance(self.runtime, BatchRuntime):
            # It may wait there while the next one is made.
            warp = replace(warp.kept(), painted=not self.mouth.unpainted)
            self._asked = True
        else:
            paints = warp.mouth is not None and self._draws.paints and self.mouth.takes_paint
            self._asked = self._always or (paints and covered < 1)
        code, points = self.avatar.code, self.avatar.source_points
        dense = driving.dense if self._asked else None
        drawing = Drawing(code, points, driving.points, dense, self._canvas, warp)
        carry_ms = 1000 * (perf_counter() - start) - mouth_ms
        drawn_after = self.mouth, placed, self.photos, patches, folds
        eyes = self.lids, shut, self.eyes, opened
        return Planned(
            drawing, motion, carry_ms, mouth_ms, *drawn_after, *eyes, self.smiles, gone, self.corners, narrow
        )

    def render(self, motion: Motion) -> Rendered:
        """Draw the avatar with this motion; ``image`` is ``(H, W, 3) uint8`` RGB, a new array every time.

        Before a transparent background it is ``(H, W, 4)`` RGBA.  Where nothing of the network would be seen
        (it paints opened mouths that are not the driver's own), it does not run.
        """
        plan = self.plan(motion)
        if isinstance(self.runtime, BatchRuntime):
            return draw_together(self.runtime, [plan])[0]
        start = perf_counter()
        drawing, field = plan.drawing, None
        if self._asked:
            given = drawing.code, drawing.source_points, drawing.driving_points, drawing.dense
            field = self._draws.render(*given)
        modelled = perf_counter()
        image = compose(drawing.canvas, field, drawing.warp)
        done = perf_counter()
        shown, mouth_ms = plan.finish(image)
        stages = {
            "carry": plan.carry_ms,
            "model": 1000 * (modelled - start),
            "compose": 1000 * (done - modelled),
            "mouth": plan.mouth_ms + mouth_ms,
        }
        return plan.rendered(shown, stages)
