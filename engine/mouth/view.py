"""The driver's mouth as a frame shows it: a small image, where its lips are, and the skin around it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import topology as topo
from mien.engine.mouth.edge import gap_of, width_of
from mien.engine.types import Floats, Image
from mien.engine.utils.light import LUMINANCE, to_linear

INNER, OUTER = list(topo.LIPS_INNER), list(topo.LIPS_OUTER)

MARGIN = 0.3
"""Margin kept around the lips, as a share of the mouth's width."""

WIDEST = 192
"""Widest image kept of a mouth, in pixels; a larger mouth is reduced."""

SKIN = (50, 280, 205, 425, 36, 266, 101, 330, 199, 200)
"""Landmarks on cheeks and chin: their median is skin although some are bearded, shaded or turned away."""

PATCH = 0.04
"""Half a side of a patch of skin, face units."""

ROUNDED = 0.45
"""Least width of a mouth, face units: it is as large as before when it says O."""

AROUND = 1.35
"""Places around the mouth lie so many times as far from its middle as the outer edge of the lips."""

NODES = 10
"""Places on the lips, and as many around them, where a hand or a microphone would be seen."""


BRIGHT, LEAST_SEEN = 0.97, 15
"""Share of the pixels between the lips up to which they are no glints, and how many it takes."""


@dataclass(frozen=True, slots=True)
class MouthView:
    """The driver's mouth in one frame.

    Attributes:
        image: ``(h, w, 3) uint8`` RGB, at most :data:`WIDEST` wide.
        inner, outer: ``(20, 2) float32`` the lips' edges (``LIPS_INNER``, ``LIPS_OUTER``), its pixel indices.
        width: between the corners of the mouth, pixels of the driver's frame; of rounded lips, at rest.
        gap: between the lips, face units.
        skin: ``(3,) float32`` skin around the mouth, linear light in 0..1.
        places: ``(20, 3) float32`` lips and skin close around them, the same.
        inside: distance from the frame's border to the lips, as a share of the width (negative: beyond).
        confidence: of the landmarks, 0..1.
    """

    image: Image
    inner: Floats
    outer: Floats
    width: float
    gap: float
    skin: Floats
    places: Floats
    inside: float
    confidence: float


def view_mouth(image: Image, landmarks: Floats, unit: float, confidence: float) -> MouthView | None:
    """The mouth in a frame; None where nothing of it is within the frame.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        landmarks: ``(478, 2+) float32`` pixels.
        unit: pixels per face unit.
        confidence: of the landmarks.
    """
    points = landmarks[:, :2]
    inner, outer = points[INNER], points[OUTER]
    width = max(float(np.linalg.norm(inner[0] - inner[10])), ROUNDED * unit)
    low, high = outer.min(axis=0), outer.max(axis=0)
    height, columns = image.shape[:2]
    margin = MARGIN * width
    left, top = np.maximum(np.floor(low - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + margin), (columns, height)).astype(int)
    if right - left < 8 or bottom - top < 8:
        return None
    beyond = np.concatenate([low, np.array([columns, height]) - high])
    cut: Image = image[top:bottom, left:right]
    scale = min(1.0, WIDEST / (right - left))
    if scale < 1:
        size = WIDEST, max(8, round((bottom - top) * scale))
        cut = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)
    scales = np.array([cut.shape[1] / (right - left), cut.shape[0] / (bottom - top)], np.float32)
    corner = np.array([left, top], np.float32)
    rings = ((np.concatenate([inner, outer]) - corner) * scales - 0.5).astype(np.float32)
    kept = np.array(cut, np.uint8)
    return MouthView(
        image=kept,
        inner=rings[:20],
        outer=rings[20:],
        width=width,
        gap=mouth_gap(points) / unit,
        skin=skin_light(image, points, unit),
        places=_places(kept, rings[:20], rings[20:]),
        inside=float(beyond.min()) / width,
        confidence=confidence,
    )


def skin_light(image: Image, points: Floats, unit: float) -> Floats:
    """Skin around a mouth, ``(3,) float32`` linear light: the median of patches on cheeks and chin."""
    half = max(1, round(PATCH * unit))
    height, width = image.shape[:2]
    found = []
    for x, y in points[list(SKIN)].astype(int):
        patch = image[max(y - half, 0) : max(y + half + 1, 0), max(x - half, 0) : max(x + half + 1, 0)]
        if patch.size and x < width and y < height:
            found.append(cv2.mean(patch)[:3])
    if not found:
        return np.zeros(3, np.float32)
    # The median: numpy's own takes ten times as long for so few.
    ordered = np.sort(np.array(found, np.float32), axis=0)
    return to_linear((ordered[(len(found) - 1) // 2] + ordered[len(found) // 2]) / 2)


def brightest_of(view: MouthView) -> float:
    """Light of the brightest that is between the lips, over that of the skin around them; 0 of shut ones."""
    mask = np.zeros(view.image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(view.inner).astype(np.int32)], 255)
    grey = cv2.cvtColor(view.image, cv2.COLOR_RGB2GRAY)
    within = grey[cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0]
    if len(within) < LEAST_SEEN:
        return 0.0
    last = int(BRIGHT * (len(within) - 1))
    light = float(to_linear(np.partition(within, last)[last : last + 1].astype(np.float32))[0])
    return light / max(float(view.skin @ LUMINANCE), 1e-3)


def reduced(view: MouthView, width: float, gap: float) -> MouthView:
    """The view with a mouth no wider and no more open than this, pixels: sampling a larger one would flicker.

    Lips that open less than the driver's press teeth and the dark between them into few rows.
    """
    wide = min(1.0, width / max(width_of(view.outer), 1.0))
    high = min(wide, gap / max(gap_of(view.inner), 1.0))
    if high >= 1:
        return view
    size = max(8, round(view.image.shape[1] * wide)), max(8, round(view.image.shape[0] * high))
    small = np.asarray(cv2.resize(view.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    ratio = np.array([size[0] / view.image.shape[1], size[1] / view.image.shape[0]], np.float32)
    inner, outer = ((ring + 0.5) * ratio - np.float32(0.5) for ring in (view.inner, view.outer))
    return replace(view, image=small, inner=inner, outer=outer)


def _places(image: Image, inner: Floats, outer: Floats) -> Floats:
    """Colours on the lips and close around them, linear light."""
    lips = (inner[::2] + outer[::2]) / 2
    middle = outer.mean(axis=0)
    around = middle + AROUND * (outer[1::2] - middle)
    side = max(3, round(0.05 * float(np.ptp(outer[:, 0])))) | 1
    blurred = cv2.blur(image, (side, side))
    at = np.round(np.concatenate([lips, around])).astype(int)
    x, y = np.clip(at[:, 0], 0, image.shape[1] - 1), np.clip(at[:, 1], 0, image.shape[0] - 1)
    return to_linear(blurred[y, x].astype(np.float32))
