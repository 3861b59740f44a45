"""The canvas: position of an avatar's moving part in the result, and maps from model grids to pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.mesh_canvas import MeshCanvas
from mien.engine.avatar.crop import Square, continued, extended, within_image
from mien.engine.avatar.fine_layer import FineLayer
from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE
from mien.engine.avatar.person.bars import Bars
from mien.engine.avatar.person.boxes import Box
from mien.engine.avatar.person.crown import rounded
from mien.engine.avatar.person.person_layer import person_layer
from mien.engine.avatar.person.silhouette import Silhouette
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import smoothstep

FADE = 0.2
"""Width of the border of the crop over which the motion fades out, so that pasting leaves no seam."""

NEAR_TOP = 0.13
"""How far above the crop, in its sides, an image ends whose person moves up to its own border."""

MARGIN = 0.25
"""Margin kept of the portrait around a face crop, as a share of the crop's side."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Position of an avatar's moving part in the result, and maps between the model's grids and its pixels.

    Attributes:
        still: the image into which the moving part is pasted.
        person: ``(H, W, 4) uint8`` the person of ``still``: colours times opacity, then opacity; None where
            there is one layer.
        layer: ``person``, else ``still``, going on beyond the borders that the moving part reaches: what
            moves in from there.
        rest: the result without the person, of ``person``; None where there is one layer.
        silhouette: where the person of ``layer`` is; None where there is one layer.
        left, top, right, bottom: the moving part, in whole pixels of ``still``.
        to_grid: ``(2, 3)`` from pixel indices of the moving part to model grid indices.
        to_image: ``(2, 3)`` the same to indices of the model's image (256 x 256).
        pixels: pixels per model unit.
        place: ``(2, h, w)`` pixel indices (x, y) of the moving part in ``still``.
        origin: ``(2, h, w)`` the same in ``layer``.
        fine: ``layer``, enlarged for sampling on the CPU.
        fade: ``(FIELD_SIZE, FIELD_SIZE, 1)`` 1 inside, 0 at the crop's border.
        pasted: whether the result is the whole of ``still``, or only the moving part.
        clear: whether results carry opacity; ``still`` is the person before black then.
        mesh: the mesh's rasters.
        bars: those of the portrait, of which ``still`` is what they leave free; None where it is all of it,
            or a face crop.
    """

    still: Image
    person: Image | None
    layer: Image
    rest: Image | None
    silhouette: Silhouette | None
    left: int
    top: int
    right: int
    bottom: int
    to_grid: Floats
    to_image: Floats
    pixels: float
    place: Floats
    origin: Floats
    fine: FineLayer
    fade: Floats
    pasted: bool
    clear: bool
    mesh: MeshCanvas
    bars: Bars | None = None

    @property
    def part(self) -> tuple[int, int]:
        """Width and height of the moving part."""
        return self.right - self.left, self.bottom - self.top

    @property
    def behind(self) -> Image | None:
        """A view of the background of the moving part, ``(h, w, 3) uint8``; None where there is one layer."""
        return None if self.rest is None else self.moving_part(self.rest)

    def placed(self, points: Floats) -> Floats:
        """Model coordinates ``(..., 2)`` as pixel indices of ``still``."""
        at = (points + 1) * np.float32((IMAGE_SIZE - 1) / 2) - self.to_image[:, 2]
        found = at / np.array([self.to_image[0, 0], self.to_image[1, 1]], np.float32)
        return np.asarray(found + np.array([self.left, self.top], np.float32), np.float32)

    def moving_part(self, image: Image) -> Image:
        """A view of the part of a whole result that moves."""
        return image[self.top : self.bottom, self.left : self.right] if self.pasted else image

    def box_around(self, points: Floats, before: float, beyond: float) -> Box:
        """Rows and columns of the moving part around points, and so far before and beyond them; pixels."""
        low, high = np.floor(points.min(axis=0) - before), np.ceil(points.max(axis=0) + beyond)
        columns, rows = (
            slice(max(0, int(first)), min(size, int(last) + 1))
            for first, last, size in zip(low, high, self.part, strict=True)
        )
        return rows, columns

    @property
    def corner(self) -> tuple[int, int]:
        """Column and row of ``still`` at which the result begins."""
        return (0, 0) if self.pasted else (self.left, self.top)

    def size(self, crop: int | None) -> tuple[int, int]:
        """Width and height of the results; ``crop`` is the side of a face crop returned by itself."""
        if crop is not None:
            return crop, crop
        height, width = (self.still if self.bars is None else self.bars.image).shape[:2]
        return width, height

    def finished(self, image: Image) -> Image:
        """A result with the portrait's bars before it."""
        return image if self.bars is None else self.bars.before(image)


