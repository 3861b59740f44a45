"""The darkest that the inside of a portrait's mouth is: as mouths are, and no darker than its shadows.

Light comes into a mouth from all around, and its flesh is red: a black hole in a bright face looks cut out.
Faded prints, paintings without black, fog: a black mouth in a picture whose own shadows end at 50 grey
levels is a hole in the paper.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from mien.engine.mouth.colours import deep_hue, flesh_hue
from mien.engine.mouth.edge import gap_of
from mien.engine.types import Floats, Image
from mien.engine.utils.light import GREY, LUMINANCE, to_srgb

AROUND = 0.3
"""How far around the face is looked, as a share of its box: hair and collars are where pictures are dark."""

DARKEST = 0.005
"""Share of the pixels there that may be darker: dust and the dark rims of JPEG's blocks."""

MOST = 0.4
"""The same as a share of the face's own light, at most: a pale head before a wall shows no shadow at all, and
a mouth has one.  Of 51 portraits three come to more, all of them drawings or softly lit."""

INSIDE, BESIDE = 0.05, 0.22
"""Light of the darkest inside of a mouth, and of what lies in it on the lower lip, over that of the skin
around it.  Of 252 stills whose lips are apart by a quarter of the mouth's width the darkest tenth of the
inside has 0.067 (median; quartiles 0.026 and 0.15), whatever the contrast of the face; on the lower lip the
darkest quarter has 0.50 (0.33 and 0.69), a quarter of the gap above it 0.31 (0.09 and 0.58)."""

RISES = 0.6
"""Share of the gap over which the one becomes the other: within a quarter, a dark mouth was a flat disc."""

DEEP = 0.8
"""What of a black is left where nothing of the driver's mouth is lit; what is lighter by more than half stays
as it is, and what lies between stays apart.  Clipped, a tongue in the shadow was one with it, a plate."""

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


def hollow(image: Image, landmarks: Floats, skin: Floats, lips: Floats) -> Floats:
    """Colour that nothing in a portrait's mouth is darker than, ``(3,) float32`` RGB in 0..255.

    Args:
        image, landmarks: as for :func:`darkest`.
        skin, lips: ``(3,)`` of the portrait, linear light.
    """
    inside = np.float32(INSIDE * float(skin @ LUMINANCE)) * deep_hue(skin, lips)
    return raised(to_srgb(inside), darkest(image, landmarks))


def lit_rim(skin: Floats, lips: Floats, black: Floats) -> Floats:
    """The same next to the lower lip; ``black`` is the colour of :func:`hollow`."""
    beside = np.float32(min(BESIDE * float(skin @ LUMINANCE), float(lips @ LUMINANCE)))
    return raised(to_srgb(beside * flesh_hue(skin, lips)), black)


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
    if float(black @ GREY) < 1:
        return colours
    rows: Any = colours.reshape(-1, colours.shape[-2], 3)
    lift: Any = cv2.LUT(_grey(rows), _missing(black))
    return np.asarray(cv2.add(rows, lift), np.uint8).reshape(colours.shape)


def lit_from_below(
    mouth: Image, inner: Floats, box: tuple[slice, slice], black: Floats, rim: Floats
) -> Image:
    """A mouth no darker than ``black``, and next to the lower lip than ``rim``.

    Args:
        mouth: ``(rows, columns, 3) uint8`` RGB.
        inner: ``(20, 2)`` the lips' inner edges, pixel indices of an image whose ``box`` it is.
    """
    away = np.full(mouth.shape[:2], 255, np.uint8)
    corner = np.array([box[1].start, box[0].start], np.float32)
    edge = np.round((inner[11:] - corner) * 16).astype(np.int32)
    cv2.polylines(away, [edge], False, 0, shift=4)
    share: Any = cv2.distanceTransform(away, cv2.DIST_L2, 3)
    share *= np.float32(-1 / max(RISES * gap_of(inner), 1.0))
    share += 1
    np.maximum(share, 0, out=share)
    share *= share
    grey = _grey(mouth)
    near, deep = (np.asarray(cv2.LUT(grey, _missing(colour, True)), np.uint8) for colour in (rim, black))
    return np.asarray(cv2.add(mouth, cv2.blendLinear(near, deep, share, 1 - share)), np.uint8)


def _grey(colours: Image) -> Image:
    """Grey values of ``(rows, columns, 3) uint8`` RGB, three times."""
    return np.asarray(cv2.merge([cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)] * 3), np.uint8)


def _missing(black: Floats, soft: bool = False) -> Image:
    """``(1, 256, 3) uint8`` what each grey value lacks of ``black``.

    Args:
        soft: whether what is darker stays darker; see :data:`DEEP`.
    """
    return _lacking(black.astype(np.float32).tobytes(), soft)


@lru_cache(maxsize=16)
def _lacking(colour: bytes, soft: bool) -> Image:
    """The same by the colour's bytes: a portrait's blacks stay what they are, and every frame asks."""
    black = np.frombuffer(colour, np.float32)
    level = max(float(black @ GREY), 1e-3)
    light = np.arange(256, dtype=np.float32) / np.float32(level)
    # Softly: a parabola that runs into what stays as it is.
    missing = DEEP * np.square(np.maximum(1 - light / (2 * DEEP), 0)) if soft else np.maximum(1 - light, 0)
    return np.asarray(np.rint(missing[:, None] * black)[None], np.uint8)
