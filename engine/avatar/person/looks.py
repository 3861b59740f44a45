"""The surest of several looks that the segmentation network takes at a portrait.

It was trained on colour images of people before a phone.  Of grey close-ups it is often unsure, or sees
nobody; warm as skin and with all of its contrast the same face is seen.  Some are told best by a square that
is no larger than the crop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.person.segmentation import ROOM, looked_at, person_in
from mien.engine.face.layout import N_MESH
from mien.engine.types import Floats, Image

UNSURE, MOST_UNSURE = (0.15, 0.85), 0.2
"""Where the network's answer lies between the first two it does not know; where it does so on more than this
share of the crop, it knows nothing of this portrait."""

AT_ONCE = 0.12
"""The same share up to which one look is enough."""

FACE, LEAST = 0.95, 0.08
"""Shares of the face that the person fills at least, and of the crop."""

WARMTH = np.array([[1.12, 14], [0.97, 4], [0.82, 0]], np.float32)
"""Factor and addition, for red, green and blue, by which grey becomes as warm as skin."""

FULL, EMPTIER, SURER = 0.85, 0.1, 0.75
"""Share of the crop from which on it may be a painted wall that is taken for hair; by how much less of it a
look without brush strokes must see; and how much of the first look's doubt it may have.  Of 87 photographs
that a person fills none is seen so: without its detail a photograph is harder to tell."""

STROKE, SHADE, FLAT_SIDE = 8, 30, 256
"""Reach of the filter that takes strokes away, in pixels of an image of this longer side, and grey levels by
which colours differ that it keeps apart."""

DARKEST, LIGHTEST = 0.01, 0.99
"""Shares of the pixels that become black and white."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the network says of a portrait.

    Attributes:
        person: ``(H, W) float32`` in 0..1, how far each pixel is the person's; 0 beyond ``square``.
        square: what was looked at.
        share: of the crop that is the person's.
        unsure: share of the crop of which it does not know.
        face: share of the face that is the person's.
    """

    person: Floats
    square: Square
    share: float
    unsure: float
    face: float

    @property
    def sure(self) -> bool:
        """Whether it tells the person from what is around."""
        return self.unsure <= MOST_UNSURE and self.share > LEAST and self.face >= FACE

    @staticmethod
    def of(image: Image, crop: Square, points: Floats, room: float, *, warm: bool) -> Look:
        """One look; arguments as :func:`surest_look` and :func:`person_in`, ``warm`` as :func:`as_warm`."""
        person = person_in(as_warm(image) if warm else image, crop, room)
        height, width = image.shape[:2]
        top, left = max(0, int(crop.y)), max(0, int(crop.x))
        rows = slice(top, min(height, int(crop.y + crop.side)))
        seen = person[rows, left : min(width, int(crop.x + crop.side))]
        unsure = (seen > UNSURE[0]) & (seen < UNSURE[1])
        face = face_in(points, (height, width))
        square = looked_at(crop, (height, width), room)
        return Look(person, square, float(seen.mean()), float(unsure.mean()), cv2.mean(person, face)[0])


def surest_look(image: Image, crop: Square, points: Floats) -> Look:
    """What the network says of a portrait: at once if it is sure, else the surest of four looks.

    A wall of brush strokes is taken for hair, with full confidence: where the person fills the crop, a look
    at flat areas of colour may know better.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        crop: the avatar's.
        points: ``(468+, 2)`` the face's landmarks, pixels.
    """
    looks = _looks(image, crop, points)
    first = next(looks)
    if first.sure and first.share > FULL:
        flat = Look.of(without_strokes(image), crop, points, ROOM, warm=False)
        if flat.sure and flat.unsure < SURER * first.unsure and flat.share < first.share - EMPTIER:
            return flat
    if first.sure and first.unsure <= AT_ONCE:
        return first
    sure = [look for look in (first, *looks) if look.sure]
    return min(sure, key=lambda look: look.unsure, default=first)


def face_in(points: Floats, size: tuple[int, ...]) -> Image:
    """``(H, W) uint8`` 1 within the outline of a face's landmarks ``(468+, 2)``, 0 beside it."""
    hull = cv2.convexHull(np.round(points[:N_MESH]).astype(np.int32))
    return np.asarray(cv2.fillConvexPoly(np.zeros(size, np.uint8), hull, 1), np.uint8)


def without_strokes(image: Image) -> Image:
    """``image`` as flat areas of colour (mean shift, Comaniciu and Meer 2002)."""
    height, width = image.shape[:2]
    scale = min(1.0, FLAT_SIDE / max(height, width))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    flat = cv2.pyrMeanShiftFiltering(cv2.resize(image, size, interpolation=cv2.INTER_AREA), STROKE, SHADE)
    return np.asarray(cv2.resize(flat, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def as_warm(image: Image) -> Image:
    """``image`` with all of its contrast, as warm as skin."""
    low, high = (float(level) for level in np.quantile(image, (DARKEST, LIGHTEST)))
    levels = np.arange(256, dtype=np.float32)
    spread = np.clip((levels - low) * np.float32(235 / max(high - low, 1)) + 10, 0, 255)
    table = np.clip(spread[:, None] * WARMTH[:, 0] + WARMTH[:, 1], 0, 255)
    return np.asarray(cv2.LUT(image, table[None].astype(np.uint8)), np.uint8)


def _looks(image: Image, crop: Square, points: Floats) -> Iterator[Look]:
    for room in (ROOM, 1.0):
        for warm in (False, True):
            yield Look.of(image, crop, points, room, warm=warm)
