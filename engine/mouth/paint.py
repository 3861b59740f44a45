"""The colours of a painted face by their light: what lies in its mouth is of the same paint.

A photograph's teeth between painted lips were white, sharp and of another picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.types import Floats, Image
from mien.engine.utils.light import GREY

ENDS = (0.01, 0.97)
"""Shares of a face's pixels, from the darkest on, between whose lights everything in its mouth is: what lies
beyond is single strokes."""

SPREAD = 12.0
"""Grey levels over which a face's colours are averaged (standard deviation)."""

BEYOND = 0.25
"""What is left of the light beyond these ends: teeth still have a form."""

SHARE = 0.7
"""Share of the face's colours in its mouth; the rest is a tongue's red."""

STROKE = 0.02
"""Size of the finest form in a painted mouth, widths of the mouth (standard deviation)."""


def paint_of(face: Image, palette: Image, lips: float, skin: float) -> Image:
    """``(256, 3) uint8`` RGB of each light in a face's mouth: what is as light as skin has its colours.

    Args:
        face: ``(h, w, 3) uint8`` RGB.
        palette: ``(256, 3) uint8`` RGB of what is as dark as its lips.
        lips, skin: how light these are, grey levels.
    """
    grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8).ravel()
    count = np.bincount(grey, minlength=256).astype(np.float32)
    sums = [np.bincount(grey, face[..., channel].ravel(), 256) for channel in range(3)]
    # Levels that the face lacks have the colour of the nearest that it has.
    seen = cv2.GaussianBlur(np.stack([*sums, count], axis=1).astype(np.float32), (1, 0), 0.1, sigmaY=SPREAD)
    colours = seen[:, :3] / np.maximum(seen[:, 3:], 1e-3)
    low, high = np.quantile(grey, ENDS)
    levels = np.arange(256, dtype=np.float32)
    within = np.clip(levels, low, high)
    found = colours[np.round(within).astype(int)]
    wanted = within + np.float32(BEYOND) * (levels - within)
    lit = np.clip((levels - lips) / max(skin - lips, 1.0), 0, 1)[:, None]
    return _as_light(palette + lit * (found - palette), wanted)


def painted(mouth: Image, paint: Image, width: float) -> Image:
    """A mouth ``(rows, columns, 3) uint8`` of a face's paint.

    Args:
        paint: see :func:`paint_of`.
        width: of the mouth, pixels.
    """
    toned = paint[np.asarray(cv2.cvtColor(mouth, cv2.COLOR_RGB2GRAY), np.uint8)]
    mixed = cv2.addWeighted(mouth, 1 - SHARE, toned, SHARE, 0)
    return np.asarray(cv2.GaussianBlur(mixed, (0, 0), max(0.8, STROKE * width)), np.uint8)


def _as_light(colours: Floats, levels: Floats) -> Image:
    """Colours ``(N, 3)`` made as light as the grey ``levels`` ``(N,)``."""
    factor = levels / np.maximum(colours @ GREY, 1.0)
    return np.asarray(np.clip(colours * factor[:, None] + 0.5, 0, 255), np.uint8)
