"""Motion and avatar in, the next picture out."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from engine.avatar import Avatar, Square, cut
from engine.motion import Motion
from engine.runtime import default_runtime
from engine.runtime.base import FIELD_SIZE, IMAGE_SIZE, Field, Runtime
from engine.sampling import sample, stretch
from engine.transfer import carry_over
from engine.types import Floats, Image, Rendered

FADE = 0.2
"""Width of the border of the crop over which the motion fades out, so that pasting leaves no seam."""

MARGIN = 0.25
"""How far beyond a face crop its portrait is kept, in shares of the crop's side."""


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Where an avatar's moving part lies in the result, and how the model's grid maps to its pixels.

    Attributes:
        still: the picture that the moving part is put into.
        left, top, right, bottom: the moving part, in whole pixels of ``still``.
        to_grid: ``(2, 3)`` from pixel indices of the moving part to model grid indices.
        to_image: ``(2, 3)`` the same to model picture indices (256 x 256).
        pixels: pixels per model unit.
        place: ``(h, w, 2)`` pixel indices of the moving part in ``still``.
        fade: ``(FIELD_SIZE, FIELD_SIZE, 1)`` 1 inside, 0 at the crop's border.
        pasted: whether the result is the whole of ``still``, or the moving part alone.
    """

    still: Image
    left: int
    top: int
    right: int
    bottom: int
    to_grid: Floats
    to_image: Floats
    pixels: float
    place: Floats
    fade: Floats
    pasted: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """An avatar, ready to be drawn by the renderer that prepared it."""

    avatar: Avatar
    canvas: _Canvas


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
        self._canvas = _canvas(avatar, crop)

    def prepare(self, avatar: Avatar) -> Scene:
        """What :meth:`show` needs; any thread may make it beside the running pictures (10 ms)."""
        return Scene(avatar, _canvas(avatar, self._crop))

    def show(self, scene: Scene) -> None:
        """Draw another avatar from the next frame on; takes no time."""
        self._canvas, self.avatar = scene.canvas, scene.avatar

    def set_avatar(self, avatar: Avatar) -> None:
        """Draw another avatar from the next frame on."""
        self.show(self.prepare(avatar))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the results."""
        if self._crop is not None:
            return self._crop, self._crop
        height, width = self._canvas.still.shape[:2]
        return width, height

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


def _canvas(avatar: Avatar, crop: int | None) -> _Canvas:
    if crop is None:
        return _make_canvas(avatar.image, avatar.crop, pasted=True)
    # Cut with a margin, so that what moves in from outside the crop is there.
    margin = round(MARGIN * crop)
    side = avatar.crop.side * (crop + 2 * margin) / crop
    rim = avatar.crop.side * margin / crop
    wide = Square(avatar.crop.x - rim, avatar.crop.y - rim, side)
    still = cut(avatar.image, wide, crop + 2 * margin)
    return _make_canvas(still, Square(float(margin), float(margin), float(crop)), pasted=False)


def _make_canvas(still: Image, crop: Square, pasted: bool) -> _Canvas:
    height, width = still.shape[:2]
    left, top = max(0, int(np.floor(crop.x))), max(0, int(np.floor(crop.y)))
    right = min(width, int(np.ceil(crop.x + crop.side)))
    bottom = min(height, int(np.ceil(crop.y + crop.side)))
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    return _Canvas(
        still=still,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        to_grid=_to_model(crop, left, top, FIELD_SIZE),
        to_image=_to_model(crop, left, top, IMAGE_SIZE),
        pixels=crop.pixels_per_norm,
        place=np.stack([x, y], axis=2),
        fade=_fade() if pasted else np.ones((FIELD_SIZE, FIELD_SIZE, 1), np.float32),
        pasted=pasted,
    )


def _to_model(crop: Square, left: int, top: int, count: int) -> Floats:
    """Affine from pixel indices of the moving part to indices of a ``count`` x ``count`` model grid.

    The model's grids share their corner nodes (``align_corners``), the centres of the outermost of the
    crop's 256 x 256 pixels.
    """
    scale = IMAGE_SIZE / crop.side * (count - 1) / (IMAGE_SIZE - 1)
    shift = -0.5 * (count - 1) / (IMAGE_SIZE - 1)
    return np.array(
        [
            [scale, 0, (left + 0.5 - crop.x) * scale + shift],
            [0, scale, (top + 0.5 - crop.y) * scale + shift],
        ],
        np.float32,
    )


def _fade() -> Floats:
    axis = np.linspace(-1, 1, FIELD_SIZE, dtype=np.float32)
    edge = np.clip((1 - np.abs(axis)) / FADE, 0, 1)
    edge = edge * edge * (3 - 2 * edge)
    return np.asarray((edge[:, None] * edge[None, :])[..., None], dtype=np.float32)


def _compose(canvas: _Canvas, field: Field) -> Image:
    """Warp the portrait at its own resolution, add what the model painted, paste back."""
    size = (canvas.right - canvas.left, canvas.bottom - canvas.top)
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


def _painted(canvas: _Canvas, moved: Image, paint: Floats, size: tuple[int, int]) -> Image:
    grown = stretch(paint, size, canvas.to_image)
    return np.asarray(np.clip(moved + 255.0 * grown + 0.5, 0, 255), dtype=np.uint8)
