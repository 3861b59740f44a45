"""How fast a map changes, in a canvas's *cells*: of one pixel, or of 2 x 2 of a large canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.types import Floats, Image

LARGE = 384
"""Pixels of a canvas's longer side from which on its cells are of 2 x 2: of 256, such a cell is as wide as
the strip of hair beside a cheek."""

PAIR = (2, 2)
"""Cells between which a change is measured."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a map, in ``h`` x ``w`` cells.

    Attributes:
        step: pixels per side of a cell.
        planes: ``(2, h, w)`` the map's displacement, pixels.
        across, down: ``(h, w)`` by how much its x and its y change to the next cells.
        most: ``(h, w) uint8`` the greater of them, portrait pixels per pixel.
    """

    step: int
    planes: Floats
    across: Floats
    down: Floats
    most: Image

    @staticmethod
    def of(shift: Floats) -> Changes:
        """Of a map ``(2, H, W)``."""
        step = step_of(shift.shape[1:])
        height, width = shift.shape[1:]
        part: Any = shift[:, : height // step * step : step, : width // step * step : step]
        planes: Any = np.array(part, np.float32, order="C")
        pair = np.ones(PAIR, np.uint8)
        x, y = (cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, pair) for plane in planes)
        most: Any = cv2.convertScaleAbs(cv2.max(x, y), alpha=1 / step)
        return Changes(step, planes, np.asarray(x), np.asarray(y), most)


def step_of(size: tuple[int, ...]) -> int:
    """Pixels per side of a cell of a canvas of this height and width."""
    return 2 if max(size) >= LARGE else 1
