"""Eye shadow: the colour of an open eye's lid that is neither the skin's nor the brow's shadow.

A shut lid is drawn in the tone of the skin below the eye, and blue or violet lids faded with every blink.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.lid_edges import without_lines
from mien.engine.avatar.eyes.lid_shade import DARK, REDDER, STRONG
from mien.engine.avatar.eyes.lids import CREASE
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp
from mien.engine.utils.sampling import sample

UNLIKE = (0.03, 0.10)
"""How much more the lid's hue is off the skin's than the brow's is, logarithm of light, from which on it is
eye shadow, and wholly so.  What lies in the shadow of a heavy brow is as grey at the brow."""

MOST = 0.3
"""Longest difference of hue that is believed: between lashes and glasses there are others."""

DEEP = (0.45, 0.75)
"""How much darker than the skin a lid is, logarithm of light, from which on its hue is less sure, and is not
believed: rims of glasses and deep shadow are of any."""

SEEN = (16.0, 28.0)
"""Width of an eye, pixels, from which on its lid's colour is seen, and wholly so."""

CHEEK = 0.3
"""How far below the eye skin is looked at, widths of an eye."""

SOFT = 0.03
"""Standard deviation of the blur before anything is looked at, widths of an eye."""


def eye_shadow(image: Image, points: Floats) -> Floats | None:
    """``(3,) float32`` logarithm of both lids' colour over that of skin as bright; None without make-up.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        points: ``(478, 2)`` landmarks, its pixel indices.
    """
    hues, shares = zip(*(_on_lid(image, points, eye) for eye in range(2)), strict=True)
    if min(shares) == 0:
        return None  # make-up is on both eyes; a shadow, a rim of glasses, a strand of hair is on one
    hue = (hues[0] + hues[1]) / 2
    return np.asarray(min(shares) * min(1.0, MOST / max(float(np.linalg.norm(hue)), 1e-6)) * hue, np.float32)


def _on_lid(image: Image, points: Floats, eye: int) -> tuple[Floats, float]:
    """``(3,)`` how far one lid's hue is off that of skin, and how sure it is eye shadow, 0..1."""
    upper, lower, crease, brow = (points[list(row)] for row in (*EYES[eye][:2], *CREASE[eye]))
    across = upper[-1] - upper[0]
    width = max(float(np.hypot(*across)), 1e-3)
    down = np.array([-across[1], across[0]], np.float32)
    cheek = lower[2:-2] + np.float32(CHEEK) * down
    every = np.concatenate([brow, cheek, upper])
    low = np.maximum(np.floor(every.min(axis=0) - 0.2 * width), 0).astype(int)
    part = image[tuple(slice(low[i], int(every[:, i].max() + 0.2 * width) + 1) for i in (1, 0))]
    if min(part.shape[:2]) < 8:
        return np.zeros(3, np.float32), 0.0
    soft: Any = cv2.GaussianBlur(without_lines(part, width), (0, 0), max(0.6, SOFT * width))
    light = np.log(soft + np.float32(DARK))
    lid = np.concatenate([crease[1:-1], (crease[1:-1] + upper[2:-2]) / 2])
    skin, on_lid, on_brow = (
        np.median(sample(light, (places - low)[None].astype(np.float32))[0], axis=0)
        for places in (cheek, lid, brow[1:-1])
    )
    found, besides = _unlike(on_lid, skin), _unlike(on_brow, skin)
    strength = max(float(np.linalg.norm(found)), 1e-6)
    share = ramp(strength - max(float(found @ besides) / strength, 0.0), UNLIKE) * ramp(width, SEEN)
    return found, share * (1.0 - ramp(float((skin - on_lid).mean()), DEEP))


def _unlike(light: Floats, skin: Floats) -> Floats:
    """``(3,)`` how far a hue is off that of skin in this light."""
    hue = skin - skin.mean()
    darker = float((light - skin).mean())
    redder = darker * REDDER * np.clip(hue, -STRONG, STRONG)
    return np.asarray(light - light.mean() - hue + redder, np.float32)
