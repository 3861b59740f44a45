"""Shut lids: skin without what would be drawn out there, and the line of lashes on which lids meet.

Between crease and brow a shut lid is stretched to two or three times its height.  Lashes that stand before
that skin, the crease's line, brush strokes and the brow's lowest hairs became streaks from brow to eye;
below the lid, what the landmarks leave of the eyeball stayed as a pale rim, and the line between both had
steps.  There a shut lid shows skin that was cleared of them once, and a line in the colour of the portrait's
own lashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas import Canvas
from mien.engine.avatar.eyelids import EYES
from mien.engine.avatar.lid_edges import eyeball_below
from mien.engine.avatar.lids import CREASE
from mien.engine.avatar.mesh_canvas import Warp
from mien.engine.avatar.mesh_motion import MeshMotion
from mien.engine.avatar.outline import Box
from mien.engine.types import Floats, Image
from mien.engine.utils.images import filled
from mien.engine.utils.sampling import sample

MARGIN = 0.3
"""Margin around an eye within which skin is looked at, as a share of its width."""

LINES, BLUR, FAR = 0.14, 0.07, 0.25
"""Widest line that is cleared (a lash, a crease), and standard deviations of the blur then, near the skin
that is known and further away; widths of an eye."""

BESIDE, BELOW, KNOWN = 0.10, 0.06, 0.22
"""How far beyond corners and lower edge of an eye skin is cleared, and how far below that it is looked at, in
widths of an eye."""

SHOWN = 0.85
"""Share of the cleared skin in a lid that is wholly shut."""

LEAST = 8.0
"""Width of an eye, pixels, from which on there is anything to clear."""

LASHES, ROOTS = (0.035, 0.015), (-0.16, 0.03, 7)
"""Half of the lash line's thickness above and below the lids' edge, widths of an eye; and where in the
portrait its colour is looked for, heights of the open eye below the upper edge, and at how many places."""

DARK, SOFT = 0.85, 0.014
"""Opacity of the lash line on lids that are wholly shut, and standard deviation of its edge, widths of an
eye."""

ALONG = 33
"""Points of the lash line."""


@dataclass(frozen=True, slots=True)
class LidSkin:
    """What a portrait's eye shows when it is shut.

    Attributes:
        colours: ``(h, w, 4) uint8`` the cleared skin, RGB, and how far it counts.
        corner: ``(x, y)`` of its first pixel in the still image.
        lashes: ``(3,) float32`` colour of the lashes.
    """

    colours: Image
    corner: tuple[int, int]
    lashes: Floats

    @staticmethod
    def of(image: Image, points: Floats, eye: int) -> LidSkin | None:
        """From a portrait; None where the eye is too small.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            points: ``(478, 2)`` landmarks, its pixel indices.
            eye: 0 the right, 1 the left one.
        """
        upper, lower, crease, under_brow = (
            points[list(row)].astype(np.float32) for row in (*EYES[eye][:2], *CREASE[eye])
        )
        across = upper[-1] - upper[0]
        width = float(np.hypot(*across))
        every = np.concatenate([upper, lower, under_brow])
        low = np.maximum(np.floor(every.min(axis=0) - MARGIN * width), 0).astype(int)
        high = np.minimum(np.ceil(every.max(axis=0) + MARGIN * width) + 1, image.shape[1::-1]).astype(int)
        if width < LEAST or (high - low < 8).any():
            return None
        down = np.array([-across[1], across[0]], np.float32) / width
        below = lower + eyeball_below(image, upper, lower)
        # Beyond the corners, and below what is no skin.
        ends = upper[[0, -1]] + np.array([[-BESIDE], [BESIDE]], np.float32) * across
        under = np.concatenate([ends[:1], below[1:-1] + BELOW * width * down, ends[1:]])
        lid = np.concatenate([under_brow, ends[1:], crease[::-1], ends[:1]])
        cheek = np.concatenate([under, (under + KNOWN * width * down)[::-1]])
        part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
        known = np.maximum(filled(lid - low, part.shape), filled(cheek - low, part.shape))
        counts = filled(np.concatenate([under_brow, under[::-1]]) - low, part.shape)
        counts -= filled(np.concatenate([upper, lower[::-1]]) - low, part.shape)
        soft = cv2.GaussianBlur(counts, (0, 0), max(0.6, 0.5 * BLUR * width))
        colours = _cleared(part, known, width)
        found = np.dstack([colours, 255 * np.clip(np.minimum(2 * soft - 0.5, soft + 0.3), 0, 1)])
        lashes = _lash_colour(image, upper, lower)
        return LidSkin(np.clip(found + 0.5, 0, 255).astype(np.uint8), (int(low[0]), int(low[1])), lashes)


@dataclass(frozen=True, slots=True)
class ShutLid:
    """One eye's lid in one frame.

    Attributes:
        box: rows and columns of the moving part.
        lookup: ``(2, rows, columns) float32`` where they look in the skin's image.
        skin: the skin.
        shut: how far the eye is shut, 0..1.
        line: ``(P, 2) float32`` outline of the lash line, pixel indices of the box.
        width: of the eye, pixels.
    """

    box: Box
    lookup: Floats
    skin: LidSkin
    shut: float
    line: Floats
    width: float


class AvatarLids:
    """Draws the shut lids of one avatar's images; one thread at a time.

    Args:
        avatar: whose.
        canvas: on which they are drawn.
    """

    def __init__(self, avatar: Avatar, canvas: Canvas) -> None:
        self.set_avatar(avatar, canvas)

    def set_avatar(self, avatar: Avatar, canvas: Canvas) -> None:
        """Draw another avatar's lids from now on."""
        self._canvas = canvas
        points = canvas.placed(avatar.source_points)
        self._skins = tuple(LidSkin.of(canvas.still, points, eye) for eye in range(2))

    def place(self, moving: MeshMotion, warp: Warp) -> tuple[ShutLid, ...]:
        """The lids that shut in the image of a motion."""
        found = (self._placed(moving, warp, eye) for eye in range(2) if moving.shut[eye] > 0)
        return tuple(lid for lid in found if lid is not None)

    def _placed(self, moving: MeshMotion, warp: Warp, eye: int) -> ShutLid | None:
        canvas, skin = self._canvas, self._skins[eye]
        if skin is None:
            return None
        rows_of = *EYES[eye][:2], *CREASE[eye]
        corner = np.array([canvas.left, canvas.top], np.float32)
        upper, lower, _, brow = (canvas.placed(moving.vertices[list(row)]) - corner for row in rows_of)
        every = np.concatenate([upper, lower, brow])
        width = float(np.hypot(*(upper[-1] - upper[0])))
        margin = BESIDE * width
        low, high = np.floor(every.min(axis=0) - margin), np.ceil(every.max(axis=0) + 2 * margin)
        columns, rows = (
            slice(max(0, int(a)), min(size, int(b) + 1))
            for a, b, size in zip(low, high, canvas.part, strict=True)
        )
        if rows.stop - rows.start < 3 or columns.stop - columns.start < 3:
            return None
        shift = warp.shift[:, rows, columns]
        start = np.array(skin.corner, np.float32)[:, None, None]
        lookup = np.asarray(shift + canvas.place[:, rows, columns] - start, np.float32)
        line = lash_line(upper) - np.array([columns.start, rows.start], np.float32)
        return ShutLid((rows, columns), lookup, skin, moving.shut[eye], line, width)

    def draw(self, image: Image, lids: tuple[ShutLid, ...]) -> float:
        """Draw them, in place; milliseconds spent."""
        if not lids:
            return 0.0
        start = perf_counter()
        part = self._canvas.moving_part(image)
        for lid in lids:
            # An image may have an opacity, too.
            target = part[lid.box][..., :3]
            found = sample(lid.skin.colours, lid.lookup[0], lid.lookup[1])
            weight: Any = cv2.extractChannel(found, 3).astype(np.float32)
            weight /= np.float32(255)
            # A nose that hides the eye hides its lashes.
            reach = 2 * max(1, round(LASHES[0] * lid.width)) + 1
            seen: Any = cv2.min(3 * cv2.blur(weight, (reach, reach)), 1.0)
            weight *= np.float32(SHOWN * lid.shut)
            colours: Any = cv2.cvtColor(found, cv2.COLOR_RGBA2RGB)
            drawn: Any = cv2.blendLinear(
                colours, np.ascontiguousarray(target), weight, np.float32(1) - weight
            )
            weight = cv2.GaussianBlur(filled(lid.line, drawn.shape), (0, 0), max(0.5, SOFT * lid.width))
            weight *= np.float32(DARK * lid.shut) * seen
            colours[...] = lid.skin.lashes
            target[...] = cv2.blendLinear(colours, drawn, weight, np.float32(1) - weight)
        return 1000 * (perf_counter() - start)


