"""Person and background of a portrait as two layers.

The background is filled in once behind the person, from what is around; then it stands still, whatever the
head does.  Where no person can be told from the background (drawings without an outline), there is one layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.person.connected import of_the_face
from mien.engine.avatar.person.fill_texture import fine_structure, gone_on, strength_of
from mien.engine.avatar.person.looks import Look, surest_look
from mien.engine.avatar.person.matte_edge import refined
from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.types import Bools, Floats, Image

MOST = 0.97
"""Share of the crop that a person fills at most."""

RADIUS, SMOOTHNESS = 1 / 80, 12.0
"""Of the guided filter that fits the outline to the portrait's own edges: its window in sides of the crop,
and grey levels up to which a change is none."""

FIRM = (0.08, 0.92)
"""Values of the filtered outline that count as none and all of the person."""

GRAIN, WHOLE = 1 / 250, (0.25, 0.85)
"""Standard deviation, in sides of the crop, of the blur that evens an outline which colours refined, and
values that count as none and all of the person then."""

EDGE = 1 / 30
"""Width of an outline's soft edge, in sides of the crop."""

BEYOND, HALO = 1 / 90, 1 / 40
"""How far around the person the background is filled in too, in sides of the crop: hair that the outline
misses must not stay behind; and how far where it is nearly plain: there a sharpened photograph has a halo,
which stayed on the wall as the ghost of a head that moved."""

PLAIN = 16.0
"""Grey levels by which a nearly plain background differs at most from the mean of what is around."""


CUT_OFF, MIDDLE = 0.25, 0.1
"""Heights of a face within which of the top border its head is cut off by it; and how far from the face's
sides, in its widths, it is sure to be head that the border cuts."""


BARE, FEW = 1.0, 200
"""Grey levels of structure up to which a background has none, and pixels of a crop's side that tell."""


@dataclass(frozen=True, slots=True)
class Layers:
    """A portrait taken apart.

    Attributes:
        person: ``(H, W) float32`` in 0..1: how far each pixel is the person's.
        background: ``(H, W, 3) uint8`` RGB, filled in where the person is.
    """

    person: Floats
    background: Image

    @staticmethod
    def of(image: Image, crop: Square, points: Floats, look: Look | None = None) -> Layers | None:
        """The layers of a portrait (0.1 s at 512 x 512); None where they cannot be told apart.

        ``points`` ``(468+, 2)`` are the face's landmarks, pixels: whatever the network says, those are the
        person's.  ``look`` is what it said, if it was asked before.
        """
        look = look or surest_look(image, crop, points)
        if not look.sure or look.share > MOST:
            return None
        rough = without_holes(fitted(look.person, image, crop), points)
        person = without_holes(evened(refined(image, rough, crop), crop), points)
        person, rough = (of_the_face(found, points, EDGE * crop.side) for found in (person, rough))
        return Layers(person, filled_behind(image, person, crop, rough))


