"""The light on a driver's skin on an avatar's: folds and shading, drawn into the finished image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.person.boxes import Box
from mien.engine.motion import Motion
from mien.engine.types import Image
from mien.engine.utils.sampling import sample

PLACES = 96
"""Places across the moving part at which light is looked up: the layout's nodes are no nearer together."""

UNIT = 230
"""Steps of a gain of one: bytes are multiplied in half the time of floats, and no pixel differs by more than
a grey level."""

STRIP = 128
"""Rows that are multiplied at once: a processor's cache holds them."""

WARMTH = (0.65, 1.13, 1.24)
"""Powers of the gain that red, green and blue have: light that has been through skin is red.  With one for
all, folds in a fair face were grey-green blotches.  Of skin's light they change what one for all does."""

LEAST = 0.006
"""Change of brightness below which nothing is drawn: less than a grey level and a half."""


@dataclass(frozen=True, slots=True)
class Folds:
    """Light on the skin in one frame.

    Attributes:
        box: rows and columns of the moving part.
        gain: ``(rows, columns) uint8`` what the image is multiplied by there, in steps of 1 / :data:`UNIT`.
    """

    box: Box
    gain: Image


def folds_of(motion: Motion, avatar: Avatar, canvas: Canvas, warp: Warp) -> Folds | None:
    """The light of a motion on an avatar; None where there is none."""
    light = motion.light
    if motion.shading is not None:
        shading = motion.shading.at_nodes()
        light = shading if light is None else light + shading
    if light is None:
        return None
    portrait = sample(light, avatar.grid.lookup)
    if max(float(portrait.max()), -float(portrait.min())) < LEAST:
        return None
    step = max(1, warp.shift.shape[2] // PLACES)
    rows, columns = (np.arange(0, size, step, dtype=np.float32) for size in warp.shift.shape[1:])
    to_grid = canvas.to_grid
    x = (warp.shift[0, ::step, ::step] + columns) * to_grid[0, 0] + to_grid[0, 2]
    y = (warp.shift[1, ::step, ::step] + rows[:, None]) * to_grid[1, 1] + to_grid[1, 2]
    light = sample(portrait, x, y)
    there: Any = np.abs(light) >= LEAST / 2
    if not there.any():
        return None
    (top, bottom), (left, right) = (_span(there.any(axis=axis)) for axis in (1, 0))
    part = cv2.convertScaleAbs(np.exp(light[top:bottom, left:right]), alpha=UNIT)
    # The last place is a pixel of the moving part, too.
    box = slice(top * step, (bottom - 1) * step + 1), slice(left * step, (right - 1) * step + 1)
    size = box[1].stop - box[1].start, box[0].stop - box[0].start
    to_part = np.array([[1 / step, 0, 0], [0, 1 / step, 0]], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    gain = cv2.warpAffine(part, to_part, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return Folds(box, np.asarray(gain, np.uint8))


def _span(there: Any) -> tuple[int, int]:
    """First index and the one after the last, with one more on each side where there is."""
    found = np.flatnonzero(there)
    return max(0, int(found[0]) - 1), min(len(there), int(found[-1]) + 2)


def draw_folds(canvas: Canvas, image: Image, folds: Folds | None, grey: bool = False) -> float:
    """Draw them, in place; milliseconds spent.

    Args:
        grey: whether the portrait has one tone, which shadows have, too.
    """
    if folds is None:
        return 0.0
    start = perf_counter()
    target = canvas.moving_part(image)[folds.box][..., :3]
    for top in range(0, len(target), STRIP):
        strip = target[top : top + STRIP]
        gain = folds.gain[top : top + STRIP]
        gains = cv2.merge([gain] * 3) if grey else cv2.LUT(cv2.merge([gain] * 3), _warm())
        strip[...] = cv2.multiply(np.ascontiguousarray(strip), gains, scale=1 / UNIT)
    return 1000 * (perf_counter() - start)


@lru_cache(maxsize=1)
def _warm() -> Image:
    """``(1, 256, 3) uint8`` the gain of red, green and blue for that of light."""
    gain = np.arange(256, dtype=np.float32)[:, None] / np.float32(UNIT)
    found = np.clip(np.rint(UNIT * gain ** np.array(WARMTH, np.float32)), 0, 255)
    return np.asarray(found[None], np.uint8)
