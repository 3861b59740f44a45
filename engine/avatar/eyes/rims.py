"""Rims of glasses before an eye: they stay where they are while its lid goes down behind them.

A lid that shuts takes along what the portrait shows before it, and cleared skin covers it: in a blink the
upper rims of glasses were gone.  What lies before an eye is told from lashes, crease and folds by its length:
a line that is longer than the eye is wide, or goes around it, and on to the nose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.lids import CREASE
from mien.engine.landmarks import topology as topo
from mien.engine.types import Bools, Floats, Image
from mien.engine.utils.images import filled

AROUND = ((1.4, 1.1), (1.4, 1.2))
"""How far from an eye's middle lines are looked for, to the left and upwards, and to the right and downwards;
widths of the eye."""

WIDEST, DIFFER, DARK = 0.16, 0.12, 16.0
"""Widest line, widths of an eye; by how much it differs from what is beside it, logarithm of light, with so
many grey levels added before."""

SMOOTH = 0.018
"""Standard deviation of the blur before, widths of an eye: a print's dots were lines."""

LONG, AROUND_IT = 1.05, (0.4, 0.7)
"""How long a line along the eye is, and how long and how high one that goes around it, widths of the eye."""

NOSE, GOES_AROUND = (0.25, 0.4), 0.9
"""How far beyond an eye's inner corner, and how far above and below it at most, the bridge of glasses is; and
how long one is that goes around the eye, widths of the eye.  Creases and brows end before."""

FINE = 48.0
"""Width of an eye, pixels, to which larger ones are reduced for it: 3 ms an eye at most."""

DENSE = 0.3
"""Share of what is looked at from which on lines are a texture: engravings, dots of a print."""

BESIDE = 0.12
"""Widths of an eye around its opening within which lines are lashes."""

WIDER, SOFT = 0.05, 0.025
"""By how much more than its line a rim is kept on either side, and standard deviation of its edge, widths of
an eye."""

FILL = 0.12
"""Standard deviation of the blur that continues skin behind a rim, widths of an eye."""

BROWS = tuple(
    (*upper, *lower[::-1])
    for upper, lower in (
        (topo.RIGHT_EYEBROW_UPPER, topo.RIGHT_EYEBROW_LOWER),
        (topo.LEFT_EYEBROW_UPPER, topo.LEFT_EYEBROW_LOWER),
    )
)

RINGS = (
    (226, 31, 228, 229, 230, 231, 232, 233, 244, *CREASE[0][1]),
    (446, 261, 448, 449, 450, 451, 452, 453, 464, *CREASE[1][1]),
)
"""Landmarks around each eye that do not go along with its lids: right eye, left eye."""


@dataclass(frozen=True, slots=True)
class Rims:
    """What lies before one eye of a portrait.

    Attributes:
        colours: ``(h, w, 4) uint8`` the portrait's, RGB, and how far something is before the eye.
        corner: ``(x, y)`` of its first pixel in the portrait.
        fit: ``(3, 16)`` the affine by which the eye's surroundings go, from where they are.
    """

    colours: Image
    corner: tuple[int, int]
    fit: Floats

    @staticmethod
    def of(image: Image, points: Floats, eye: int) -> Rims | None:
        """Of a portrait; None where nothing lies before the eye.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            points: ``(478, 2)`` landmarks, its pixel indices.
            eye: 0 the right, 1 the left one.
        """
        ends = points[[EYES[eye][0][0], EYES[eye][0][-1]]].astype(np.float32)
        width = float(np.hypot(*(ends[1] - ends[0])))
        (left, above), (right, below) = AROUND
        middle = ends.mean(axis=0)
        low = np.maximum(middle - np.array([left, above]) * width, 0).astype(int)
        high = np.minimum(middle + np.array([right, below]) * width, image.shape[1::-1]).astype(int)
        part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
        if min(part.shape[:2]) < 8:
            return None
        scale = min(1.0, FINE / width)
        found = _before(part, points - low, eye, scale)
        if not found.any():
            return None
        side = 2 * max(1, round(WIDER * width * scale)) + 1
        wider: Any = cv2.dilate(255 * found.astype(np.uint8), np.ones((side, side), np.uint8))
        soft = cv2.GaussianBlur(wider, (0, 0), max(0.5, SOFT * width * scale))
        soft = cv2.resize(soft, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        ring = np.column_stack([points[list(RINGS[eye])] - low, np.ones(len(RINGS[eye]))])
        fit = np.linalg.pinv(ring).astype(np.float32)
        return Rims(np.dstack([part, soft]), (int(low[0]), int(low[1])), fit)

    def cleared(self, image: Image, corner: NDArray[np.intp], width: float) -> Image:
        """A part of the portrait from ``corner`` on, with skin in place of what lies before the eye."""
        x, y = self.corner - corner
        own = np.array([[1, 0, x], [0, 1, y]], np.float32)
        cover = cv2.warpAffine(cv2.extractChannel(self.colours, 3), own, image.shape[1::-1])
        seen = np.float32(1) - np.minimum(cover.astype(np.float32) * np.float32(2 / 255), 1)
        sigma = max(1.0, FILL * width)
        weight = cv2.GaussianBlur(seen, (0, 0), sigma)
        mean = cv2.GaussianBlur(image * seen[..., None], (0, 0), sigma)
        skin = mean / np.maximum(weight, np.float32(1e-3))[..., None]
        share = (np.float32(1) - seen)[..., None] * np.clip(20 * weight, 0, 1)[..., None]
        return np.asarray(image + share * (skin - image) + np.float32(0.5), np.uint8)

    def draw(self, image: Image, ring: Floats, share: Floats) -> Image:
        """An eye's shut lid ``(h, w, 3) uint8`` with what lies before it.

        Args:
            image: the lid and what is around it.
            ring: ``(16, 2)`` where :data:`RINGS` are in it.
            share: ``(h, w) float32`` how far the lid is drawn, 0..1.
        """
        there = np.asarray((self.fit @ ring).T, np.float64)
        seen = cv2.warpAffine(self.colours, there, image.shape[1::-1], flags=cv2.INTER_LINEAR)
        weight: Any = cv2.multiply(cv2.extractChannel(seen, 3), share, scale=1 / 255, dtype=cv2.CV_32F)
        colours: Any = cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB)
        return np.asarray(cv2.blendLinear(colours, image, weight, np.float32(1) - weight), np.uint8)


