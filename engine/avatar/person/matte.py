"""The person of a portrait cut out: opacity to the hair's edge, and colours free of the old background.

The outline of :mod:`mien.engine.avatar.person.layers` is as sharp as its network's 256 x 256 pixels, which
does for a background that stays what it was.  Before another one every error shows, so here

1. the outline of the whole portrait is found, shoulders included, and only what hangs together with the face
   is kept;
2. along the outline, the colours on both sides tell how much of each pixel is the person's
   (:mod:`mien.engine.avatar.person.matte_edge`);
3. small holes are filled, and what does not hang together with the face is left out, level by level of
   opacity;
4. the person's colours are estimated from local means of both (blur-fusion, Forte 2021, arXiv:2102.09828):
   what is half transparent has no rim of the old background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.person.connected import levels_with_the_face, with_the_face
from mien.engine.avatar.person.layers import Layers, filled_behind, fitted, without_holes
from mien.engine.avatar.person.looks import Look, face_in, surest_look
from mien.engine.avatar.person.matte_edge import disc, reach_in, refined
from mien.engine.avatar.person.segmentation import ROOM, person_in
from mien.engine.types import Floats, Image
from mien.engine.utils.images import WHITE

SEAM = 0.12
"""Width over which the outline around the face passes into the whole portrait's, in sides of its square."""

EVEN = 0.4
"""Smoothing of the outline, in reaches: the network's pixels are not the person's shape."""

FIRM = (0.3, 0.7)
"""Values of the outline that count as none and all: how soft an edge is, the colours tell."""

CERTAIN = (0.75, 0.95)
"""The same for an outline that is vague in places: only what the network is certain of counts."""

FACE_CERTAIN = 0.97
"""Share of the face that it must be certain of, for it to know anything of the portrait."""

HOLE = 1 / 12
"""Side of the largest hole that is filled, in sides of the crop."""

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
    def of(
        image: Image, crop: Square, points: Floats, *, vague: bool = False, look: Look | None = None
    ) -> Matte:
        """Cut the person out of ``image`` (0.3 s at 512 x 512).

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            crop: the avatar's.
            points: ``(468+, 2)`` the face's landmarks, pixels.
            vague: whether only what the network is certain of is the person.
            look: what it said of the portrait, if it was asked before.
        """
        found = _outline(image, look or surest_look(image, crop, points))
        outline = without_holes(fitted(_firm(found, CERTAIN) if vague else found, image, crop), points)
        opacity = _whole(refined(image, _of_the_face(outline, crop, points), crop), points, crop)
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
    look, vague = surest_look(image, crop, points), layers is None
    if vague and not _face_is_certain(look.person, points):
        return None
    return Matte.of(image, crop, points, vague=vague, look=look)


def _face_is_certain(person: Floats, points: Floats) -> bool:
    """Whether the network is certain of the face, whatever it thinks of what is around."""
    return bool((person[face_in(points, person.shape) > 0] > CERTAIN[1]).mean() > FACE_CERTAIN)


def _firm(outline: Floats, ends: tuple[float, float]) -> Floats:
    low, high = ends
    return np.asarray(np.clip((outline - low) / (high - low), 0.0, 1.0), np.float32)


def _outline(image: Image, look: Look) -> Floats:
    """The network's outline around the face, continued by that of the whole portrait."""
    inner, square = look.person, look.square
    height, width = image.shape[:2]
    across, down = _within(square.x, square.side, width), _within(square.y, square.side, height)
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
    """What hangs together with the face, with a sharp edge."""
    smooth = np.asarray(cv2.GaussianBlur(outline, (0, 0), EVEN * reach_in(crop)), np.float32)
    mine = cv2.dilate(with_the_face(smooth > 0.5, points), disc(2))
    return np.asarray(mine * _firm(smooth, FIRM), np.float32)


def _whole(opacity: Floats, points: Floats, crop: Square) -> Floats:
    """Without specks and small holes: at every level what hangs together with the face, its gaps closed.

    Morphological reconstruction (Vincent 1993), with a bound on the size of what is filled.
    """
    small = (HOLE * crop.side) ** 2
    kept, filled = np.zeros_like(opacity), np.zeros_like(opacity)
    for level, mine in levels_with_the_face(opacity, points):
        kept[mine > 0] = level
        _, gaps, stats, _ = cv2.connectedComponentsWithStats(1 - mine, connectivity=4)
        hole = stats[:, cv2.CC_STAT_AREA] < small
        hole[0] = False  # the person
        filled[hole[gaps]] = level
    return np.maximum(np.minimum(opacity, kept), filled)


def _own_colours(image: Image, opacity: Floats, background: Image, crop: Square) -> Image:
    """The person's colours times the opacity."""
    reach = 2 * max(2, round(WINDOW * crop.side)) + 1
    colours, weight, share = image.astype(np.float32), np.square(opacity), opacity[..., None]
    local: Any = cv2.blur(colours * weight[..., None], (reach, reach))
    local /= np.maximum(cv2.blur(weight, (reach, reach)), 1e-4)[..., None]
    own = local + share * (colours - share * local - (1 - share) * background)
    return np.asarray(share * np.clip(own, 0, 255) + 0.5, np.uint8)
