"""Motion-field figures: arrows over the face, as inline SVG on its photograph."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from html import escape

import cv2
import numpy as np

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.layout import GRID, N_MESH, apply2, layout, to_pixels
from mien.engine.landmarks.topology import FACE_OVAL
from mien.engine.types import Bools, Face, Floats, Image
from mien.engine.utils.sampling import sample

SIDE = 460
STEP = 2
"""Every second node of the layout's grid gets an arrow: one per tenth of a face unit."""

LONGEST = 0.16
"""Length of the longest arrow, face units."""


def magnification(*fields: Floats) -> float:
    """How many times longer than the movement the arrows are to be, a round number, for all given fields.

    Args:
        fields: ``(S, S, 2)`` displacements in the layout, face units.
    """
    most = max((float(np.quantile(_lengths(field), 0.98)) for field in fields), default=0.0)
    free = LONGEST / max(most, 1e-5)
    steps = (1, 2, 5, 10, 20, 50, 100)
    return float(max((step for step in steps if step <= free), default=1))


def field_figure(image: Image, face: Face, field: Floats, times: float, who: str, kind: str) -> str:
    """An HTML ``<figure>``: the face with an arrow wherever it moves.

    Args:
        image: ``(H, W, 3)`` the image that the motion begins at.
        face: the face in it.
        field: ``(S, S, 2)`` displacement in the layout, face units.
        times: the arrows' magnification.
        who: "the driver" or "the result", for the caption.
        kind: style of the arrows, ``"driver"`` or ``"result"``.
    """
    image, face = _closer(image, face)
    scale = SIDE / max(image.shape[:2])
    small = _resized(image, scale)
    geometry = FaceGeometry.of(face)
    nodes, inside = geometry.nodes[N_MESH:], _inside()
    axes = geometry.axes[N_MESH:]
    shift = apply2(axes, _at_nodes(field))
    arrows = "".join(
        _arrow(nodes[i] * scale, shift[i] * scale * times, geometry.unit * scale)
        for i in np.flatnonzero(inside)
    )
    h, w = small.shape[:2]
    peak = float(np.quantile(_lengths(field), 0.98))
    label = f"Movement of {who} at the apex: up to {1000 * peak:.1f} thousandths of a face unit"
    return (
        f'<figure class=field><svg viewBox="0 0 {w} {h}" role=img aria-label="{escape(label)}">'
        f'<image href="{jpeg_uri(_greyed(small))}" width="{w}" height="{h}"/>'
        f'<g class="arrows {kind}">{arrows}</g>{_ruler(geometry.unit * scale, times, h)}</svg>'
        f"<figcaption>{escape(who.capitalize())}; arrows {_longer(times)} the movement</figcaption>"
        "</figure>"
    )


def _longer(times: float) -> str:
    return "as long as" if times == 1 else f"{times:g} times as long as"


def jpeg_uri(image: Image, quality: int = 82) -> str:
    """The image as a ``data:`` URI."""
    from PIL import Image as Pil

    buffer = io.BytesIO()
    Pil.fromarray(image).save(buffer, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _closer(image: Image, face: Face) -> tuple[Image, Face]:
    """The image cut to the face, and the face in it."""
    mesh = face.landmarks[:N_MESH, :2]
    low, high = mesh.min(axis=0), mesh.max(axis=0)
    rim = 0.12 * float((high - low).max())
    left, top = (max(0, int(v - rim)) for v in low)
    right, bottom = (int(v + rim) for v in high)
    corner = np.array([left, top, 0.0], np.float32)
    return image[top:bottom, left:right], replace(face, landmarks=face.landmarks - corner)


def _resized(image: Image, scale: float) -> Image:
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=kind), dtype=np.uint8)


def _greyed(image: Image) -> Image:
    """A paler, grey copy, so that the arrows stand out."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
    low, high = np.quantile(grey, (0.02, 0.98))
    pale = np.clip(105 + 140 * (grey - low) / max(high - low, 1.0), 90, 250).astype(np.uint8)
    return np.repeat(pale[..., None], 3, axis=2)


def _inside() -> Bools:
    """``(GRID * GRID,)``: every STEP-th node, on the face only."""
    nodes = layout().nodes[N_MESH:]
    oval = np.ascontiguousarray(layout().points[list(FACE_OVAL)])
    on_face = np.array([cv2.pointPolygonTest(oval, (float(x), float(y)), False) > 0 for x, y in nodes])
    row, column = np.divmod(np.arange(GRID * GRID), GRID)
    return np.asarray(on_face & (row % STEP == 0) & (column % STEP == 0), dtype=np.bool_)


def _at_nodes(field: Floats) -> Floats:
    at = to_pixels(layout().nodes[N_MESH:], field.shape[0]).reshape(-1, 1, 2)
    # A little averaging over the cell that the arrow stands for.
    calm = cv2.GaussianBlur(np.ascontiguousarray(field), (0, 0), 1.2)
    return sample(np.asarray(calm, np.float32), at).reshape(-1, 2)


def _lengths(field: Floats) -> Floats:
    moved = _at_nodes(field)[_inside()]
    return np.hypot(moved[:, 0], moved[:, 1])


def _arrow(start: Floats, shift: Floats, unit: float) -> str:
    """A shaft with a head; a dot where nothing moves."""
    x, y = float(start[0]), float(start[1])
    dx, dy = float(shift[0]), float(shift[1])
    length = float(np.hypot(dx, dy))
    if length < 0.012 * unit:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="0.9"/>'
    head = min(0.035 * unit, 0.55 * length)
    ux, uy = dx / length, dy / length
    ex, ey = x + dx, y + dy
    bx, by = ex - head * ux, ey - head * uy
    wx, wy = -0.5 * head * uy, 0.5 * head * ux
    return (
        f'<path d="M{x:.1f} {y:.1f}L{bx:.1f} {by:.1f}"/>'
        f'<path class=tip d="M{ex:.1f} {ey:.1f}L{bx + wx:.1f} {by + wy:.1f}L{bx - wx:.1f} {by - wy:.1f}Z"/>'
    )


def _ruler(unit: float, times: float, height: int) -> str:
    """A bar that shows how long an arrow of a round size is."""
    sizes = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
    size = min(sizes, key=lambda s: abs(s * times - 0.12))
    length = size * times * unit
    y = height - 12
    return (
        f'<g class=ruler><rect x="6" y="{y - 17}" width="{max(length + 16, 66):.0f}" height="25" rx="4"/>'
        f'<path d="M14 {y}h{length:.1f}"/><text x="14" y="{y - 5}">{1000 * size:g} ‰</text></g>'
    )