def unit_on(canvas: Canvas, avatar: Avatar) -> float:
    """Pixels of a canvas per face unit of its avatar."""
    return avatar.geometry.unit * canvas.pixels / avatar.crop.pixels_per_norm


def make_canvas(avatar: Avatar, crop: int | None) -> Canvas:
    """Create the canvas for a whole portrait (``crop`` None), or for its face crop of ``crop`` pixels."""
    layers, cutout = avatar.layers, avatar.cutout
    # Before another background bars are a part of the old one.
    bars = avatar.bars if cutout is None else None
    image, square, face = avatar.image, avatar.crop, avatar.face
    if bars is not None:
        image, square, face = bars.inner, bars.within(square), bars.seen(face)
    if crop is None:
        if cutout is not None:
            still, person, behind = cutout.whole()
            return _on_still(avatar, still, avatar.crop, (person, behind))
        apart = None if layers is None else (layers.person, layers.background)
        return replace(_on_still(avatar, image, square, apart), bars=bars)
    # Cut with a margin that provides what moves in from outside.
    view, margin = within_image(square, image, face), round(MARGIN * crop)
    scale = crop / view.side
    wide = Square(view.x - margin / scale, view.y - margin / scale, view.side + 2 * margin / scale)
    size = crop + 2 * margin
    x, y = (square.x - wide.x) * scale, (square.y - wide.y) * scale
    square, shown = Square(x, y, square.side * scale), (margin, margin, margin + crop, margin + crop)
    if cutout is not None:
        still, person, behind = cutout.cut(wide, size, margin)
        return _on_still(avatar, still, square, (person, behind), shown)
    still = continued(image, wide, size)
    if layers is not None:
        shades = np.asarray(np.repeat(255 * layers.person[..., None] + 0.5, 3, axis=2), np.uint8)
        person = continued(shades, wide, size)[..., 0] / np.float32(255)
        apart = person, continued(layers.background, wide, size)
    else:
        apart = None
    return _on_still(avatar, still, square, apart, shown)


def _on_still(
    avatar: Avatar,
    still: Image,
    crop: Square,
    apart: tuple[Floats, Image] | None,
    shown: tuple[int, int, int, int] | None = None,
) -> Canvas:
    """The canvas on ``still``.

    Args:
        crop: where the avatar's crop lies in it.
        apart: the person's opacity and the background.
        shown: left, top, right and bottom of the part that is the result by itself; None pastes what moves
            into ``still``.
    """
    height, width = still.shape[:2]
    pasted = shown is None
    # At the image's own border nothing is pasted: a crown that faded out there stood still, a horn over a
    # head that rolled, and a hat that rose was pressed flat against it.
    to_border = crop.y <= 0 or (apart is not None and crop.y < NEAR_TOP * crop.side)
    left, top, right, bottom = shown or _reached(crop, width, height, to_border)
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    to_image = _to_model(crop, left, top, IMAGE_SIZE)
    fade = _fade(at_top=not to_border) if pasted else np.ones((FIELD_SIZE, FIELD_SIZE, 1), np.float32)
    to_model = to_image * np.float32(2 / (IMAGE_SIZE - 1))
    to_model[:, 2] -= 1
    person = None if apart is None else person_layer(still, *apart)
    # A cut-out crop has its margin already.
    rims = _rims(crop, width, height, to_border) if pasted else (0, 0, 0, 0)
    layer = extended(still if person is None else person, rims, crop.side)
    if person is not None:
        layer = rounded(layer, rims[0], avatar.geometry.unit)
    place, corner, rest = np.stack([x, y]), (left + rims[2], top + rims[0]), None
    if apart is not None:
        rest, part = still.copy(), (slice(top, bottom), slice(left, right))
        rest[part] = apart[1][part]
        rest = rest if pasted else rest[part].copy()
    return Canvas(
        still=still,
        person=person,
        layer=layer,
        silhouette=None if person is None else Silhouette.of(layer, corner),
        rest=rest,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        to_grid=_to_model(crop, left, top, FIELD_SIZE),
        to_image=to_image,
        pixels=crop.pixels_per_norm,
        place=place,
        origin=place + np.array([rims[2], rims[0]], np.float32)[:, None, None],
        fine=FineLayer(layer, corner, (right - left, bottom - top)),
        fade=fade,
        pasted=pasted,
        clear=avatar.cutout is not None and avatar.cutout.background.transparent,
        mesh=MeshCanvas((right - left, bottom - top), to_model, fade[..., 0], avatar.cavity),
    )


