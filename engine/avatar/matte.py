"""The person of a portrait cut out: opacity to the hair's edge, and colours free of the old background.

The outline of :mod:`mien.engine.avatar.layers` is as sharp as its network's 256 x 256 pixels, which does for
a background that stays what it was.  Before another one every error shows, so here

1. the outline of the whole portrait is found, shoulders included, and only what hangs together with the face
   is kept;
2. along the outline each pixel is placed between the colours of person and background nearby (the projection
   of colour sampling mattes), as far as the two differ and the pixel lies between them;
3. the person's colours are estimated from local means of both (blur-fusion, Forte 2021, arXiv:2102.09828):
   what is half transparent has no rim of the old background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.layers import Layers, filled_behind, fitted, without_holes
from mien.engine.avatar.segmentation import ROOM, person_in
from mien.engine.types import Floats, Image
from mien.engine.utils.images import WHITE

SEAM = 0.12
"""Width over which the outline around the face passes into the whole portrait's, in sides of its square."""

NEAR = 1 / 50
"""How far from the firm outline anything still is the person, in sides of the crop."""

FIRM = (0.12, 0.92)
"""Opacities that count as none and all."""

SURE, NONE = 0.9, 0.1
"""Opacities from which on, and up to which, a pixel's colour is the person's or the background's alone."""

APART, BETWEEN = 60.0, 45.0
"""Grey levels per channel by which the two colours must differ, and by which a pixel may lie beside them."""

TRUST = 0.8
"""Share of the colours' answer at most; the outline keeps the rest."""

LESS, MORE = 0.45, 0.35
"""How far the colours may take away from the outline's opacity, and add to it."""

MUCH = (80.0, 140.0)
"""Grey levels per channel from which on colours differ much, and decide alone."""

WINDOW = 1 / 60
"""Reach of the local colours, in sides of the crop."""


@dataclass(frozen=True, slots=True)
class Matte:
    """A person cut out.

    Attributes:
        opacity: ``(H, W) float32`` in 0..1.
        colours: ``(H, W, 3) uint8`` RGB, the person's own times the opacity.
        background: ``(H, W, 3) uint8`` RGB, what the portrait shows behind them, filled in.
    """

    opacity: Floats
    colours: Image
    background: Image

    @staticmethod
    def of(image: Image, crop: Square, points: Floats) -> Matte:
        """Cut the person out of ``image`` (0.2 s at 512 x 512).

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            crop: the avatar's.
            points: ``(468+, 2)`` the face's landmarks, pixels.
        """
        outline = without_holes(fitted(_outline(image, crop), image, crop), points)
        opacity = _refined(image, _of_the_face(outline, crop, points), crop)
        background = filled_behind(image, opacity, crop)
        return Matte(opacity, _own_colours(image, opacity, background, crop), background)

    @staticmethod
    def given(image: Image, opacity: Floats) -> Matte:
        """From a portrait's own transparency; ``image`` is it over white, ``opacity`` ``(H, W)`` in 0..1."""
        white = np.full_like(image, WHITE)
        hidden = np.asarray(WHITE * (1 - opacity[..., None]), np.float32)
        return Matte(opacity, np.asarray(np.clip(image - hidden + 0.5, 0, 255), np.uint8), white)

    def over(self, background: Image) -> Image:
        """``(H, W, 3) uint8`` the person before a background of the same size."""
        return over(self.colours, self.opacity, background)


def over(colours: Image, opacity: Floats, background: Image) -> Image:
    """Colours that are multiplied by their opacity, before a background."""
    mixed = colours + (1 - opacity[..., None]) * background
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def matte_of(
    image: Image, crop: Square, points: Floats, layers: Layers | None, opacity: Floats | None
) -> Matte | None:
    """The portrait's own transparency, else the person found; None where nobody can be told apart."""
    if opacity is not None:
        return Matte.given(image, opacity)
    return None if layers is None else Matte.of(image, crop, points)


def _outline(image: Image, crop: Square) -> Floats:
    """The network's outline around the face, continued by that of the whole portrait."""
    inner = person_in(image, crop)
    height, width = image.shape[:2]
    side = ROOM * crop.side
    left, top = crop.x - 0.5 * (side - crop.side), crop.y - 0.5 * (side - crop.side)
    across, down = _within(left, side, width), _within(top, side, height)
    share = np.minimum(across[None], down[:, None])
    if share.min() >= 1:
        return inner
    whole = max(height, width) / ROOM
    outer = person_in(image, Square(0.5 * (width - whole), 0.5 * (height - whole), whole))
    return np.asarray(share * inner + (1 - share) * outer, np.float32)


