"""Where the skin under an eye begins, by the landmarks: shut lids must not show white of the eye on it.

Landmarks of the lower lid stand within its rim.  In portraits with large eyes (drawn ones, 3D characters),
and where the network is a few pixels off, a strip of eyeball lies below them and belongs to the lid's
triangles.  When the lids meet, it would stay as a pale line.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.types import Floats, Image

REACH, SKIN = 0.38, (0.45, 0.65)
"""How far below the lid's edge eyeball may be, and where there is skin, heights of the open eye."""

UNLIKE = 0.16
"""Logarithm of light by which a colour is not that of the skin below."""

STEPS = 16
"""Places examined from the edge to :data:`REACH`."""

LIGHT = 12.0
"""Grey levels added before logarithms: what is dark is unsure."""


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
