"""What of a slightly open mouth's dark inside lies on its lips, by the landmarks: shut lips must not show it.

Landmarks of the inner lips stand where the opening is sure.  Between them and the lit lips there is a rim
of shadow, which belongs to the lips' triangles: when the lips meet, it stays as a dark bar.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats, Image

OPEN = 0.015
"""Gap (face units) up to which a portrait's lips are shut: the line between them is theirs."""

DARK, BACK = 0.75, 0.45
"""Share of the lip's own light below which it is shadow; most of the lip's height that may be."""

STEPS = 19
"""Places examined from the opening's edge to :data:`BACK`."""


def shadowed_edges(image: Image, points: Floats, unit: float) -> Floats:
    """``(20, 2) float32`` how far behind each of ``LIPS_INNER`` the lip begins, pixels of the portrait.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        points: ``(468+, 2)`` landmarks, pixels.
        unit: pixels per face unit.
    """
    inner, outer = points[list(topo.LIPS_INNER)], points[list(topo.LIPS_OUTER)]
    if mouth_gap(points) / unit < OPEN:
        return np.zeros((20, 2), np.float32)
    share = np.linspace(0, BACK, STEPS, dtype=np.float32)
    middle = np.float32(0.6)
    across = outer - inner
    places = inner[:, None] + np.append(share, middle)[None, :, None] * across[:, None] - np.float32(0.5)
    soft = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), max(0.5, 0.008 * unit))
    light = cv2.remap(soft, places.astype(np.float32), None, cv2.INTER_LINEAR).astype(np.float32)
    dark = light[:, :STEPS] < DARK * np.median(light[:, STEPS])
    # Contiguous from the opening's edge: a shadow below the lip is none of it.
    depth = np.cumprod(dark, axis=1).sum(axis=1) / STEPS * BACK
    depth[[0, 10]] = 0
    depth = (np.roll(depth, 1) + 2 * depth + np.roll(depth, -1)) / 4
    return np.asarray(depth[:, None] * across, np.float32)
