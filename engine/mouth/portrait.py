"""The portrait that a mouth has to suit: its light, its tone, its sharpness and its grain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.face.grain import grain_of
from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import topology as topo
from mien.engine.mouth.blacks import hollow, lifted, lit_rim
from mien.engine.mouth.colours import IVORY
from mien.engine.mouth.paint import paint_of
from mien.engine.mouth.teeth import own_teeth
from mien.engine.mouth.view import INNER, OUTER, skin_light
from mien.engine.types import Floats, Image
from mien.engine.utils.light import GREY, LUMINANCE, to_linear, to_srgb

MONOCHROME = 6.0
"""Grey levels by which 99 % of a monochrome portrait's pixels are off its tone, at most: what JPEG does."""

ONE_HUE = 0.4
"""The same as a share of the portrait's mean distance from grey: clay and bronze have 0.37, of 158 photos in
colour none less than 0.64."""

APART = 0.05
"""Gap between the lips (face units) from which on a portrait shows teeth."""

SIDE, DRAWN = 128, 14.4
"""Side at which a face is examined; contrast of its fine detail from which on it is a drawing: lines on
flat colour have 16 to 33, smooth 3D characters 11 to 22, 1 % of 420 stills more than that."""

GREENISH, YELLOWISH, WARM = 0.03, 0.55, 0.65
"""Logarithms of light that no skin has, dark or fair, in warm light or cold: red over green below the first,
green over blue by so much more than that, red over green being below the third: a lamp that takes away blue
takes green, too.  Of 2,860 photos one is, in clown's paint; without the third seven more in orange light."""

HOLLOW, FLESH, TEETH = (0.15, 0.30), (0.45, 0.85), 1.05
"""Brightness of a mouth's hollow (as dark as nothing, and as the tongue begins), of tongue and gums, and from
which on there are teeth, as shares of the skin's."""


@dataclass(frozen=True, slots=True)
class PortraitLook:
    """How a portrait looks around its mouth.

    Attributes:
        skin, lips: ``(3,) float32`` linear light.
        teeth: ``(3,) float32`` linear light of the portrait's own teeth; None where it shows none.
        saturation: of skin and lips, as a share of their luminance.
        black, rim: ``(3,) float32`` RGB in 0..255 that nothing in the mouth is darker than, and nothing in it
            on the lower lip.
        tone: ``(256, 3) uint8`` RGB of each luminance where the portrait has a single tone; else None.
        palette: ``(256, 3) uint8`` RGB of each luminance in a painted mouth: a hollow and a tongue in the
            colour of the lips, teeth in the light on the skin.
        paint: ``(256, 3) uint8`` RGB of each luminance in the driver's mouth, where the portrait is painted
            in colours that no skin has; else None.
        detail: of skin and lips at the result's own resolution, see :func:`detail_of`.
        drawn: whether it is a drawing of lines or flat colours, a smooth 3D character, or painted in colours
            that no skin has.
        grain: ``(64, 64) float32`` grey levels to add; None where it has none.
    """

    skin: Floats
    lips: Floats
    teeth: Floats | None
    saturation: float
    black: Floats
    rim: Floats
    tone: Image | None
    palette: Image
    paint: Image | None
    detail: float
    drawn: bool
    grain: Floats | None

    @staticmethod
    def of(image: Image, landmarks: Floats, unit: float) -> PortraitLook:
        """The look of a portrait.

        Args:
            image: ``(H, W, 3) uint8`` RGB at the result's resolution.
            landmarks: ``(478, 2)`` pixels.
            unit: pixels per face unit.
        """
        inner, outer = landmarks[INNER], landmarks[OUTER]
        box = box_around(outer, 0.25 * float(np.ptp(outer[:, 0])), image.shape)
        part = np.ascontiguousarray(image[box])
        corner = np.array([box[1].start, box[0].start], np.float32)
        at = np.round((inner[::2] + outer[::2]) / 2 - corner).astype(int)
        at = np.clip(at, 0, np.array(part.shape[1::-1]) - 1)
        skin = skin_light(image, landmarks, unit)
        lips_seen = np.median(part[at[:, 1], at[:, 0]].astype(np.float32), axis=0)
        lips = to_linear(lips_seen)
        black = hollow(image, landmarks, skin, lips)
        face = _face(image, landmarks)
        tone = _tone(face, lips_seen)
        in_paint = tone is None and is_unlike_skin(skin)
        palette = lifted((_palette(skin, lips_seen) if tone is None else tone)[None], black)[0]
        paint = None
        if in_paint:
            light = float(lips_seen @ GREY), float(to_srgb(skin) @ GREY)
            paint = lifted(paint_of(face, palette, *light)[None], black)[0]
        return PortraitLook(
            skin=skin,
            lips=lips,
            teeth=own_teeth(image, inner, skin) if mouth_gap(landmarks) > APART * unit else None,
            saturation=saturation_of(skin, lips),
            black=black,
            rim=lit_rim(skin, lips, black),
            tone=None if tone is None else palette,
            palette=palette,
            paint=paint,
            detail=detail_of(part),
            drawn=in_paint or _contrast(image, landmarks) > DRAWN,
            grain=grain_of(image, landmarks, unit),
        )


