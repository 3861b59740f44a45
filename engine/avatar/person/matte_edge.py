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

FAINT = 0.03
"""Opacity up to which nothing is left: specks hung together with the person by less."""

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
    opacity: Floats = person.copy()
    near = reach_in(crop)
    # Dark hair before a dark wall is the person's, whatever the face beside is like; a pale wall is not skin.
    inside, outside = (_close(mask, near) for mask in (person > 0.5, person <= 0.5))
    for reach in (near, 2 * near):
        found = _placed(colours, opacity, reach)
        if found is None:
            break
        at, share, trust = found
        change = trust * (share - opacity[at])
        opacity[at] += np.where(change < 0, inside[at], outside[at]) * change
    opacity[opacity < FAINT] = 0.0
    return opacity


def _close(mask: Any, reach: int) -> Any:
    """1 beside the mask and at its rim, 0 deep in it."""
    depth: Any = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return np.clip((DEEP[1] * reach - depth) / ((DEEP[1] - DEEP[0]) * reach), 0, 1)


def _placed(colours: Any, opacity: Floats, reach: int) -> tuple[Any, Any, Any] | None:
    """Where pixels' colours lie between the background's (0) and the person's (1) nearby.

    Within the spread of one side's colours a pixel is that side's: a bright strand in hair is no hole.

    Returns:
        rows and columns of ``N`` pixels along the outline, ``(N,)`` that share, and in 0..1 how much it
        tells; None where there is no outline.
    """
    sure, none = _deep(opacity > SURE, reach), _deep(opacity <= NONE, reach)
    at = np.nonzero(~(sure | none))
    if not sure.any() or not none.any() or not len(at[0]):
        return None
    behind, around = _nearby(colours, none, 2 * reach, at)
    own, within = _nearby(colours, sure, 2 * reach, at)
    across, seen = own - behind, colours[at] - behind
    length = np.maximum(_dot(across, across), 1)
    share = _dot(seen, across) / length
    seen -= share[..., None] * across
    spread = SPREAD / length
    # The more a pixel is the person's by the outline, the more it may be one of the person's other colours.
    low, high = spread * _along(across, around), 1 - opacity[at] * spread * _along(across, within)
    room = high - low
    vague = around[..., :3].sum(axis=1) + within[..., :3].sum(axis=1)
    fits = np.exp(-_dot(seen, seen) / (2 * BETWEEN**2 + 2 * vague))
    told = np.clip((room - LEAST_ROOM) / (ENOUGH - LEAST_ROOM), 0, 1) * length / (length + 3 * APART**2)
    return at, np.clip((share - low) / np.maximum(room, LEAST_ROOM), 0, 1), fits * told


def _deep(mask: Any, reach: int) -> Any:
    """Where everything within ``reach`` is of the mask."""
    depth: Any = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return depth > reach


def _along(across: Any, covariance: Any) -> Any:
    """Standard deviation along ``across`` ``(N, 3)``, times its length."""
    variances = _dot(np.square(across), covariance[..., :3])
    mixed = _dot(across * across[..., _NEXT], covariance[..., 3:])
    return np.sqrt(np.maximum(variances + 2 * mixed, 0))


def _dot(one: Any, other: Any) -> Any:
    return np.einsum("ic,ic->i", one, other)


def _nearby(colours: Any, known: Any, reach: int, at: Any) -> tuple[Any, Any]:
    """The colours of what is ``known`` near pixels; of what is further away where nothing is near.

    Args:
        colours: ``(H, W, 3)``, and ``known`` ``(H, W)`` which of them count.
        reach: in pixels.
        at: rows and columns of ``N`` pixels.

    Returns:
        ``(N, 3)`` their mean, and ``(N, 6)`` their covariance: of red, green and blue with themselves, then
        of each with the next.
    """
    # Means vary slowly: a pixel in each of these rows and columns does.
    step = max(2, reach // 12)
    every = slice(step // 2, None, step)
    few, weight = colours[every, every], known[every, every].astype(np.float32)
    moments: Any = np.concatenate([few, np.square(few), few * few[..., _NEXT], np.ones_like(few)], axis=2)
    moments *= weight[..., None]
    sums: Any = np.zeros_like(moments)
    for far, wide in enumerate((1, 3, 9)):
        window = (round(wide * reach / step) | 1,) * 2
        sums += np.float32(1e-3**far) * cv2.blur(moments, window)
    sums = sums[..., :9] / np.maximum(sums[..., 9:10], 1e-9)
    size = colours.shape[1::-1]
    found: Any = cv2.resize(np.ascontiguousarray(sums), size, interpolation=cv2.INTER_LINEAR)[at]
    found[:, 3:6] -= np.square(found[:, :3])
    found[:, 6:] -= found[:, :3] * found[:, :3][:, _NEXT]
    return found[:, :3], found[:, 3:]
