"""Texture for a background that is filled in behind a person: what is beside them goes on.

Filled with the mean of what is around, a wall, a shelf or an old print's grain ended beside a head that moved
away, in a plain blur.  Its fine structure is repeated there instead: whole, not mirrored, which made whorls.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.types import Bools, Floats

COARSE = 0.02
"""Standard deviation of the blur that what is finer than it goes on of; sides of the crop."""

STEP, MOST = 0.13, 3
"""How far apart it is repeated, and how often at most; likewise.  What lies deeper no head uncovers."""

SOFT = 0.03
"""How far from the person and from the portrait's border, which often has a frame, it comes to count."""


def fine_structure(image: Floats, known: Bools, side: float) -> Floats:
    """What is finer than a blur, ``(H, W, 3)`` grey levels; 0 where the background is not known.

    Args:
        image: ``(H, W, 3)`` the portrait.
        known: ``(H, W)`` where that shows the background.
        side: of the crop, pixels.
    """
    seen = known.astype(np.float32)
    return np.asarray((image - _coarse(image, seen, COARSE * side)) * seen[..., None], np.float32)


def strength_of(fine: Floats) -> Floats:
    """``(H, W)`` how strong a structure is at each place; grey levels."""
    return np.asarray(np.abs(fine).mean(axis=2), np.float32)


def gone_on(fine: Floats, known: Bools, most: Floats, side: float) -> Floats:
    """What is to be added to a background without texture, ``(H, W, 3)`` grey levels; 0 where it is known.

    Args:
        fine: as from :func:`fine_structure`, and ``known`` and ``side`` likewise.
        most: ``(H, W)`` how strong it is to be at most: as it is next to the person.  A single edge further
            away is not to come back on a plain wall.
    """
    step, counts = max(round(STEP * side), 2), _counts(known, SOFT * side)
    fine = fine * counts[..., None]
    free, found = (~known).astype(np.float32), np.zeros_like(fine)
    # From near to far, each where those before leave room.
    for times in range(1, MOST + 1):
        for down, across in ((0, -1), (0, 1), (-1, 0)):
            shift = times * step * down, times * step * across
            (to_y, from_y), (to_x, from_x) = (
                _shifted(by, length) for by, length in zip(shift, known.shape, strict=True)
            )
            room = free[to_y, to_x]
            columns = np.flatnonzero(room.any(axis=0))
            if len(columns) == 0:
                continue
            part = slice(columns[0], columns[-1] + 1)
            taken = room[:, part, None] * fine[from_y, from_x][:, part]
            found[to_y, to_x][:, part] += taken
            room *= 1 - counts[from_y, from_x]
    strength = cv2.blur(strength_of(found), (2 * step // 3, 2 * step // 3))
    found *= np.minimum(1, most / np.maximum(strength, 1e-3))[..., None]
    return found


def _coarse(image: Floats, seen: Floats, blur: float) -> Floats:
    """``(H, W, 3)`` an image blurred, of what is ``seen`` alone."""
    reduced = 1 / max(1.0, blur / 3)
    weighted = np.concatenate([image * seen[..., None], seen[..., None]], axis=2)
    small = cv2.resize(weighted, None, fx=reduced, fy=reduced, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), blur * reduced)
    mean = small[..., :3] / np.maximum(small[..., 3:], 1e-3)
    return np.asarray(cv2.resize(mean, seen.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _counts(known: Bools, soft: float) -> Floats:
    """``(H, W)`` how far places count as background, 0..1: less next to the person and to the border."""
    framed = np.pad(known, 1).astype(np.uint8)
    away = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.asarray(np.clip(away / np.float32(max(soft, 1)) - 0.5, 0.0, 1.0), np.float32)


def _shifted(by: int, length: int) -> tuple[slice, slice]:
    """Where places go, and the places ``by`` further on that they take theirs from."""
    by = max(min(by, length), -length)
    return slice(max(0, -by), length - max(0, by)), slice(max(0, by), length - max(0, -by))
