"""What of an opacity hangs together with a portrait's face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats

LEVELS = 12
"""Opacities at which connection is looked at."""

NOSE = 1
"""Landmark that is on the person in every portrait."""


def with_the_face(mask: Any, points: Floats) -> Any:
    """``(H, W) uint8`` 1 where ``mask`` hangs together with the face.

    Args:
        mask: ``(H, W)`` of any type.
        points: ``(468+, 2)`` the face's landmarks, pixels.
    """
    height, width = mask.shape
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    column, row = np.clip(points[NOSE].astype(int), 0, (width - 1, height - 1))
    return (parts == parts[row, column]).astype(np.uint8)


def levels_with_the_face(opacity: Floats, points: Floats) -> Iterator[tuple[float, Any]]:
    """Levels from low to high, and :func:`with_the_face` of what is more opaque than the one before."""
    step = 1 / LEVELS
    for number in range(LEVELS):
        yield (number + 1) * step, with_the_face(opacity > np.float32(number * step), points)


def of_the_face(opacity: Floats, points: Floats, soft: float) -> Floats:
    """``opacity`` ``(H, W)`` as far as it hangs together with the face.

    Morphological reconstruction (Vincent 1993): a faint patch on a wall is left out, the soft edge of hair is
    not.

    Args:
        opacity: ``(H, W)`` in 0..1.
        points: ``(468+, 2)`` the face's landmarks, pixels.
        soft: pixels beside what is more than half opaque within which the rest is its soft edge; it ends at
            twice as many.
    """
    kept = np.zeros_like(opacity)
    for level, mine in levels_with_the_face(opacity, points):
        kept[mine > 0] = level
    away: Any = cv2.distanceTransform(1 - with_the_face(opacity > 0.5, points), cv2.DIST_L2, 3)
    return np.asarray(np.minimum(opacity, kept) * np.clip(2 - away / np.float32(soft), 0, 1), np.float32)
