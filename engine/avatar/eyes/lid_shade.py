"""Shading of a shut lid: the skin below the eye, in the light that falls on a ball behind it.

What a portrait shows between brow and open eye is often a strip of a pixel or two in the brow's shadow: drawn
out to a whole lid it looked like tape over the eye.  In clips of 80 people who blink, lids have the tone of
the skin below the eye rather than that strip's: a highlight where the eyeball bulges, darker towards both
corners, and from there to the lashes darker and redder.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.eyes.lids import ALONG, TAPER
from mien.engine.types import Floats
from mien.engine.utils.curves import limited

HEIGHTS, PLACES = (-0.55, -0.45, -0.35, -0.25, -0.15, -0.05, 0.05, 0.15), (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where :data:`LIGHT` was measured: below the line on which lids meet, and from the eye's outer corner to its
inner one; widths of an eye."""

LIGHT = np.array(
    [
        [-0.05, 0.03, 0.10, 0.04, -0.06],
        [-0.05, 0.10, 0.15, 0.04, -0.05],
        [-0.05, 0.12, 0.13, 0.02, -0.08],
        [-0.06, 0.10, 0.06, -0.10, -0.20],
        [-0.11, -0.06, -0.15, -0.26, -0.30],
        [-0.13, -0.18, -0.24, -0.33, -0.24],
        [0.00, -0.22, -0.19, -0.17, -0.05],
        [0.00, -0.13, -0.11, -0.11, -0.05],
    ],
    np.float32,
)
"""Logarithm of a shut lid's light over that of the skin below the eye, median of 80 people."""

REDDER, STRONG = 0.8, np.float32(0.5)
"""By how much what is darker is more saturated, shares of the hue of the skin below: the light that leaves a
fold has passed through more skin.  And how strong that hue counts at most, logarithm of light: in orange
light lashes were bright red."""

OWN = (0.0, 0.2, 1.0)
"""Share that what the portrait shows between brow and eye has in the lid: at its edge, halfway up, and at the
brow.  Halfway up the lids of those 80 follow it by 0.15 to 0.25, at the brow by 0.65 and more."""

DARK = 12.0
"""Grey levels added before logarithms: what is dark is unsure."""

SHADOW = (0.15, 0.40)
"""From where on that strip is less dark, and how much darker than the skin below it is at most, logarithm of
light: of heavy brows the hair, which closing does not clear, made lids of soot."""

FAR, NEAR = 0.25, 0.04
"""Standard deviation of the blur that carries the skin below to the lid, and of that of the skin at the brow,
widths of an eye."""

EDGE = 0.06
"""Height over a lid's edge from which on it has all of its eye shadow, widths of an eye."""

Rows = tuple[Floats, Floats, Floats, Floats]
"""Landmarks ``(N, 2)`` under the brow, of the crease, and of the upper and the lower lid's edge, each from
the eye's left to its right, pixel indices."""


