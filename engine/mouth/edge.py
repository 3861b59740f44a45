"""The edge between an avatar's lips and what is drawn behind them, in shares of a pixel."""

from __future__ import annotations

from math import hypot
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp

SOFT = (0.6, 0.07, 0.03)
"""Width of the soft edge: pixels at least, share of the gap, share of the mouth's width at most."""

EDGE = 0.85
"""Share of the driver's mouth on the very edge of the avatar's lips: what is behind it there is dark, and
half of it drew a dark line around teeth and tongues."""

APART = (0.5, 1.5)
"""Pixels between the lips up to which they meet, and from which on their edge is freed of the dark behind."""

RIM, KERNEL = 0.8, (5, 5)
"""Pixels over which a lip's colour is continued to the opening's edge (standard deviation; sides)."""

LEAST, WHOLE = 12, 0.999
"""Share of lip (255: all) around a pixel from which on its colour is known, and share from which on only
that is left of the pixel."""


def width_of(ring: Floats) -> float:
    """Distance of a mouth's corners on one of its edges ``(20, 2)``."""
    return hypot(*(ring[10] - ring[0]).tolist())


def gap_of(inner: Floats) -> float:
    """Distance of a mouth's inner edges ``(20, 2)`` at the middle."""
    return hypot(*(inner[5] - inner[15]).tolist())


def softened(opening: Image, inner: Floats) -> Floats:
    """``(rows, columns) float32`` in 0..1: 1 between the lips, 0 from their edges on, soft within them."""
    least, of_gap, most = SOFT
    soft = max(least, min(of_gap * gap_of(inner), most * width_of(inner)))
    shares: Any = opening.astype(np.float32)
    cover: Any = cv2.GaussianBlur(shares, (0, 0), soft)
    cover *= np.float32(2 / 255)
    cover -= np.float32(1 - EDGE)
    np.clip(cover, 0, 1, out=cover)
    # A pixel that the edge cuts belongs to the lip as far as that covers it.
    shares *= np.float32(1 / 255)
    cover *= shares
    return np.asarray(cover, np.float32)


def without_rim(part: Image, opening: Image, inner: Floats, share: float) -> Image:
    """The image with the nearest lip's colour in pixels that the opening's edge cuts, by ``share`` in 0..1.

    They show the dark behind the mouth at full strength: next to teeth and tongues that was a dotted outline.
    """
    lip = np.asarray(cv2.inRange(opening, 0, 0), np.uint8)
    near = cv2.GaussianBlur(lip, KERNEL, RIM)
    colour = cv2.GaussianBlur(cv2.bitwise_and(part, part, mask=lip), KERNEL, RIM)
    healed = np.asarray(cv2.divide(colour, cv2.cvtColor(near, cv2.COLOR_GRAY2RGB), scale=255), np.uint8)
    cut = cv2.bitwise_and(cv2.inRange(opening, 1, 254), cv2.inRange(near, LEAST + 1, 255))
    share *= ramp(gap_of(inner), APART)
    if share > WHOLE:
        return np.asarray(cv2.copyTo(healed, cut, part.copy()), np.uint8)
    weight = cut * np.float32(share / 255)
    return np.asarray(cv2.blendLinear(healed, part, weight, 1 - weight), np.uint8)
