"""The outline of a turned head, without steps: where the map jumps, colours of both sides are mixed.

Where a turn folds the head, pixels beside each other show places far apart.  The sheet's raster is coarser
than the canvas and the face passes into it over a few pixels, so that the map runs through all that lies
between the two places: a dark, stepped line, hair and wall squeezed into two pixels.  Those pixels take the
mean of what is around them instead, in colours that are multiplied by their opacity.  Everything is done at
half the canvas's resolution, in *double pixels* of 2 x 2: the mean is smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats, Image

STEEP = 8.0
"""By how many portrait pixels the map changes from a double pixel to the next where it jumps: more than the
limb of a round head is foreshortened, or a chin squeezed by an opened mouth."""

SOFT, LEAST_SOFT = 1 / 512, 0.8
"""Standard deviation of the mean: in longer sides of the canvas counted in double pixels, and in those at
least, as a jump is marked three of them wide."""

AROUND = 4
"""Standard deviations around a jump from which colours are taken."""

CELLS = (4, 2)
"""Rows and columns of cells in which jumps are looked for, so that a long outline has small boxes."""

LEAST_SIDE = 384
"""Pixels of a canvas's longer side from which on its outline is softened: of 256 a double pixel is as wide as
the strip of hair beside a cheek, and twice as many frames counted as torn."""

LEAST_AREA = 0.4
"""Double pixels of a cell that jump at least, per double pixel of the canvas's longer side: an outline is
long; what is short is a steep place of skin."""

LEAST_WEIGHT = 1e-6
"""Weight of what is around from which on it has a mean."""

FACE = 9
"""Window, in double pixels, within which there is nothing but face where jumps are cuts and folds of its own
and stay: its raster has the canvas's pixels, and no line."""

Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Outline:
    """Where a map jumps.

    Attributes:
        jumps: ``(h / 2, w / 2) uint8`` double pixels: 255 where it jumps.
        boxes: rows and columns of the parts in which it does.
    """

    jumps: Image
    boxes: tuple[Box, ...]

    @staticmethod
    def of(shift: Floats, cuts: Image) -> Outline | None:
        """Where a map ``(2, h, w)`` jumps; None where it does not.

        Args:
            cuts: ``(h / 2, w / 2) uint8`` 255 where jumps are the face's own, and stay.
        """
        jumps: Any = np.zeros(cuts.shape, np.uint8)
        pair = np.ones((2, 2), np.uint8)
        for plane in shift:
            small = _halved(plane)
            change = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, pair)
            cv2.bitwise_or(jumps, _above(change, STEEP), jumps)
        # Both of the two that differ, and no more: beside them is hair that is there.
        cv2.dilate(jumps, np.ones((2, 2), np.uint8), jumps, (0, 0))
        cv2.subtract(jumps, cuts, jumps)
        boxes = tuple(box for cell in _cells(jumps.shape) if (box := _bounds(jumps, cell)) is not None)
        return Outline(jumps, boxes) if boxes else None

    def soften(self, layer: Image, box: Box) -> None:
        """Mix the colours of both sides where the map jumps.

        Args:
            layer: ``(rows, columns, C) uint8`` the person, colours times opacity, then opacity;
                changed in place.
            box: the rows and columns of the canvas that it covers.
        """
        deviation, around = self._reach()
        limits = [slice(-(-part.start // 2), part.stop // 2) for part in box]
        for inner in self.boxes:
            rows, columns = (
                slice(max(part.start - around, limit.start), min(part.stop + around, limit.stop, size))
                for part, limit, size in zip(inner, limits, self.jumps.shape, strict=True)
            )
            if rows.stop - rows.start < 1 or columns.stop - columns.start < 1:
                continue
            y, x = (
                slice(2 * part.start - whole.start, 2 * part.stop - whole.start)
                for part, whole in zip((rows, columns), box, strict=True)
            )
            jumps = self.jumps[rows, columns]
            mixed = np.zeros_like(jumps)
            own = tuple(
                slice(max(part.start - wide.start, 0), max(part.stop - wide.start, 0))
                for part, wide in zip(inner, (rows, columns), strict=True)
            )
            mixed[own] = jumps[own]
            _mix(layer[y, x], jumps, mixed, deviation)

    def parts(self) -> list[tuple[Box, NDArray[np.bool_]]]:
        """For each box the part of the canvas that counts, and where :meth:`soften` changes it."""
        _, around = self._reach()
        found = []
        for inner in self.boxes:
            wide = tuple(
                slice(max(part.start - around, 0), min(part.stop + around, size))
                for part, size in zip(inner, self.jumps.shape, strict=True)
            )
            changed = np.zeros(self.jumps.shape, bool)
            changed[inner] = self.jumps[inner] > 0
            rows, columns = (slice(2 * part.start, 2 * part.stop) for part in wide)
            found.append(((rows, columns), changed[wide].repeat(2, axis=0).repeat(2, axis=1)))
        return found

    def _reach(self) -> tuple[float, int]:
        """Standard deviation of the mean and how far around a jump it reaches."""
        deviation = max(2 * SOFT * max(self.jumps.shape), LEAST_SOFT)
        return deviation, ceil(AROUND * deviation)


def inside_of(layers: Floats, box: Box, size: tuple[int, int]) -> Image:
    """Where jumps are the face's own, for :meth:`Outline.of`.

    Args:
        layers: ``(rows, columns)`` of ``box``: 0 beside the face, 1 on its skin, 2 and more in openings.
        size: height and width of the canvas.
    """
    height, width = size
    cuts = np.zeros((height // 2, width // 2), np.uint8)
    rows, columns = (slice(-(-part.start // 2), part.stop // 2) for part in box)
    y, x = 2 * rows.start - box[0].start, 2 * columns.start - box[1].start
    small: Any = layers[
        y : y + 2 * (rows.stop - rows.start) : 2, x : x + 2 * (columns.stop - columns.start) : 2
    ]
    cuts[rows, columns] = cv2.erode(_above(small, 0.5), np.ones((FACE, FACE), np.uint8))
    return cuts


def _above(values: Any, least: float) -> Any:
    """255 where values are above ``least``: OpenCV's stubs do not know its scalars."""
    number: Any = least
    return cv2.compare(values, number, cv2.CMP_GT)


def _halved(plane: Any) -> Any:
    height, width = plane.shape
    return np.ascontiguousarray(plane[: height // 2 * 2 : 2, : width // 2 * 2 : 2])


def _cells(size: tuple[int, ...]) -> list[Box]:
    rows, columns = (
        [slice(length * at // count, length * (at + 1) // count) for at in range(count)]
        for length, count in zip(size, CELLS, strict=True)
    )
    return list(product(rows, columns))


def _bounds(jumps: Any, cell: Box) -> Box | None:
    """The rows and columns of a cell in which the map jumps."""
    part = jumps[cell]
    # An outline may run along the border of two cells.
    rows, columns = (slice(max(0, side.start - 3), side.stop + 3) for side in cell)
    if cv2.countNonZero(jumps[rows, columns]) < LEAST_AREA * max(jumps.shape) or not cv2.hasNonZero(part):
        return None
    left, top, width, height = cv2.boundingRect(part)
    top, left = top + cell[0].start, left + cell[1].start
    return slice(top, top + height), slice(left, left + width)


def _mix(part: Any, jumps: Image, mixed: Image, deviation: float) -> None:
    """The mean of what does not jump, where ``mixed`` says; ``part`` is changed in place."""
    height, width = jumps.shape
    sound = (jumps == 0).astype(np.float32)
    half = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    window = 2 * ceil(AROUND * deviation) + 1
    mean = cv2.GaussianBlur(half * sound[..., None], (window, window), deviation)
    weight = cv2.GaussianBlur(sound, (window, window), deviation)
    mean /= np.maximum(weight, LEAST_WEIGHT)[..., None]
    full = cv2.resize(np.asarray(mean + np.float32(0.5), np.uint8), (2 * width, 2 * height))
    usable = cv2.bitwise_and(mixed, _above(weight, LEAST_WEIGHT))
    cv2.copyTo(full, cv2.resize(usable, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST), part)
