"""The folds of a portrait's own smile, which go with it.

A smile draws a dark line from the nose's wing past the mouth, and shorter ones beside its corners.  When the
driver's lips close or purse, the mesh takes the lips along and the lines stay: pressed into a narrower cheek
they were a hard, jagged cut.  As far as the smile is gone, the skin between nose, cheek and chin shows what
it is without its long dark and bright lines; hairs and pores, which are short, stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, unit_on
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.person.boxes import Box
from mien.engine.face.head_pose import parallax
from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.images import filled
from mien.engine.utils.sampling import sample

SMILES = (0.3, 0.7)
"""Score of a portrait's smile, 0..1, from which on its folds are a smile's, and wholly so."""

LOWERED, NARROWED = (0.025, 0.08), (0.03, 0.18)
"""How far the mouth's corners have come down against the lips' middle since the portrait, distances of the
eyes, and how much of its width it has lost, from which on a smile goes, and is gone."""

SIDE = (
    *((0.19, 0.37), (0.30, 0.37), (0.56, 0.58), (0.60, 0.80), (0.50, 1.00), (0.30, 1.02), (0.23, 0.92)),
    *((0.25, 0.84), (0.31, 0.78), (0.34, 0.72), (0.32, 0.66), (0.26, 0.61), (0.20, 0.57), (0.18, 0.50)),
)
"""Outline of the skin beside the mouth, on the right of the layout, face units: nose, cheek, chin, lips."""

WIDE, LONG = 0.10, 0.16
"""Widest line that goes, and the shortest, face units: a moustache's hairs are shorter."""

SOFT, FINE, RIM = 0.03, 0.008, 0.02
"""Standard deviations, face units: of the region's edge, of what of the portrait counts as its lines, and of
the skin without them."""

DEEP = (6.0, 16.0)
"""Grey levels between skin and line from which on its finest detail goes, too, and all of it."""

WHOLE, FIELD = 1.5, 0.8
"""Factor of a long line's share: along a curve, straight lines find less than all of it; and how much of the
mean around a place its line has to exceed."""

UNIT = 110.0
"""Pixels per face unit at which lines are looked for."""

NEAR = 0.12
"""Face units over which landmarks tell where a place of the layout is in a portrait."""

NONE = 128
"""Level of what gains nothing: bytes are looked up and added in 0.4 of the time of floats."""

LEAST, MOST = 1 / 64, 0.85
"""Share of a gone smile below which nothing is drawn, and share of the lines that goes with all of it."""

_EYES = (33, 263)
_MOUTH = (*topo.MOUTH_CORNERS, topo.LIPS_UPPER_OUTER[5], topo.LIPS_LOWER_OUTER[5])
_SMILE = tuple(topo.BLENDSHAPE_NAMES.index(f"mouthSmile{side}") for side in ("Left", "Right"))


@dataclass(frozen=True, slots=True)
class FoldedSkin:
    """What skin beside a portrait's mouth gains where its smile is gone.

    Attributes:
        gain: ``(h, w, 3) uint8`` grey levels to add, and :data:`NONE` more; RGB.
        corner: ``(x, y)`` of its first pixel in the still image.
    """

    gain: Image
    corner: tuple[int, int]

    @staticmethod
    def of(image: Image, points: Floats, unit: float) -> FoldedSkin:
        """From a portrait.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            points: ``(478, 2)`` landmarks, its pixel indices.
            unit: pixels per face unit.
        """
        outlines = (_outlines() @ points[:N_MESH]).astype(np.float32).reshape(2, -1, 2)
        every, margin = outlines.reshape(-1, 2), (WIDE + 2 * SOFT) * unit
        low = np.maximum(np.floor(every.min(axis=0) - margin), 0).astype(int)
        high = np.minimum(np.ceil(every.max(axis=0) + margin) + 1, image.shape[1::-1]).astype(int)
        high = np.maximum(high, low + 2)
        part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0], :3])
        face = filled(points[list(topo.FACE_OVAL)].astype(np.float32) - low, part.shape)
        region = np.maximum(*(filled(outline - low, part.shape) for outline in outlines)) * face
        lips = filled(points[list(topo.LIPS_OUTER)].astype(np.float32) - low, part.shape)
        region = cv2.GaussianBlur(region, (0, 0), max(0.8, SOFT * unit)) * face * (1 - lips)
        gain = np.rint(_without_lines(part, unit) * region[..., None]) + NONE
        return FoldedSkin(np.clip(gain, 0, 255).astype(np.uint8), (int(low[0]), int(low[1])))


