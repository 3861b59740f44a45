"""The darkest that a portrait shows: the inside of its mouth is no darker.

Faded prints, paintings without black, fog: a black mouth in a picture whose own shadows end at 50 grey
levels is a hole in the paper.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats, Image
from mien.engine.utils.light import GREY

AROUND = 0.3
"""How far around the face is looked, as a share of its box: hair and collars are where pictures are dark."""

DARKEST = 0.005
"""Share of the pixels there that may be darker: dust and the dark rims of JPEG's blocks."""

MOST = 0.4
"""The same as a share of the face's own light, at most: a pale head before a wall shows no shadow at all, and
a mouth has one.  Of 51 portraits three come to more, all of them drawings or softly lit."""

SIDE = 200
"""Pixels a side that are looked at."""


def darkest(image: Image, landmarks: Floats) -> Floats:
    """Colour of a portrait's darkest pixels around its face, ``(3,) float32`` RGB in 0..255.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        landmarks: ``(468+, 2)`` pixels.
    """
    low, high = landmarks[:468, :2].min(axis=0), landmarks[:468, :2].max(axis=0)
    margin = AROUND * (high - low)
    seen = _thinned(image, low - margin, high + margin)
    grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)
    face = cv2.cvtColor(_thinned(image, low, high), cv2.COLOR_RGB2GRAY)
    level = float(np.quantile(grey, DARKEST))
    colour: Any = seen[grey <= level].astype(np.float32).mean(axis=0)
    most = MOST * float(np.median(face))
    return np.asarray(colour * min(1.0, most / max(level, 1.0)), np.float32)


def _thinned(image: Image, low: Floats, high: Floats) -> Image:
    """Every so-manyth pixel of a box, cut to the image; at least one of each way."""
    height, width = image.shape[:2]
    left, right = np.clip([int(low[0]), int(np.ceil(high[0]))], 0, width)
    top, bottom = np.clip([int(low[1]), int(np.ceil(high[1]))], 0, height)
    part = image[min(top, height - 1) : max(bottom, top + 1), min(left, width - 1) : max(right, left + 1)]
    step = max(1, max(part.shape[:2]) // SIDE)
    return np.ascontiguousarray(part[::step, ::step, :3])


def raised(colour: Floats, black: Floats) -> Floats:
    """A colour ``(3,)`` in 0..255 made as light as ``black`` where it is darker, as by :func:`lifted`."""
    missing = 1 - float(colour @ GREY) / max(float(black @ GREY), 1e-3)
    return np.asarray(colour + max(missing, 0.0) * black, np.float32)


def lifted(colours: Image, black: Floats) -> Image:
    """Colours ``(..., 3) uint8`` made as light as ``black`` where they are darker; they keep their hue."""
    level = float(black @ GREY)
    if level < 1:
        return colours
    rows: Any = colours.reshape(-1, colours.shape[-2], 3)
    missing = np.maximum(1 - np.arange(256, dtype=np.float32) / np.float32(level), 0)
    added = np.rint(missing[:, None] * black).astype(np.uint8)
    grey: Any = cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY)
    lift = cv2.LUT(cv2.merge([grey] * 3), added[None])
    return np.asarray(cv2.add(rows, lift), np.uint8).reshape(colours.shape)