def _reached(crop: Square, width: int, height: int, to_border: bool) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the whole pixels of an image that move: the crop's, or up to its top."""
    left, top = max(0, int(np.floor(crop.x))), 0 if to_border else int(np.floor(crop.y))
    right, bottom = (
        min(end, int(np.ceil(at + crop.side))) for end, at in ((width, crop.x), (height, crop.y))
    )
    return left, top, right, bottom


def _rims(crop: Square, width: int, height: int, to_border: bool) -> tuple[int, int, int, int]:
    """Pixels to go on at the top, the bottom, the left and the right: where motion reaches the border."""
    reach = round(MARGIN * crop.side)
    beyond = -float(to_border), height - crop.y - crop.side, crop.x, width - crop.x - crop.side
    top, bottom, left, right = (reach if room < 0 else 0 for room in beyond)
    return top, bottom, left, right


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


def _fade(at_top: bool) -> Floats:
    """Where the motion fades out, as :attr:`Canvas.fade`; ``at_top``: there, too."""
    axis = np.linspace(-1, 1, FIELD_SIZE, dtype=np.float32)
    edge = smoothstep(np.clip((1 - np.abs(axis)) / FADE, 0, 1))
    rows = edge if at_top else np.where(axis < 0, np.float32(1), edge)
    return np.asarray((rows[:, None] * edge[None, :])[..., None], dtype=np.float32)


def device_constants(canvas: Canvas) -> dict[str, Floats]:
    """The constant inputs of ``runtime.graphs.image.image_graph`` for a canvas."""
    height, width = canvas.layer.shape[:2]
    # One layer is a person who fills everything.
    solid = np.full((height, width), 255, np.uint8)
    person = np.dstack([canvas.layer, solid]) if canvas.person is None else canvas.layer
    inside = canvas.still[canvas.top : canvas.bottom, canvas.left : canvas.right]
    behind = inside if canvas.behind is None else canvas.behind
    columns, rows = canvas.part
    per_unit = np.array([2 / max(1, width - 1), 2 / max(1, height - 1)], np.float32)
    # The grid's affine has no shear: two vectors describe its columns and rows.
    x = (canvas.to_grid[0, 0] * np.arange(columns) + canvas.to_grid[0, 2]) * (2 / (FIELD_SIZE - 1)) - 1
    y = (canvas.to_grid[1, 1] * np.arange(rows) + canvas.to_grid[1, 2]) * (2 / (FIELD_SIZE - 1)) - 1
    grid = np.stack(np.meshgrid(x, y), axis=2)[None].astype(np.float32)
    amount = (canvas.fade[..., 0] * canvas.pixels)[None] * per_unit[:, None, None]
    return {
        "amount": amount[None].astype(np.float32),
        "scale": per_unit.reshape(1, 2, 1, 1),
        "grid": grid,
        "place": (canvas.origin.transpose(1, 2, 0) * per_unit - 1)[None],
        "person": np.ascontiguousarray(person.transpose(2, 0, 1)[None], np.float32),
        "behind": np.ascontiguousarray(behind.transpose(2, 0, 1)[None], np.float32),
    }
