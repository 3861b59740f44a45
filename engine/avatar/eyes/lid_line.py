"""The line on which shut lids meet: soft edges, and lashes in the colour of the portrait's own."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.eyes.lid_shade import darkened
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.images import filled
from mien.engine.utils.sampling import sample

LASHES, ROOTS = (0.08, 0.015), (-0.16, 0.03, 7)
"""How far the lash line reaches above and below the lids' edge, widths of an eye (with its soft edges it is
0.15 wide where it is half as dark, as in 80 people who blink); and where in the portrait its colour is looked
for, heights of the open eye below the upper edge, and at how many places."""

DARKER, FOLLOWS = 0.4, 0.57
"""How much darker than the lid the line is, logarithm of light: at least, and what is added of how much
darker the open eye's lashes are.  Of 80 people who blink the lines are darker by 0.6 to 1.2."""

LIGHT = 12.0
"""Grey levels added before logarithms."""

DARK, SOFT = 0.9, 0.03
"""Opacity of the lash line on shut lids, and standard deviation of its edge, widths of an
eye."""

FINEST = 0.7
"""Smallest such deviation, pixels: with less, a thin line that slants a little is a row of dashes."""

SOON = (0.0, 0.5)
"""How far an eye is shut from which on lids show cleared skin and a line of lashes, and wholly so: a lid that
is half shut is skin drawn out to twice its height, and showed what lashes and brows became by it."""

SOFTENED = 2.5
"""How soon lids' edges become soft, as a multiple of how far they are shut."""

ALONG = 33
"""Points of the lash line."""


def draw_edges(drawn: Image, seen: Floats, edges: tuple[Floats, Floats], lashes: Floats, shut: float) -> None:
    """Soften the lids' edges and draw the lash line, in place.

    The mesh draws edges in whole pixels: a stair where they slant, which moved along with every frame.

    Args:
        drawn: ``(h, w, 3) uint8`` an eye and what is around it.
        seen: ``(h, w) float32`` where its skin is not hidden, 0..1.
        edges: ``(9, 2)`` the upper and the lower lid's edge, pixel indices.
        lashes: ``(3,)`` their colour.
        shut: how far the eye is shut, 0..1.
    """
    upper, lower = edges
    width = float(np.hypot(*(upper[-1] - upper[0])))
    over, under = (3 + (reach + 1.6 * SOFT) * width for reach in LASHES)
    rows = slice(
        max(0, int(min(upper[:, 1].min(), lower[:, 1].min()) - over)),
        max(0, int(max(upper[:, 1].max(), lower[:, 1].max()) + under) + 1),
    )
    part = drawn[rows]
    if len(part) < 3:
        return
    first = np.array([0, rows.start], np.float32)
    band = np.zeros(part.shape[:2], np.float32)
    places = [np.round((edge - first) * 16).astype(np.int32) for edge in edges]
    cv2.polylines(band, places, False, min(1.0, SOFTENED * shut), 3, cv2.LINE_8, 4)
    soft: Any = cv2.blendLinear(cv2.GaussianBlur(part, (3, 3), 0.8), part, band, np.float32(1) - band)
    # A nose that hides the eye hides its lashes.
    reach = 2 * max(1, round(LASHES[0] * width)) + 1
    there: Any = cv2.min(3 * cv2.blur(seen[rows], (reach, reach)), 1.0)
    weight: Any = cv2.GaussianBlur(
        filled(lash_line(upper, shut) - first, part.shape), (0, 0), max(FINEST, SOFT * shut * width)
    )
    weight *= np.float32(DARK * smoothstep(ramp(shut, SOON))) * there
    band = np.float32(1) - weight
    part[...] = cv2.blendLinear(np.full_like(part, lashes), soft, weight, band)


def lash_line(edge: Floats, much: float = 1.0) -> Floats:
    """``(2 * ALONG, 2) float32`` outline of the line on which lids meet, thin at the eye's corners.

    Args:
        edge: ``(9, 2)`` the upper lid's edge, from the eye's left corner to its right one.
        much: share of its thickness.
    """
    across = edge[-1] - edge[0]
    width = max(float(np.hypot(*across)), 1e-3)
    down = np.array([-across[1], across[0]], np.float32) / width
    thick = (much * width * np.sin(np.linspace(0, np.pi, ALONG)) ** 0.8).astype(np.float32)[:, None]
    curve = _bow(len(edge)) @ edge
    above, below = LASHES
    return np.concatenate([curve - above * thick * down, (curve + below * thick * down)[::-1]])


@lru_cache(maxsize=1)
def _bow(count: int) -> Floats:
    """``(ALONG, count)`` weights of an edge's points in its parabola: a squint's landmarks make it wavy."""
    powers = np.arange(3)
    there, here = (np.linspace(-1, 1, steps)[:, None] ** powers for steps in (count, ALONG))
    return np.asarray(here @ np.linalg.pinv(there), np.float32)


def lash_colour(image: Image, upper: Floats, lower: Floats) -> Floats:
    """``(3,)`` the darkest that a portrait shows along the edge of its upper lid."""
    first, last, count = ROOTS
    share = np.linspace(first, last, count, dtype=np.float32)
    height = np.abs(lower - upper).max(axis=0)
    places = upper[1:-1, None] + share[None, :, None] * np.array([0, height[1]], np.float32)
    seen: Any = sample(image, places.astype(np.float32)).astype(np.float32)
    darkest = seen.sum(axis=2).argmin(axis=1)
    return np.asarray(np.median(seen[np.arange(len(seen)), darkest], axis=0), np.float32)


def line_colour(lashes: Floats, lid: Floats) -> Floats:
    """``(3,)`` the colour of the line on which lids meet: lashes and their shadow, in the skin's hue.

    Args:
        lashes: ``(3,)`` RGB of the open eye's.
        lid: ``(3,)`` RGB of the skin at the shut lid's edge.
    """
    here = np.log(lid + np.float32(LIGHT))
    darker = max(float((here - np.log(lashes + np.float32(LIGHT))).mean()), 0.0)
    change = np.float32(-DARKER - FOLLOWS * darker)
    return np.asarray(np.maximum(np.exp(darkened(here, change)) - np.float32(LIGHT), 0), np.float32)


def median_colour(colours: Floats, places: Floats) -> Floats:
    """``(3,)`` the median of ``(h, w, 3)`` colours at places ``(N, 2)``."""
    seen = sample(colours, places[None].astype(np.float32))[0]
    return np.asarray(np.median(seen, axis=0), np.float32)
