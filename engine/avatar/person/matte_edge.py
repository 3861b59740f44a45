"""Opacity along a person's outline, from the colours on both of its sides.

Each pixel is placed between the colours of person and background nearby (the projection of colour sampling
mattes), as far as the two differ by more than each varies in itself.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.types import Floats, Image

NEAR = 1 / 50
"""How far from the outline colours are asked, in sides of the crop; a second look asks twice as far."""

SURE, NONE = 0.9, 0.1
"""Opacities from which on, and up to which, a pixel's colour is the person's or the background's alone."""

GRAIN = 0.7
"""Smoothing of the colours that are compared, pixels: a film's grain is not the person's shape either."""

SPREAD = 1.3
"""Standard deviations of either side's colours within which a pixel is that side's."""

LEAST_ROOM, ENOUGH = 0.1, 0.6
"""Of the way from one colour to the other: where less than the first lies between the two sides, colours tell
nothing, and from the second on what they can."""

APART, BETWEEN = 25.0, 30.0
"""Grey levels per channel by which the two colours must differ, and by which a pixel may lie beside them."""

DEEP = (1.3, 2.2)
"""How far from the outline colours may change a pixel wholly, and from where on not at all; in reaches."""

_NEXT = [1, 2, 0]
"""Each channel's neighbour: the pairs of a covariance."""


def reach_in(crop: Square) -> int:
    """How far colours are asked, in pixels."""
    return max(2, round(NEAR * crop.side))


def disc(reach: int) -> Any:
    """A structuring element that reaches so many pixels."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))


def refined(image: Image, person: Floats, crop: Square) -> Floats:
    """Opacity along the outline from the colours on both of its sides."""
    colours = cv2.GaussianBlur(image, (0, 0), GRAIN).astype(np.float32)
    opacity, near = person, reach_in(crop)
    # Dark hair before a dark wall is the person's, whatever the face beside is like; a pale wall is not skin.
    inside, outside = (_close(mask, near) for mask in (person > 0.5, person <= 0.5))
    for reach in (near, 2 * near):
        found = _placed(colours, opacity, reach)
        if found is None:
            break
        share, trust = found
        change = trust * (share - opacity)
        opacity = np.asarray(opacity + np.where(change < 0, inside, outside) * change, np.float32)
    return opacity


def _close(mask: Any, reach: int) -> Any:
    """1 beside the mask and at its rim, 0 deep in it."""
    depth: Any = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return np.clip((DEEP[1] * reach - depth) / ((DEEP[1] - DEEP[0]) * reach), 0, 1)


def _placed(colours: Any, opacity: Floats, reach: int) -> tuple[Any, Any] | None:
    """Where each pixel's colour lies between the background's (0) and the person's (1) nearby.

    Within the spread of one side's colours a pixel is that side's: a bright strand in hair is no hole.

    Returns:
        that share, and in 0..1 how much it tells (0 beside the outline); None where there is no outline.
    """
    sure = cv2.erode((opacity > SURE).astype(np.uint8), disc(reach))
    none = cv2.erode((opacity <= NONE).astype(np.uint8), disc(reach))
    band = (sure == 0) & (none == 0)
    if not sure.any() or not none.any() or not band.any():
        return None
    behind, around = _nearby(colours, none, 2 * reach)
    own, within = _nearby(colours, sure, 2 * reach)
    across, seen = own - behind, colours - behind
    length = np.maximum(_dot(across, across), 1)
    share = _dot(seen, across) / length
    seen -= share[..., None] * across
    spread = SPREAD / length
    # The more a pixel is the person's by the outline, the more it may be one of the person's other colours.
    low, high = spread * _along(across, around), 1 - opacity * spread * _along(across, within)
    room = high - low
    vague = around[..., :3].sum(axis=2) + within[..., :3].sum(axis=2)
    fits = np.exp(-_dot(seen, seen) / (2 * BETWEEN**2 + 2 * vague))
    told = np.clip((room - LEAST_ROOM) / (ENOUGH - LEAST_ROOM), 0, 1) * length / (length + 3 * APART**2)
    return np.clip((share - low) / np.maximum(room, LEAST_ROOM), 0, 1), band * fits * told


def _along(across: Any, covariance: Any) -> Any:
    """Standard deviation along ``across`` ``(H, W, 3)``, times its length."""
    variances = _dot(np.square(across), covariance[..., :3])
    mixed = _dot(across * across[..., _NEXT], covariance[..., 3:])
    return np.sqrt(np.maximum(variances + 2 * mixed, 0))


def _dot(one: Any, other: Any) -> Any:
    return np.einsum("ijc,ijc->ij", one, other)


def _nearby(colours: Any, known: Any, reach: int) -> tuple[Any, Any]:
    """The colours of what is ``known`` nearby; of what is further away where nothing is near.

    Returns:
        ``(H, W, 3)`` their mean, and ``(H, W, 6)`` their covariance: of red, green and blue with themselves,
        then of each with the next.
    """
    moments: Any = np.dstack(
        [colours, np.square(colours), colours * colours[..., _NEXT], np.ones_like(known)]
    )
    moments *= known[..., None]
    height, width = known.shape
    # Means vary slowly: half the size does.
    moments = cv2.resize(moments, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    sums: Any = np.zeros_like(moments)
    for step, wide in enumerate((1, 3, 9)):
        window = (wide * reach | 1,) * 2
        sums += np.float32(1e-3**step) * cv2.blur(moments, window)
    sums /= np.maximum(sums[..., 9:], 1e-9)
    sums[..., 3:6] -= np.square(sums[..., :3])
    sums[..., 6:9] -= sums[..., :3] * sums[..., _NEXT]
    found: Any = cv2.resize(sums, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(found[..., :3]), np.ascontiguousarray(found[..., 3:9])