@dataclass(frozen=True, slots=True)
class GoneSmile:
    """A smile that is gone in one frame, wholly or in part.

    Attributes:
        box: rows and columns of the moving part.
        lookup: ``(2, rows, columns) float32`` where they look in the skin's image.
        share: how far it is gone, 0..1.
    """

    box: Box
    lookup: Floats
    share: float


class SmileFolds:
    """Softens the folds of one avatar's own smile; one thread at a time.

    Args:
        avatar: whose.
        canvas: on which they are drawn.
        drawn: whether it is a drawing, whose lines stay.
    """

    def __init__(self, avatar: Avatar, canvas: Canvas, drawn: bool) -> None:
        self.set_avatar(avatar, canvas, drawn)

    def set_avatar(self, avatar: Avatar, canvas: Canvas, drawn: bool) -> None:
        """Soften another avatar's folds from now on."""
        self._avatar, self._canvas = avatar, canvas
        self._smile = 0.0 if drawn else smile_of(avatar)
        self._skin = None
        if self._smile > 0:
            points = canvas.placed(avatar.source_points)
            self._skin = FoldedSkin.of(canvas.still, points, unit_on(canvas, avatar))

    def softened(self) -> Image:
        """The still image without the portrait's smile's folds."""
        image: Image = self._canvas.still[..., :3].copy()
        if self._skin is not None:
            share, (x, y) = MOST * self._smile, self._skin.corner
            part = image[y : y + self._skin.gain.shape[0], x : x + self._skin.gain.shape[1]]
            part[...] = cv2.addWeighted(part, 1.0, self._skin.gain, share, -NONE * share)
        return image

    def place(self, moving: MeshMotion, warp: Warp) -> GoneSmile | None:
        """What is to be softened in the image of a motion; None where the portrait's smile is there."""
        skin, canvas = self._skin, self._canvas
        if skin is None:
            return None
        share = MOST * self._smile * gone(self._avatar, moving)
        if share < LEAST:
            return None
        around = (_outlines() @ moving.vertices[:N_MESH]).astype(np.float32)
        margin = 2.5 * SOFT * unit_on(canvas, self._avatar) * abs(moving.head.solid.a)
        return looked_up(canvas, skin, around, warp, share, margin)

    def draw(self, image: Image, smile: GoneSmile | None) -> float:
        """Draw the softened skin, in place; milliseconds spent."""
        return draw_gain(self._canvas, self._skin, image, smile)


def looked_up(
    canvas: Canvas, skin: FoldedSkin, around: Floats, warp: Warp, share: float, margin: float = 0.0
) -> GoneSmile | None:
    """Where pixels look in a portrait's skin; None where that is beyond the moving part.

    Args:
        around: ``(N, 2)`` places around which it is drawn, model coordinates.
        margin: around these, pixels.
    """
    corner = np.array([canvas.left, canvas.top], np.float32)
    box = canvas.box_around(canvas.placed(around) - corner, margin, margin)
    if min(side.stop - side.start for side in box) < 3:
        return None
    lookup = warp.shift[:, box[0], box[1]] + canvas.place[:, box[0], box[1]]
    lookup -= np.array(skin.corner, np.float32)[:, None, None]
    return GoneSmile(box, lookup, share)


def draw_gain(canvas: Canvas, skin: FoldedSkin | None, image: Image, gone: GoneSmile | None) -> float:
    """Draw a skin's gain, in place; milliseconds spent."""
    if gone is None or skin is None:
        return 0.0
    start = perf_counter()
    # An image may have an opacity, too.
    target = canvas.moving_part(image)[gone.box][..., :3]
    gain: Any = sample(skin.gain, gone.lookup[0], gone.lookup[1])
    target[...] = cv2.addWeighted(target, 1.0, gain, gone.share, -NONE * gone.share)
    return 1000 * (perf_counter() - start)


def smile_of(avatar: Avatar) -> float:
    """How far a portrait smiles, 0..1."""
    scores = avatar.face.blendshapes[list(_SMILE)]
    return smoothstep(ramp(float(scores.mean()), SMILES))