def _palette(skin: Floats, lips: Floats) -> Image:
    """Colours of what is between lips, by luminance, ``(256, 3) uint8`` RGB.

    The painter saw more mouths than lamps: its shadows are purple, its teeth blue, whatever the skin.

    Args:
        skin: ``(3,)`` linear light.
        lips: ``(3,)`` 0..255.
    """

    def tint(colour: Floats) -> Floats:
        return np.asarray(colour / max(float(colour @ GREY), 1.0), np.float32)

    lit = to_srgb(skin)
    bright = max(float(lit @ GREY), 1.0)
    flesh, ivory = tint(lips), 1 + np.float32(IVORY) * (tint(lit) - 1)
    # Redder in the dark, where light has been through flesh.
    deep = tint(flesh**2)
    places = bright * np.array([0.0, *HOLLOW, *FLESH, TEETH, 3.0])
    tints = np.stack([deep, deep, flesh, flesh, (flesh + ivory) / 2, ivory, ivory])
    levels = np.arange(256, dtype=np.float32)
    found = np.stack([np.interp(levels, places, tints[:, i]) for i in range(3)], axis=1)
    return np.asarray(np.clip(levels[:, None] * found + 0.5, 0, 255), np.uint8)


def box_around(points: Floats, margin: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of an image of this shape around points, pixel indices; at least 2 x 2 within it."""
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    left, right = _within(low[0], high[0], shape[1])
    top, bottom = _within(low[1], high[1], shape[0])
    return slice(top, bottom), slice(left, right)


def _within(low: float, high: float, size: int) -> tuple[int, int]:
    start = min(max(int(np.floor(low)), 0), size - 2)
    return start, min(max(int(np.ceil(high)) + 1, start + 2), size)


def saturation_of(*colours: Floats) -> float:
    """Mean distance of colours from grey, linear light, as a share of their luminance."""
    shares = [
        float(np.abs(colour - colour @ LUMINANCE).mean() / max(float(colour @ LUMINANCE), 1e-3))
        for colour in colours
    ]
    return float(np.mean(shares))


def is_unlike_skin(skin: Floats) -> bool:
    """Whether linear light ``(3,)`` is no skin's under any usual lamp."""
    red, green, blue = np.log(np.maximum(skin, 1e-4))
    warm = red - green
    return bool(warm < GREENISH or (warm < WARM and (green - blue) - warm > YELLOWISH))


def detail_of(image: Image) -> float:
    """Fine detail: standard deviation of what a blur of three pixels takes away, as a share of light."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    fine = cv2.subtract(grey, cv2.blur(grey, (3, 3)), dtype=cv2.CV_32F)
    return float(fine.std() / max(float(grey.mean()), 1.0))


def _contrast(image: Image, landmarks: Floats) -> float:
    """How many times the usual fine detail of a face its strongest twentieth is, at one size for all."""
    outline = landmarks[list(topo.FACE_OVAL)]
    low = outline.min(axis=0)
    scale = SIDE / max(float(np.ptp(outline, axis=0).max()), 1.0)
    if scale < 0.6:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / scale), np.uint8)
    to_face = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale]], np.float32)
    grey = cv2.cvtColor(cv2.warpAffine(image, to_face, (SIDE, SIDE)), cv2.COLOR_RGB2GRAY)
    fine = cv2.absdiff(grey.astype(np.float32), cv2.blur(grey.astype(np.float32), (3, 3)))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.round((outline - low) * scale).astype(np.int32)], 1)
    within = np.asarray(fine)[cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0]
    if within.size == 0:
        return 0.0
    return float(np.quantile(within, 0.95) / max(float(np.median(within)), 0.2))


def _face(image: Image, landmarks: Floats) -> Image:
    box = box_around(landmarks[:468], 0.0, image.shape)
    part = image[box]
    step = max(1, max(part.shape[:2]) // 200)
    return np.ascontiguousarray(part[::step, ::step])


def _tone(face: Image, lips: Floats) -> Image | None:
    """RGB of each luminance where all of a face has one tone (grey, sepia, clay, bronze); else None.

    Args:
        face: ``(h, w, 3) uint8`` RGB.
        lips: ``(3,)`` the same, their colour: where it is another one, a face of few colours is no figure.
    """
    values: Any = face.reshape(-1, 3).astype(np.float32)
    grey: Any = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).ravel()
    if np.abs(values - values.mean(axis=1, keepdims=True)).max() <= 1:
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    # A tone is a smooth curve: offsets of red, green and blue from the luminance, fitted as parabolas.
    light = grey / np.float32(255)
    basis = np.stack([np.ones_like(light), light, light**2], axis=1)
    offsets = values - grey[:, None]
    curves = np.linalg.lstsq(basis, offsets, rcond=None)[0]
    apart = np.abs(offsets - basis @ curves).max(axis=1)
    levels = np.arange(256, dtype=np.float32)
    share = levels / 255
    tone = levels[:, None] + np.stack([np.ones_like(share), share, share**2], axis=1) @ curves
    off = float(np.quantile(apart, 0.99))
    if off > MONOCHROME:
        lips_off = np.abs(lips - tone[int(np.asarray(lips) @ GREY)]).max()
        if off > ONE_HUE * float(np.abs(offsets).mean()) or lips_off > MONOCHROME:
            return None
    # Black and white beyond what was seen stay what they are.
    return np.asarray(np.clip(tone + 0.5, 0, 255), np.uint8)
