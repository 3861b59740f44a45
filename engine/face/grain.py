"""A portrait's grain: film's, a sensor's, a brush's finest texture, to be laid on what is made up.

Skin and mouths that are continued, blurred or carried over are smooth; in a grainy picture they are stickers.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats, Image

SIDE = 64
"""Side of the kept piece of grain, pixels."""

LEAST = 0.8
"""Grey levels below which a portrait has no grain."""

SKIN = (50, 280, 205, 425, 101, 330)
"""Landmarks of cheeks and chin, where skin is smooth."""


def grain_of(image: Image, landmarks: Floats, unit: float) -> Floats | None:
    """The finest grain found on cheeks and chin, ``(64, 64) float32`` grey levels; None where there is none.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        landmarks: ``(478, 2)`` its pixels.
        unit: pixels per face unit.
    """
    half = max(4, round(0.08 * unit))
    best: Any = None
    for landmark in SKIN:
        x, y = (int(v) for v in landmarks[landmark])
        seen = image[max(y - half, 0) : max(y + half, 0), max(x - half, 0) : max(x + half, 0)]
        if min(seen.shape[:2]) < half:
            continue
        patch = cv2.cvtColor(np.ascontiguousarray(seen), cv2.COLOR_RGB2GRAY)
        fine = patch.astype(np.float32) - cv2.GaussianBlur(patch, (0, 0), 1.5).astype(np.float32)
        fine -= fine.mean()
        if best is None or fine.std() < best.std():
            best = fine
    if best is None or best.std() < LEAST:
        return None
    best = np.clip(best, -3 * best.std(), 3 * best.std())
    return np.pad(best, [(0, max(0, SIDE - size)) for size in best.shape], "wrap")[:SIDE, :SIDE]


def grained(image: Image, grain: Floats) -> Image:
    """An image ``(H, W, 3) uint8`` with grain added; it is repeated where the image is larger."""
    height, width = image.shape[:2]
    down, right = -(-height // grain.shape[0]), -(-width // grain.shape[1])
    piece: Any = cv2.repeat(grain, down, right)[:height, :width]
    return np.asarray(cv2.add(image, cv2.merge([piece] * 3), dtype=cv2.CV_8U), np.uint8)