def gone(avatar: Avatar, moving: MeshMotion) -> float:
    """How far a portrait's smile is gone in a motion, 0..1: seen beside its head turned likewise."""
    rows = [*_EYES, *_MOUTH]
    geometry, head = avatar.geometry, moving.head
    turned = geometry.points[rows] + parallax(geometry.solid[rows], head.turn)
    before = avatar.crop.normalised(head.solid.apply(turned))
    now = moving.vertices[rows]
    eyes = float(np.hypot(*(before[1] - before[0])))
    lowered = (_lift(before) - _lift(now)) / max(eyes, 1e-6)
    wide, was = (float(np.hypot(*(mouth[3] - mouth[2]))) for mouth in (now, before))
    narrower = 1 - wide / max(was, 1e-6)
    return smoothstep(min(ramp(lowered, LOWERED) + ramp(narrower, NARROWED), 1.0))


def _lift(points: Floats) -> float:
    """How far the mouth's corners stand above its middle, of :data:`_EYES` and :data:`_MOUTH`."""
    across = points[1] - points[0]
    down = np.array([-across[1], across[0]]) / max(float(np.hypot(*across)), 1e-6)
    return float((points[4] + points[5] - points[2] - points[3]) @ down / 2)


def _without_lines(part: Image, unit: float) -> Floats:
    """``(h, w, 3) float32`` what an image gains without its long lines, dark and bright."""
    scale = min(1.0, UNIT / unit)
    size = max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale))
    seen: Any = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    unit *= scale
    side = max(3, round(WIDE * unit)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    smooth: Any = cv2.morphologyEx(cv2.morphologyEx(seen, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    smooth = cv2.GaussianBlur(smooth, (0, 0), max(0.6, RIM * unit))
    share: Any = _long_share(smooth - seen, unit)
    whole = part.shape[1::-1]
    smooth, share = (cv2.resize(found, whole, interpolation=cv2.INTER_CUBIC) for found in (smooth, share))
    own: Any = part.astype(np.float32)
    soft: Any = cv2.GaussianBlur(own, (0, 0), max(0.8, FINE * unit / scale))
    # Where there is hardly a line, pores and grain stay.
    deep = np.clip((np.abs(smooth - own).mean(axis=2) - DEEP[0]) / (DEEP[1] - DEEP[0]), 0, 1)[..., None]
    own = soft + deep * (own - soft)
    return np.asarray((smooth - own) * np.clip(share, 0, 1)[..., None], np.float32)


def _long_share(lines: Floats, unit: float) -> Floats:
    """``(h, w)`` in 0..1: how much of each place's change ``(h, w, 3)`` belongs to a long line."""
    side = max(3, round(LONG * unit)) | 1
    middle = (side - 1) / 2
    change = lines.mean(axis=2)
    found: Any = np.zeros_like(change)
    for part in (np.maximum(change, 0), np.maximum(-change, 0)):
        amount: Any = cv2.GaussianBlur(part, (0, 0), max(0.5, 2 * FINE * unit))
        # Side by side, hairs are a field: no line stands out of it.
        amount = np.maximum(amount - FIELD * cv2.GaussianBlur(part, (0, 0), LONG / 2 * unit), 0)
        for angle in np.arange(0, np.pi, np.pi / 12):
            along = middle * np.array([np.cos(angle), np.sin(angle)])
            kernel = np.zeros((side, side), np.uint8)
            first, last = (tuple(int(v) for v in np.round(middle + sign * along)) for sign in (-1, 1))
            cv2.line(kernel, first, last, 1)
            kernel[side // 2, side // 2] = 1
            found = np.maximum(found, cv2.morphologyEx(amount, cv2.MORPH_OPEN, kernel))
    near = cv2.dilate(found, np.ones((3, 3), np.uint8))
    every = cv2.GaussianBlur(np.abs(change), (0, 0), max(0.5, 2 * FINE * unit))
    return np.asarray(np.clip(WHOLE * near / np.maximum(every, 0.5), 0, 1), np.float32)


@lru_cache(maxsize=1)
def _outlines() -> Floats:
    """``(28, 468)`` from landmarks to the outlines of the skin on both sides: local affine fits."""
    flat = layout().points.astype(np.float64)
    rows = []
    for place in [(sign * x, y) for sign in (-1, 1) for x, y in SIDE]:
        away = flat - place
        near = np.exp(-np.square(away / NEAR).sum(axis=1))
        near[np.argsort(-near)[12:]] = 0
        basis = np.column_stack([away, np.ones(len(flat))])
        weighted = basis * near[:, None]
        rows.append(np.linalg.solve(basis.T @ weighted, weighted.T)[2])
    found = np.array(rows, np.float32)
    found.setflags(write=False)
    return found