def _within(start: float, side: float, size: int) -> Floats:
    """``(size,)`` 1 within a span, falling to 0 at those of its ends that are inside the image."""
    at = np.arange(size, dtype=np.float32) + 0.5
    ends = np.full((2, size), np.inf, np.float32)
    if start > 0:
        ends[0] = at - start
    if start + side < size:
        ends[1] = start + side - at
    return np.asarray(np.clip(ends.min(axis=0) / np.float32(SEAM * side), 0.0, 1.0), np.float32)


def _of_the_face(outline: Floats, crop: Square, points: Floats) -> Floats:
    """What hangs together with the face, and its soft edge."""
    height, width = outline.shape
    _, parts = cv2.connectedComponents((outline > 0.5).astype(np.uint8))
    column, row = np.clip(points[1].astype(int), 0, (width - 1, height - 1))
    reach = max(2, round(NEAR * crop.side))
    near = cv2.dilate((parts == parts[row, column]).astype(np.uint8), _disc(reach))
    kept = outline * cv2.blur(near.astype(np.float32), (reach, reach))
    low, high = FIRM
    return np.asarray(np.clip((kept - low) / (high - low), 0.0, 1.0), np.float32)


def _disc(reach: int) -> Any:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))


def _refined(image: Image, person: Floats, crop: Square) -> Floats:
    """Opacity along the outline from the colours on both of its sides."""
    reach = max(2, round(NEAR * crop.side))
    found = _placed(image, person, reach)
    if found is None:
        return person
    share, apart, fits = found
    trust = TRUST * fits * apart**2 / (apart**2 + APART**2)
    opacity = person + trust * (np.clip(share, person - LESS, person + MORE) - person)
    again = _placed(image, opacity, 2 * reach)
    if again is None:
        return np.asarray(opacity, np.float32)
    share, apart, fits = again
    # An outline may lie beside the person's; where the colours differ much, they know better.
    much = np.clip((apart - MUCH[0]) / (MUCH[1] - MUCH[0]), 0, 1)
    return np.asarray(opacity + much * fits * (share - opacity), np.float32)


def _placed(image: Image, opacity: Floats, reach: int) -> tuple[Floats, Floats, Floats] | None:
    """Where each pixel's colour lies between the background's (0) and the person's (1) nearby.

    Returns:
        that share, the grey levels per channel between the two, and in 0..1 how well the pixel lies between
        them (0 beside the outline); None where there is no outline.
    """
    sure = cv2.erode((opacity > SURE).astype(np.uint8), _disc(reach))
    none = cv2.erode((opacity <= NONE).astype(np.uint8), _disc(reach))
    band = (sure == 0) & (none == 0)
    if not sure.any() or not none.any() or not band.any():
        return None
    colours = image.astype(np.float32)
    behind = _nearby(colours, none, 2 * reach)
    across = _nearby(colours, sure, 2 * reach) - behind
    length = np.square(across).sum(axis=2)
    share = np.clip(((colours - behind) * across).sum(axis=2) / np.maximum(length, 1), 0, 1)
    beside = np.square(colours - behind - share[..., None] * across).sum(axis=2)
    fits = band * np.exp(-beside / (2 * BETWEEN**2))
    return share, np.sqrt(length / 3), np.asarray(fits, np.float32)


def _nearby(colours: Any, known: Any, reach: int) -> Any:
    """The mean colour of what is ``known`` nearby; further away where there is nothing near."""
    shares = known.astype(np.float32)
    weighted = colours * shares[..., None]
    total, weight = np.zeros_like(weighted), np.zeros_like(shares)
    for step, wide in enumerate((1, 3, 9)):
        window = (2 * wide * reach + 1, 2 * wide * reach + 1)
        total += np.float32(1e-3**step) * cv2.blur(weighted, window)
        weight += np.float32(1e-3**step) * cv2.blur(shares, window)
    return total / np.maximum(weight, 1e-9)[..., None]


def _own_colours(image: Image, opacity: Floats, background: Image, crop: Square) -> Image:
    """The person's colours times the opacity."""
    reach = 2 * max(2, round(WINDOW * crop.side)) + 1
    colours, weight, share = image.astype(np.float32), np.square(opacity), opacity[..., None]
    local: Any = cv2.blur(colours * weight[..., None], (reach, reach))
    local /= np.maximum(cv2.blur(weight, (reach, reach)), 1e-4)[..., None]
    own = local + share * (colours - share * local - (1 - share) * background)
    return np.asarray(share * np.clip(own, 0, 255) + 0.5, np.uint8)
