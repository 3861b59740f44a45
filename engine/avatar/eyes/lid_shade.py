"""Shading of a shut lid: it bulges, and towards its edge takes on the light of the skin below the eye.

What a portrait shows between brow and open eye is often a strip of a pixel or two in the brow's shadow.
Drawn out to a whole lid in its one colour, it looked like tape over the eye, with a hard edge to the cheek.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats
from mien.engine.utils.curves import limited

MOST, BROW, CREASE = 0.65, 0.35, 0.75
"""Share of the skin below at the lid's edge, in logarithms of light, and what of that there is under the brow
and at the crease: below it a lid that shuts hardly stretches, above it nearly all of its height comes from a
pixel or two, which are darker and greyer than lids are."""

DARK = 12.0
"""Grey levels added before logarithms: what is dark is unsure."""

SHADOW = (0.30, 0.65)
"""How much darker than the skin below a lid is at most, logarithm of light, and from where on it is less so:
of heavy brows the hair, which closing does not clear, made lids of soot."""

HUE = 0.8
"""Share of the hue of the skin below, everywhere: lashes, lines and their shadows are grey, lids are not."""

FAR = 0.25
"""Standard deviation of the blur that carries the skin below to the lid, widths of an eye."""


def shaded(colours: Floats, clear: Floats, cheek: Floats, rows: tuple[Floats, ...], fine: int) -> Floats:
    """``(fine h, fine w, 3) float32`` the colours of a lid, mixed with those of the skin below.

    Args:
        colours: ``(h, w, 3) float32`` skin without lines, RGB.
        clear: ``(h, w, 3) float32`` the image without lines.
        cheek: ``(h, w) float32`` where the skin below is, 0..1.
        rows: ``(N, 2)`` the landmarks under the brow, of the crease, and of the lid's edge, each from the
            eye's left to its right, pixel indices of the result.
        fine: pixels of the result along one of the image: what a lid is drawn out from may be one of them.
    """
    sigma = max(0.8, FAR / fine * float(np.hypot(*(rows[2][-1] - rows[2][0]))))
    weight = cv2.GaussianBlur(cheek, (0, 0), sigma)
    below: Any = cv2.GaussianBlur(clear * cheek[..., None], (0, 0), sigma)
    below /= np.maximum(weight, 1e-6)[..., None]
    # As far from the cheek as nothing of it is left there is nothing to mix in.
    there = np.clip(weight * 1e3, 0, 1)[..., None]
    light = np.log(colours + np.float32(DARK))
    light = np.dstack([light, there * (np.log(below + np.float32(DARK)) - light)])
    light = cv2.resize(light, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR)
    share = np.float32(MOST) * heights(rows, light.shape)[..., None]
    own, lighter = light[..., :3], light[..., 3:]
    brighter: Any = lighter.mean(axis=2, keepdims=True)
    own += np.float32(HUE) * (lighter - brighter)
    darker = (1 - share) * np.maximum(brighter, 0)
    own += share * brighter + (darker - limited(darker, *SHADOW))
    return np.asarray(np.exp(own) - np.float32(DARK), np.float32)


def heights(rows: tuple[Floats, ...], shape: tuple[int, ...]) -> Floats:
    """``(h, w) float32``: :data:`BROW` under the brow, :data:`CREASE` at the crease, 1 from the edge on."""
    brow, crease, edge = rows
    across = edge[-1] - edge[0]
    across = across / np.float32(max(float(np.hypot(*across)), 1e-3))
    down = np.array([-across[1], across[0]], np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)

    def along(values: NDArray[np.float32], axis: Floats) -> Floats:
        return np.asarray(values @ axis, np.float32)

    places, height = x * across[0] + y * across[1], x * down[0] + y * down[1]
    levels = [np.interp(places, along(row, across), along(row, down)) for row in (brow, crease, edge)]
    levels[1] = np.maximum(levels[1], levels[0] + 0.25)
    levels[2] = np.maximum(levels[2], levels[1] + 0.25)
    upper = np.clip((height - levels[0]) / (levels[1] - levels[0]), 0, 1)
    lower = np.clip((height - levels[1]) / (levels[2] - levels[1]), 0, 1)
    return np.asarray(BROW + (CREASE - BROW) * upper + (1 - CREASE) * lower, np.float32)
