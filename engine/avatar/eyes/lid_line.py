"""The line on which shut lids meet: soft edges, and lashes in the colour of the portrait's own."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.eyes.lid_shade import darkened
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.sampling import sample

LASHES, ROOTS = (0.055, 0.022), (-0.16, 0.03, 7)
"""How far the lash line reaches above and below the lids' edge, widths of an eye; and where in the portrait
its colour is looked for, heights of the open eye below the upper edge, and at how many places."""

TAPER = (0.09, 0.34)
"""How far beyond an eye's corners the line ends, and within how far from there it becomes as thick as it is,
widths of an eye.  In 50 shut eyes it is half as dark at the corners as between them."""

SHADE = (0.18, 0.55)
"""How far beside the line its shadow on the skin ends, widths of an eye, and how dark it is right beside it,
as a share of the line.  With it, and a line of half the thickness and sharp, lids are as near to the same
people's as those with a blurred band were."""

THIN = 0.5
"""How thick the line of an open lid is, as a share of a shut one's."""

NEARBY = 8.0
"""How much more of the line is seen than there is of the eye's skin around it: at the corners there is
little."""

DARKER, FOLLOWS = 0.45, 0.62
"""How much darker than the lid the line is, logarithm of light: at least, and what is added of how much
darker the open eye's lashes are.  Of 80 people who blink the lines are darker by 0.6 to 1.2, where they are a
pixel or two."""

LIGHT = 12.0
"""Grey levels added before logarithms."""

DARK, SOFT = 0.95, 0.05
"""Opacity of the lash line on shut lids, and width of its soft edge, widths of an eye."""

FINEST = 1.5
"""Smallest such width, pixels: with less, a thin line that slants a little is a row of dashes."""

SOON = (0.0, 0.5)
"""How far an eye is shut from which on lids show cleared skin and a line of lashes, and wholly so: a lid that
is half shut is skin drawn out to twice its height, and showed what lashes and brows became by it."""

SOFTENED = 2.5
"""How soon lids' edges become soft, as a multiple of how far they are shut."""


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
    over, under = (3 + (reach + SHADE[0]) * width for reach in LASHES)
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
    there: Any = cv2.min(NEARBY * cv2.blur(seen[rows], (reach, reach)), 1.0)
    weight = lash_line(upper - first, part.shape, shut)
    weight *= np.float32(DARK * smoothstep(ramp(shut, SOON))) * there
    band = np.float32(1) - weight
    part[...] = cv2.blendLinear(np.full_like(part, lashes), soft, weight, band)


def lash_line(edge: Floats, shape: tuple[int, ...], shut: float = 1.0) -> Floats:
    """``(h, w) float32`` in 0..1: the line on which lids meet and its shadow, thin at the eye's corners.

    Args:
        edge: ``(9, 2)`` the upper lid's edge, from the eye's left corner to its right one, pixel indices.
        shape: height and width.
        shut: how far the eye is shut, 0..1: an open one's line is thin, and no shadow lies below it.
    """
    much = THIN + (1 - THIN) * shut
    along, down, width = _from_bow(edge, shape)
    # 1 between the corners, 0 beyond them.
    ends = np.abs(along - np.float32(0.5))
    np.subtract(np.float32(0.5 + TAPER[0]), ends, out=ends)
    ends *= np.float32(1 / TAPER[1])
    np.clip(ends, 0, 1, out=ends)
    ends *= 2 - ends
    above, below = np.float32(LASHES[0] * much), np.float32(LASHES[1] * shut)
    shade = np.float32(SHADE[1] * shut**3) * (down > 0)
    shade += np.float32(SHADE[1]) * (down <= 0)
    away = np.abs(down + (above - below) / 2 * ends)
    away -= (above + below) / 2 * ends
    core = np.clip(np.float32(0.5) - away * np.float32(1 / max(SOFT, FINEST / width)), 0, 1)
    core *= core * (3 - 2 * core)
    away *= np.float32(-1 / (SHADE[0] * much))
    away += 1
    np.clip(away, 0, 1, out=away)
    away *= away
    away *= shade
    np.maximum(core, away, out=core)
    core *= np.minimum(ends, np.float32(0.5))
    core *= 2
    return np.asarray(core, np.float32)


def _from_bow(edge: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats, float]:
    """Where pixels are along a lid's edge and how far below it, widths of the eye; and that width, pixels.

    The edge is taken for a parabola: a squint's landmarks make it wavy.
    """
    across = edge[-1] - edge[0]
    width = max(float(np.hypot(*across)), 1e-3)
    right = across / np.float32(width**2)
    x = np.arange(shape[1], dtype=np.float32) - edge[0, 0]
    y = (np.arange(shape[0], dtype=np.float32) - edge[0, 1])[:, None]
    along, down = x * right[0] + y * right[1], y * right[0] - x * right[1]
    bow = _bow(len(edge)) @ ((edge - edge[0]) @ np.array([-right[1], right[0]], np.float32))
    down -= (bow[2] * along + bow[1]) * along + bow[0]
    return along, down, width


@lru_cache(maxsize=1)
def _bow(count: int) -> Floats:
    """``(3, count)`` weights of an edge's points in the coefficients of its parabola."""
    places = np.linspace(0, 1, count)[:, None] ** np.arange(3)
    return np.asarray(np.linalg.pinv(places), np.float32)


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