def lash_line(edge: Floats) -> Floats:
    """``(2 * ALONG, 2) float32`` outline of the line on which lids meet, thin at the eye's corners.

    Args:
        edge: ``(9, 2)`` the upper lid's edge, from the eye's left corner to its right one.
    """
    across = edge[-1] - edge[0]
    width = max(float(np.hypot(*across)), 1e-3)
    down = np.array([-across[1], across[0]], np.float32) / width
    thick = (width * np.sin(np.linspace(0, np.pi, ALONG)) ** 0.6).astype(np.float32)[:, None]
    curve = _bow(len(edge)) @ edge
    above, below = LASHES
    return np.concatenate([curve - above * thick * down, (curve + below * thick * down)[::-1]])


@lru_cache(maxsize=1)
def _bow(count: int) -> Floats:
    """``(ALONG, count)`` weights of an edge's points in its parabola: a squint's landmarks make it wavy."""
    powers = np.arange(3)
    there, here = (np.linspace(-1, 1, steps)[:, None] ** powers for steps in (count, ALONG))
    return np.asarray(here @ np.linalg.pinv(there), np.float32)


def _cleared(part: Image, known: Floats, width: float) -> Floats:
    """``(h, w, 3)`` the colours of known skin without its lines, continued to where it is not known."""
    side = max(3, round(LINES * width)) | 1
    round_kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    clear: Any = cv2.morphologyEx(part, cv2.MORPH_CLOSE, round_kernel).astype(np.float32)
    clear *= known[..., None]
    means, weights = [], []
    for sigma in (BLUR, FAR):
        weight = cv2.GaussianBlur(known, (0, 0), max(0.8, sigma * width))
        mean: Any = cv2.GaussianBlur(clear, (0, 0), max(0.8, sigma * width))
        means.append(mean / np.maximum(weight, 1e-4)[..., None])
        weights.append(weight)
    near = np.clip(4 * weights[0], 0, 1)[..., None]
    return np.asarray(means[1] + near * (means[0] - means[1]), np.float32)


def _lash_colour(image: Image, upper: Floats, lower: Floats) -> Floats:
    """``(3,)`` the darkest that a portrait shows along the edge of its upper lid."""
    first, last, count = ROOTS
    share = np.linspace(first, last, count, dtype=np.float32)
    height = np.abs(lower - upper).max(axis=0)
    places = upper[1:-1, None] + share[None, :, None] * np.array([0, height[1]], np.float32)
    seen: Any = sample(image, places.astype(np.float32)).astype(np.float32)
    darkest = seen.sum(axis=2).argmin(axis=1)
    return np.asarray(np.median(seen[np.arange(len(seen)), darkest], axis=0), np.float32)