def fitted(person: Floats, image: Image, crop: Square) -> Floats:
    """The outline at the portrait's own edges."""
    radius = max(2, round(RADIUS * crop.side))
    step = max(1, radius // 4)
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found = cv2.ximgproc.createGuidedFilter(guide, radius, SMOOTHNESS**2, 1 / step).filter(person)
    low, high = FIRM
    return np.asarray(np.clip((found - low) / (high - low), 0.0, 1.0), np.float32)


def evened(person: Floats, crop: Square) -> Floats:
    """The same without the colours' grain in its edge, which drawn out by a turn was ragged."""
    smooth: Any = cv2.GaussianBlur(person, (0, 0), GRAIN * crop.side)
    return np.asarray(np.clip((smooth - WHOLE[0]) / (WHOLE[1] - WHOLE[0]), 0.0, 1.0), np.float32)


def without_holes(person: Floats, points: Floats) -> Floats:
    """The same without holes, the face a part of it."""
    face = cv2.convexHull(np.round(points[:N_MESH]).astype(np.int32))
    solid = cv2.fillPoly((person > 0.5).astype(np.uint8), [face], 1)
    closed = cv2.copyMakeBorder(solid, 1, 0, 0, 0, cv2.BORDER_CONSTANT, value=0)
    closed[0, _cut_off(points)] = 1
    rims, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = cv2.drawContours(np.zeros_like(closed), rims, -1, 1, cv2.FILLED)
    # Next to the row above, what is filled goes on up to the border.
    inner = cv2.erode(filled, np.ones((5, 5), np.uint8))[1:]
    return np.maximum(person, inner.astype(np.float32))


def _cut_off(points: Floats) -> slice:
    """The columns in which the top border cuts a head right above its forehead; none where it does not.

    There is no room there for anything but the head: patches of wall within a forehead stood still while it
    moved.
    """
    face = points[list(topo.FACE_OVAL)]
    (left, top), (right, bottom) = face.min(axis=0), face.max(axis=0)
    if top > CUT_OFF * (bottom - top):
        return slice(0, 0)
    aside = MIDDLE * (right - left)
    return slice(max(0, round(left + aside)), max(0, round(right - aside)))


def filled_behind(image: Image, person: Floats, crop: Square, rough: Floats | None = None) -> Image:
    """The background behind the person: the mean of what is around, from near to far, with its texture.

    Args:
        image: ``(H, W, 3) uint8`` RGB, the portrait.
        person: ``(H, W)`` in 0..1, and ``rough`` the same before colours told; None where they did not.
        crop: the avatar's.
    """
    values, reach = image.astype(np.float32), _window(BEYOND, crop)
    near = _grown(person, BEYOND, crop)
    if rough is not None:
        np.maximum(near, _missed(values, rough, crop), out=near)
    wide = _grown(person, HALO, crop)
    hidden = np.where(_plain(values, near, wide, crop), np.maximum(near, wide), near)
    soft = cv2.blur(hidden.astype(np.float32), (reach, reach))
    # What is plain needs no texture: that of a fold further away was a patch there.
    beside = near == 0
    fine = fine_structure(values, beside, crop.side)
    # OpenCV drops a single channel.
    strength = _pulled(np.dstack([strength_of(fine)] * 2), beside.astype(np.float32))[..., 0]
    far = _pulled(values, (hidden == 0).astype(np.float32)) + gone_on(fine, beside, strength, crop.side)
    mixed = image + np.minimum(1, 2 * soft)[..., None] * (far - image)
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def _grown(person: Floats, beyond: float, crop: Square) -> Image:
    """``(H, W) uint8`` 1 at the person and so far around them, in sides of the crop."""
    window = np.ones((_window(beyond, crop),) * 2, np.uint8)
    return np.asarray(cv2.dilate((person > 0.02).astype(np.uint8), window), np.uint8)


def _plain(values: Floats, near: Image, wide: Image, crop: Square) -> Bools:
    """``(H, W)`` where what is further from the person than ``near``, within ``wide``, is nearly plain."""
    unlike: Any = np.abs(values - _pulled(values, (wide == 0).astype(np.float32))).max(axis=2)
    unlike = cv2.blur(unlike, (3, 3)) * ((wide > near).astype(np.float32))
    most: Any = cv2.dilate(unlike, np.ones((_window(HALO, crop),) * 2, np.uint8))
    return np.asarray(most < PLAIN, bool)


def _missed(values: Floats, rough: Floats, crop: Square) -> Image:
    """``(H, W) uint8`` 1 at a person's rough outline, where there is no structure beyond it.

    Strands of hair that colours do not tell were left on the wall there.
    """
    height, width = rough.shape
    step = max(1, int(crop.side / FEW))
    size = -(-width // step), -(-height // step)
    few = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    small = np.asarray(cv2.resize(rough, size, interpolation=cv2.INTER_AREA), np.float32)
    square = Square(crop.x / step, crop.y / step, crop.side / step)
    beyond = _grown(small, HALO, square) == 0
    strength = strength_of(fine_structure(few, beyond, square.side))
    bare = _pulled(np.dstack([strength] * 2), beyond.astype(np.float32))[..., 0] < BARE
    there: Any = cv2.resize(bare.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(there * _grown(rough, BEYOND, crop), np.uint8)


def _window(reach: float, crop: Square) -> int:
    """Side of a window that reaches so many sides of the crop; pixels."""
    return 2 * max(1, round(reach * crop.side)) + 1


def _pulled(image: Any, known: Any) -> Floats:
    """``image`` where it is ``known``, elsewhere the mean of the nearest that is, level by level."""
    weighted = image * known[..., None]
    height, width = known.shape
    if min(height, width) > 2:
        size = (width + 1) // 2, (height + 1) // 2
        share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
        mean = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA)
        mean /= np.maximum(share, 1e-6)[..., None]
        below: Any = _pulled(mean, np.minimum(1.0, 4 * share))
        below = cv2.resize(below, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        total = known.sum()
        mean = weighted.sum(axis=(0, 1)) / total if total > 0 else image.mean(axis=(0, 1))
        below = np.broadcast_to(mean, image.shape)
    return np.asarray(weighted + (1 - known[..., None]) * below, np.float32)
