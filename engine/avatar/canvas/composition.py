"""The last step of a frame on the CPU: the mesh's warp, the mouth's inside, and pasting into the portrait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.canvas.canvas import Canvas
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.model_io import Field
from mien.engine.avatar.mouth import paint_strength, painted_share, paints
from mien.engine.avatar.person.boxes import Box, widened, within_box
from mien.engine.avatar.person.person_layer import showing
from mien.engine.avatar.person.silhouette import STRIP
from mien.engine.types import Floats, Image
from mien.engine.utils.sampling import sample, stretch

BESIDE = 16
"""Pixels beside a person within which a turned head's outline may show them, too."""


def compose(canvas: Canvas, field: Field | None, warp: Warp) -> Image:
    """Warp the portrait at its own resolution as the mesh says, fill the mouth, paste back.

    Args:
        field: what the model says; its flow and paint count within the mouth's opening alone: they were
            trained on another warp.  None: it says nothing.

    Returns:
        ``(H, W, 3) uint8`` RGB, a new array; ``(H, W, 4)`` RGBA where the canvas is clear.
    """
    cover = np.zeros(canvas.part[::-1], np.uint8) if canvas.clear else None
    image = _meshed(canvas, warp, cover)
    if warp.mouth is not None:
        _open_mouth(canvas, canvas.moving_part(image), field, warp)
    if cover is not None:
        return _opened(canvas, np.ascontiguousarray(canvas.moving_part(image)), cover)
    return image


def with_opacity(canvas: Canvas, image: Image, warp: Warp) -> Image:
    """What another runtime drew on a clear canvas, ``(H, W, 3)``, as RGBA ``(H, W, 4)``."""
    cover = np.zeros(canvas.part[::-1], np.uint8)
    for box, layer in _person(canvas, warp):
        cover[box] = layer[..., 3]
    return _opened(canvas, np.ascontiguousarray(canvas.moving_part(image)), cover)


def _opened(canvas: Canvas, moved: Image, cover: Image) -> Image:
    """The moving part's colours before black, and their opacity, as RGBA within the whole result."""
    part = _straight(moved, cover)
    if not canvas.pasted:
        return part
    assert canvas.person is not None
    image = _straight(canvas.still, np.ascontiguousarray(canvas.person[..., 3]))
    image[canvas.top : canvas.bottom, canvas.left : canvas.right] = part
    return image