def _lines(part: Image, width: float) -> Bools:
    """``(h, w)`` where there are lines, dark or bright."""
    side = max(3, round(WIDEST * width)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    light = np.log(part.astype(np.float32) + np.float32(DARK))
    light = cv2.GaussianBlur(light, (0, 0), max(0.5, SMOOTH * width))
    dark, bright = (
        cv2.morphologyEx(light, how, kernel).mean(axis=2) for how in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    return np.asarray(np.maximum(dark, bright) > DIFFER, np.bool_)


def _own(points: Floats, eye: int, shape: tuple[int, ...], width: float) -> Bools:
    """``(h, w)`` the eye itself, its lashes and its brow."""
    upper, lower, brow = (points[list(row)].astype(np.float32) for row in (*EYES[eye][:2], BROWS[eye]))
    side = 2 * max(1, round(BESIDE * width)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    opening = cv2.dilate(filled(np.concatenate([upper, lower[::-1]]), shape), kernel)
    return np.asarray((opening > 0) | (filled(brow, shape) > 0), np.bool_)


def _before(part: Image, points: Floats, eye: int, scale: float) -> Bools:
    """Where something lies before an eye, in a part of a portrait that is reduced to ``scale``.

    Args:
        part: ``(h, w, 3) uint8`` RGB.
        points: ``(478, 2)`` landmarks, its pixel indices.
    """
    size = round(part.shape[1] * scale), round(part.shape[0] * scale)
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    points = (points + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
    ends = points[[EYES[eye][0][0], EYES[eye][0][-1]]].astype(np.float32)
    width = float(np.hypot(*(ends[1] - ends[0])))
    lines = _lines(small, width) & ~_own(points, eye, small.shape, width)
    if lines.mean() > DENSE:
        return np.zeros(lines.shape, np.bool_)
    return _long(lines, ends, eye, width)


def _long(lines: Bools, ends: Floats, eye: int, width: float) -> Bools:
    """Lines that are longer than what belongs to an eye, where one of them goes on to the nose or around it.

    Args:
        lines: ``(h, w)`` where there are some.
        ends: ``(2, 2)`` the eye's left and right corner, pixels.
    """
    joined = cv2.morphologyEx(lines.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((2, 2), np.uint8))
    count, labels = cv2.connectedComponents(joined)
    across = (ends[1] - ends[0]) / np.float32(width * width)
    y, x = np.nonzero(labels)
    x_to, y_to = x - ends[0, 0], y - ends[0, 1]
    along, down = x_to * across[0] + y_to * across[1], y_to * across[0] - x_to * across[1]
    to_nose = along - 1 if eye == 0 else -along
    label, kept, glasses = labels[y, x], np.zeros(count, np.bool_), False
    for one in range(1, count):
        own = label == one
        length, height = np.ptp(along[own]), np.ptp(down[own])
        around = length > AROUND_IT[0] and height > AROUND_IT[1]
        kept[one] = length > LONG or around
        on_nose = bool((own & (to_nose > NOSE[0]) & (np.abs(down) < NOSE[1])).any())
        glasses |= bool(kept[one]) and (on_nose or bool(length > GOES_AROUND and around))
    return np.asarray(kept[labels] & glasses, np.bool_)
