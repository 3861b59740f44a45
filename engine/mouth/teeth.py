"""Light and colour of teeth: the portrait's own where it shows them, else what teeth have beside its skin."""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.mouth.colours import teeth_hue
from mien.engine.types import Floats, Image
from mien.engine.utils.light import LUMINANCE, to_linear

BRIGHTEST, GLINTS = 0.75, 0.97
"""Shares of the pixels between the lips, from the darkest on, between which teeth are."""

LEAST = 20
"""Pixels that tell of teeth, at least."""

AS_LIGHT, OFF = 0.6, 0.35
"""Light of teeth over that of the skin, at least, and how far their colour may be from what it is expected to
be, of a luminance of one: a tongue is redder."""

DARK, BRIGHT, WHITE = 1.0, 2.0, (0.30, 0.85)
"""Light of teeth over that of the skin beside them, at least and at most, where the portrait shows none; and
the light that they have at most beside skin without light, and by how much more that is beside lighter skin.
Of 729 stills with open mouths the least quarter has 1.0 to 1.2 times the skin's, the most 2.4 times beside
dark skin and 1.4 times beside the brightest: more was a white block in a face lit by a flash."""

MOST = 1.3
"""By how much teeth become lighter at most."""


def own_teeth(image: Image, inner: Floats, skin: Floats) -> Floats | None:
    """Linear light ``(3,)`` of the teeth that a portrait shows; None where it shows none.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        inner: ``(20, 2)`` the lips' inner edges, pixels.
        skin: ``(3,)`` linear light.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(inner).astype(np.int32)], 255)
    seen = image[cv2.erode(mask, np.ones((3, 3), np.uint8)) > 0][:, :3]
    if len(seen) < LEAST:
        return None
    light = to_linear(seen.astype(np.float32))
    order = np.argsort(light @ LUMINANCE)
    found = np.asarray(light[order[int(BRIGHTEST * len(order)) : int(GLINTS * len(order)) + 1]].mean(axis=0))
    bright = float(found @ LUMINANCE)
    off = float(np.abs(found / max(bright, 1e-4) - teeth_hue(skin)).max())
    if bright < AS_LIGHT * float(skin @ LUMINANCE) or off > OFF:
        return None
    return np.asarray(found, np.float32)


def tooth_gain(driver: float, skin: Floats, teeth: Floats | None) -> float:
    """Factor that gives a driver's teeth light that suits the portrait.

    Args:
        driver: light of their brightest teeth over that of their skin; 0 where it is not known.
        skin, teeth: of the portrait, linear light.
    """
    if driver <= 0:
        return 1.0
    light = max(float(skin @ LUMINANCE), 1e-3)
    low, high = DARK, min(BRIGHT, WHITE[0] / light + WHITE[1])
    if teeth is not None:
        own = float(teeth @ LUMINANCE) / light
        low, high = min(max(own, low), high), max(own, high)
    return min(high / driver, 1.0) if driver > high else min(max(low / driver, 1.0), MOST)
