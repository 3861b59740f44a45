"""Where the skin under an eye begins, by the landmarks: shut lids must not show white of the eye on it.

Landmarks of the lower lid stand within its rim.  In portraits with large eyes (drawn ones, 3D characters),
and where the network is a few pixels off, a strip of eyeball lies below them and belongs to the lid's
triangles.  When the lids meet, it would stay as a pale line.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.types import Floats, Image
from mien.engine.utils.images import filled

REACH, SKIN = 0.38, (0.45, 0.65)
"""How far below the lid's edge eyeball may be, and where there is skin, heights of the open eye."""

UNLIKE = 0.16
"""Logarithm of light by which a colour is not that of the skin below."""

STEPS = 16
"""Places examined from the edge to :data:`REACH`."""

LIGHT = 12.0
"""Grey levels added before logarithms: what is dark is unsure."""

LINES = 0.14
"""Widest line that is cleared (a lash, a crease), widths of an eye."""

STRIP, SOFT = (0.6, 0.04), 0.03
"""How far lashes reach from the upper lid's edge, towards the crease as a share of what is between, and down,
widths of an eye; and standard deviation of the strip's own edge, widths of an eye."""


def eyeball_below(image: Image, upper: Floats, lower: Floats) -> Floats:
    """``(N, 2) float32`` from each landmark of a lower lid to where the skin begins, pixels.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        upper, lower: ``(N, 2)`` the lids' edges, pixel indices, from the eye's left corner to its right one.
    """
    across = lower[-1] - lower[0]
    width = max(float(np.hypot(*across)), 1e-3)
    down = np.array([-across[1], across[0]], np.float32) / width
    height = float(((lower - upper) @ down).max())
    share = np.append(np.linspace(0, REACH, STEPS), np.linspace(*SKIN, 5)).astype(np.float32)
    places = lower[:, None] + (share * np.float32(max(height, 0.0)))[None, :, None] * down
    soft = cv2.GaussianBlur(image, (0, 0), max(0.5, 0.02 * width))
    seen = cv2.remap(soft, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    light = np.log(seen.astype(np.float32) + LIGHT)
    skin = np.median(light[:, STEPS:], axis=1, keepdims=True)
    unlike = np.abs(light[:, :STEPS] - skin).max(axis=2) > UNLIKE
    # Contiguous from the edge: a crease below the lid is none of it.
    depth = np.cumprod(unlike, axis=1).sum(axis=1) / STEPS * REACH
    depth = np.maximum(depth, np.maximum(np.roll(depth, 1), np.roll(depth, -1)))
    depth[[0, -1]] = 0
    depth[1:-1] = (depth[:-2] + 2 * depth[1:-1] + depth[2:]) / 4
    return np.asarray((depth * max(height, 0.0))[:, None] * down, np.float32)


def without_lines(part: Image, width: float) -> Floats:
    """``(h, w, 3) float32`` an image without lashes and creases; ``width`` of the eye, pixels."""
    side = max(3, round(LINES * width)) | 1
    round_kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.morphologyEx(part, cv2.MORPH_CLOSE, round_kernel), np.float32)


def lash_strip(upper: Floats, crease: Floats, shape: tuple[int, ...]) -> Image:
    """``(h, w) uint8`` where lashes stand along an open lid's edge, 0..255.

    Args:
        upper, crease: ``(9, 2)`` and ``(7, 2)`` the lid's edge and the crease over it, pixel indices.
        shape: height and width.
    """
    width = float(np.hypot(*(upper[-1] - upper[0])))
    rim = upper.copy()
    rim[1:-1] += np.float32(STRIP[0]) * (crease - upper[1:-1])
    below = upper + np.array([0, STRIP[1] * width], np.float32)
    strip = filled(np.concatenate([rim, below[::-1]]), shape)
    soft = cv2.GaussianBlur(strip, (0, 0), max(0.6, SOFT * width))
    return np.asarray(255 * np.minimum(1.5 * soft, 1) + 0.5, np.uint8)