def _straight(colours: Image, opacity: Image) -> Image:
    """RGBA of colours that are multiplied by their opacity; what is clear is black."""
    divided = cv2.divide(colours, cv2.cvtColor(opacity, cv2.COLOR_GRAY2RGB), scale=255)
    found = cv2.cvtColor(divided, cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(opacity, found, 3)
    return np.asarray(found, np.uint8)


def _meshed(canvas: Canvas, warp: Warp, cover: Image | None = None) -> Image:
    """The result after a motion; the opacity of the moving part's person goes into ``cover``."""
    if canvas.rest is None:
        columns, rows = canvas.part
        moved = _layer(canvas, warp, (slice(0, rows), slice(0, columns)))
        if moved.shape == canvas.still.shape or not canvas.pasted:
            return moved
        image: Image = canvas.still.copy()
        canvas.moving_part(image)[...] = moved
        return image
    image = canvas.rest.copy()
    part = canvas.moving_part(image)
    for box, layer in _person(canvas, warp):
        _put_before(layer, part[box])
        if cover is not None:
            cover[box] = layer[..., 3]
    return image


def _person(canvas: Canvas, warp: Warp) -> Iterator[tuple[Box, Image]]:
    """The person in parts: rows and columns of the moving part, and their layer; beyond these is nobody."""
    assert canvas.silhouette is not None
    strips = canvas.silhouette.strips(warp.shift)
    if warp.outline is None and warp.behind is None:
        # A cache holds what a strip needs.
        yield from ((box, canvas.fine.at(warp.shift, box)) for box in strips)
    elif strips:
        behind = [] if warp.behind is None else [warp.behind.box]
        whole = widened(_around([*strips, *behind]), BESIDE, canvas.part[::-1])
        layer = np.zeros((*(side.stop - side.start for side in whole), 4), np.uint8)
        for box in strips:
            canvas.fine.at(warp.shift, box, layer[within_box(box, whole)])
        yield whole, _turned(canvas, warp, layer, whole)


def _around(boxes: Sequence[Box]) -> Box:
    """The rows and columns around boxes."""
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return rows, columns


def _layer(canvas: Canvas, warp: Warp, box: Box) -> Image:
    """The person in these rows and columns of the moving part, what a turned head adds included."""
    return _turned(canvas, warp, canvas.fine.at(warp.shift, box), box)


def _turned(canvas: Canvas, warp: Warp, layer: Image, box: Box) -> Image:
    """A layer of these rows and columns with a turned head's outline, back and rim."""
    if warp.outline is not None:
        warp.outline.soften(layer, box)
    if warp.behind is not None and canvas.person is not None:
        warp.behind.put(layer, box, canvas.fine)
    if warp.rim is not None and canvas.person is not None:
        warp.rim.smooth(layer, box)
    return layer


def _put_before(layer: Image, image: Image) -> None:
    """Put the person before what an image ``(h, w, 3)`` shows, in place."""
    for top in range(0, len(layer), STRIP):
        strip, target = layer[top : top + STRIP], image[top : top + STRIP]
        colours = cv2.cvtColor(strip, cv2.COLOR_RGBA2RGB)
        opacity = np.asarray(cv2.extractChannel(strip, 3), np.uint8)
        out: Any = target
        cv2.add(colours, showing(target, opacity), out)


def show_outline(canvas: Canvas, image: Image, warp: Warp) -> None:
    """Show outline, back and rim of a turned head in an image that another runtime drew, in place."""
    parts = [] if warp.outline is None else warp.outline.parts()
    if warp.behind is not None and canvas.person is not None:
        parts.append((warp.behind.box, warp.behind.cover > 0))
    if warp.rim is not None and canvas.person is not None:
        parts.append((warp.rim.box, warp.rim.share > 0))
    part = canvas.moving_part(image)
    for box, jumps in parts:
        layer, target = _layer(canvas, warp, box), part[box]
        drawn = layer
        if canvas.behind is not None:
            drawn = canvas.behind[box].copy()
            _put_before(layer, drawn)
        target[..., :3][jumps] = drawn[..., :3][jumps]


def _open_mouth(canvas: Canvas, moved: Image, field: Field | None, warp: Warp) -> None:
    """Put the mouth's inside into ``moved``: the cavity, and what the model painted over it."""
    assert warp.mouth is not None and warp.cover is not None and warp.inside is not None
    inside: Any = warp.inside
    if field is not None and paints(field):
        rows, columns = warp.mouth
        size = columns.stop - columns.start, rows.stop - rows.start
        corner = np.array([columns.start, rows.start], np.float32)
        shift = stretch(
            field.flow * (canvas.fade * canvas.pixels), size, _from(canvas.to_grid, corner), cubic=True
        )
        x, y = (canvas.place[i][warp.mouth] + shift[..., i] for i in (0, 1))
        shown = sample(canvas.still, x, y, cubic=True, mirrored=True).astype(np.float32)
        paint = stretch(field.paint, size, _from(canvas.to_image, corner))
        strength = stretch(paint_strength(field.paint), size, _from(canvas.to_image, corner))
        inside = inside + painted_share(strength)[..., None] * (shown + 255.0 * paint - inside)
    part = moved[warp.mouth]
    mixed = part + warp.cover[..., None] * (inside - part)
    part[...] = np.clip(mixed + 0.5, 0, 255)


def show_cavity(canvas: Canvas, image: Image, warp: Warp, whole: bool) -> None:
    """Put the bare cavity into an image that was painted already, in place.

    Args:
        whole: everywhere, or only deep in the mouth, where the paint is not to be believed.
    """
    if warp.mouth is not None and warp.calm is not None:
        cover = warp.cover if whole else warp.calm
        _open_mouth(canvas, canvas.moving_part(image)[..., :3], None, replace(warp, cover=cover))


def _from(to_model: Floats, corner: Floats) -> Floats:
    """A part's affine relative to another corner, in its pixels."""
    moved: Floats = to_model.copy()
    moved[:, 2] += to_model[:, :2] @ corner
    return moved