def shaded(
    colours: Floats,
    clear: Floats,
    cheek: Floats,
    rows: Rows,
    eye: int,
    fine: int,
    shadow: Floats | None = None,
) -> Floats:
    """``(fine h, fine w, 3) float32`` the colours of a shut lid, where they are in the portrait's open eye.

    Args:
        colours: ``(h, w, 3) float32`` skin without lines, RGB.
        clear: ``(h, w, 3) float32`` the image without lines.
        cheek: ``(h, w) float32`` where the skin below is, 0..1.
        rows: of the result.
        eye: 0 the right, 1 the left one.
        fine: pixels of the result along one of the image: what a lid is drawn out from may be one of them.
        shadow: ``(3,)`` logarithm of eye shadow's colour, see
            :func:`~mien.engine.avatar.eyes.makeup.eye_shadow`.
    """
    sigma = max(0.8, FAR / fine * float(np.hypot(*(rows[2][-1] - rows[2][0]))))
    weight = cv2.GaussianBlur(cheek, (0, 0), sigma)
    below: Any = cv2.GaussianBlur(clear * cheek[..., None], (0, 0), sigma)
    below /= np.maximum(weight, 1e-6)[..., None]
    own = np.log(colours + np.float32(DARK))
    near = np.log(cv2.GaussianBlur(clear, (0, 0), max(0.6, NEAR / FAR * sigma)) + np.float32(DARK))
    # As far from the cheek as nothing of it is left there is nothing to mix in.
    there = np.clip(weight * 1e3, 0, 1)[..., None]
    below = own + there * (np.log(below + np.float32(DARK)) - own)
    light = cv2.resize(np.dstack([own, below, near]), None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR)
    place, height, up = unrolled(rows, light.shape)
    below = light[..., 3:6]
    own = light[..., :3] + up[..., None] * (light[..., 6:] - light[..., :3]) - below
    darker = np.maximum(-own.mean(axis=2, keepdims=True), 1e-3)
    # The hue, too: what is nearly black has any.
    own *= limited(darker, *SHADOW) / darker
    share = np.interp(up, (0, 0.5, 1), OWN).astype(np.float32)[..., None]
    ball = _sampled(place if eye == 0 else 1 - place, height)[..., None]
    ball = darkened(below, ball) - below
    if shadow is not None:
        # The lid's alone: below it lies the cheek.
        ball = ball + np.clip(-height / np.float32(EDGE), 0, 1)[..., None] * shadow
    return np.asarray(np.exp(below + share * own + (1 - share) * ball) - np.float32(DARK), np.float32)


def darkened(light: Floats, change: Any) -> Floats:
    """``(..., 3)`` logarithms of skin's light where there is more or less of it; ``change`` ``(..., 1)``."""
    hue = np.clip(light - light.mean(axis=-1, keepdims=True), -STRONG, STRONG)
    return np.asarray(light + change * (1 - np.float32(REDDER) * hue), np.float32)


def unrolled(rows: Rows, shape: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Where the pixels of an open eye are when it is shut.

    Args:
        rows: see :data:`Rows`.
        shape: height and width.

    Returns:
        each ``(h, w) float32``: places between the eye's left (0) and right corner (1); heights below the
        line on which the lids meet, widths of the eye; and how far up they are from there to the brow, 0..1.
    """
    across = rows[2][-1] - rows[2][0]
    width = max(float(np.hypot(*across)), 1e-3)
    across = across / np.float32(width)
    down = np.array([-across[1], across[0]], np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    places, height = x * across[0] + y * across[1], x * down[0] + y * down[1]

    def along(values: NDArray[np.float32], axis: Floats) -> Floats:
        return np.asarray(values @ axis, np.float32)

    brow, crease, upper, lower = (np.interp(places, along(row, across), along(row, down)) for row in rows)
    crease = np.maximum(crease, brow + 0.25)
    upper = np.maximum(upper, crease + 0.25)
    lower = np.maximum(lower, upper)
    place = (places - along(rows[2][:1], across)) / np.float32(width)
    stays = np.interp(np.abs(2 * place - 1), (0, 1), (TAPER[3], TAPER[0]))
    over, under = (
        (upper - row) + (1 - much * stays) * (lower - upper)
        for row, much in zip((crease, brow), ALONG, strict=True)
    )
    to_crease = np.clip((upper - height) / (upper - crease), 0, 1) * over
    to_brow = np.clip((crease - height) / (crease - brow), 0, 1) * (under - over)
    risen = to_crease + to_brow
    beyond = np.maximum(brow - height, 0) - np.maximum(height - lower, 0)
    height, up = -(risen + beyond) / width, risen / np.maximum(under, 0.25)
    return place, np.asarray(height, np.float32), np.asarray(up, np.float32)


def _sampled(place: Floats, height: Floats) -> Floats:
    """:data:`LIGHT` at places from the outer corner and at heights."""
    x = (place - PLACES[0]) / (PLACES[1] - PLACES[0])
    y = (height - HEIGHTS[0]) / (HEIGHTS[1] - HEIGHTS[0])
    # Smooth between them.
    table = cv2.resize(np.pad(LIGHT, 1, mode="edge"), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    map_x, map_y = ((8 * (axis + 1.5) - 0.5).astype(np.float32) for axis in (x, y))
    found = cv2.remap(table, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)
