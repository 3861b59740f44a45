"""The outline of a turned head, without steps: where the map jumps, its two sides meet in one smooth edge.

Where a turn folds the head, pixels beside each other show places far apart.  The sheet's raster is coarser
than the canvas and the face passes into it over a few pixels, so that the map runs through all that lies
between the two places: a dark, stepped line, hair and wall squeezed into two pixels.  There an edge of one
pixel runs where the map has come half of its way, and what is seen close to it on both sides, in colours that
are multiplied by their opacity, goes on up to it.  Jumps are looked for in a canvas's *cells*: of one pixel,
or of 2 x 2 of a large canvas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.person.boxes import Box, scaled, widened
from mien.engine.avatar.person.changes import PAIR, Changes, step_of
from mien.engine.types import Floats, Image
from mien.engine.utils.sampling import sample

STEEP = 6.0
"""By how many portrait pixels per pixel the map changes where it jumps: more than the limb of a round head is
foreshortened, or a chin squeezed by an opened mouth."""

OF_MOST, NEAR = 0.4, 7
"""Share of the greatest change within a window of so many cells from which on a place is of the jump: hair
beside it that is foreshortened is there."""

WIDE = 6
"""Cells from which on what changes is no jump, but a strip that is foreshortened, and stays."""

WAY = 2
"""Cells around a place that tell where the edge is: the sheet's raster has steps of up to 2.7 pixels."""

SMOOTH = 2.5
"""Standard deviation of their weights, cells."""

BESIDE = 2.5
"""Cells from the edge at which its two sides are seen as they are."""

EDGE = 1.3
"""Pixels over which one side passes into the other."""

PARTS = (4, 2)
"""Rows and columns of parts in which jumps are looked for, so that a long outline has small boxes."""

LEAST_AREA = 0.4
"""Cells of a part that jump at least, per cell of the canvas's longer side: an outline is long; what is short
is a steep place of skin."""

FACE = 18
"""Window, in pixels, within which there is nothing but face where jumps are cuts and folds of its own
and stay: its raster has the canvas's pixels, and no line."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Where a map jumps, ``N`` of ``h`` x ``w`` cells.

    Attributes:
        step: pixels per side of a cell.
        size: ``h`` and ``w``.
        boxes: rows and columns of the parts in which it does, cells.
        cells: ``(2, N)`` x and y of those that jump.
        normal: ``(2, N)`` x and y of a unit vector across the edge there.
        distance: ``(N,)`` how far along it a cell's first pixel is from the edge, pixels.
    """

    step: int
    size: tuple[int, int]
    boxes: tuple[Box, ...]
    cells: NDArray[np.intp]
    normal: Floats
    distance: Floats

    @staticmethod
    def of(changes: Changes, cuts: Image) -> Outline | None:
        """Where a map jumps; None where it does not.

        Args:
            changes: the map's.
            cuts: as from :func:`inside_of`: 255 where jumps are the face's own, and stay.
        """
        step, change, pair = changes.step, changes.most, np.ones(PAIR, np.uint8)
        steep = cv2.countNonZero(cv2.compare(change, STEEP, cv2.CMP_GT))  # type: ignore[call-overload]
        if len(pair) ** 2 * steep < LEAST_AREA * max(change.shape):
            return None  # each makes four cells at most: too few, as in most frames of a turned head
        most = cv2.convertScaleAbs(cv2.dilate(change, np.ones((NEAR, NEAR), np.uint8)), alpha=OF_MOST)
        jumps: Any = cv2.compare(change, cv2.max(most, STEEP), cv2.CMP_GT)
        # Both of the two that differ, and no more: beside them is hair that is there.
        cv2.dilate(jumps, pair, jumps, (0, 0))
        wide = cv2.morphologyEx(jumps, cv2.MORPH_OPEN, np.ones((WIDE, WIDE), np.uint8))
        cv2.subtract(jumps, cv2.max(cuts, wide), jumps)
        boxes = tuple(box for part in _parts(jumps.shape) if (box := _bounds(jumps, part)) is not None)
        if not boxes:
            return None
        kept = np.zeros_like(jumps)
        for box in boxes:
            kept[box] = jumps[box]
        cells = np.stack(np.nonzero(kept)[::-1])
        steeper = changes.down[cells[1], cells[0]] > changes.across[cells[1], cells[0]]
        normal, distance = _edge(changes.planes, cells, steeper)
        return Outline(step, jumps.shape, boxes, cells, normal, distance * np.float32(step))

    def soften(self, layer: Image, box: Box) -> None:
        """Let the two sides meet where the map jumps.

        Args:
            layer: ``(rows, columns, C) uint8`` the person, colours times opacity, then opacity;
                changed in place.
            box: the rows and columns of the canvas that it covers.
        """
        x, y = self.step * self.cells
        rows, columns = box
        there = (x >= columns.start) & (x + self.step <= columns.stop)
        there &= (y >= rows.start) & (y + self.step <= rows.stop)
        if not there.any():
            return
        beside, (across, down) = np.float32(BESIDE * self.step), self.normal[:, there]
        from_edge = np.clip(self.distance[there], -beside, beside)
        x, y = x[there] - columns.start, y[there] - rows.start
        sides = np.stack([-beside - from_edge, beside - from_edge]).astype(np.float32)
        at = np.stack([x + sides * across, y + sides * down]).astype(np.float32)
        low, high = sample(layer, *at).astype(np.float32)
        for right, below in product(range(self.step), repeat=2):
            share = np.clip((from_edge + right * across + below * down) * np.float32(1 / EDGE) + 0.5, 0, 1)
            layer[y + below, x + right] = low + share[:, None] * (high - low) + np.float32(0.5)

    def changed(self) -> NDArray[np.bool_]:
        """``(H, W)`` pixels that :meth:`soften` changes, of whole cells."""
        found = np.zeros(self.size, bool)
        found[self.cells[1], self.cells[0]] = True
        return found.repeat(self.step, 0).repeat(self.step, 1)

    def parts(self) -> list[tuple[Box, NDArray[np.bool_]]]:
        """For each box the part of the canvas that counts, and where :meth:`soften` changes it."""
        changed, reach = self.changed(), int(2 * BESIDE) + 1
        found = []
        for box in self.boxes:
            wide, own = (scaled(cells, self.step) for cells in (widened(box, reach, self.size), box))
            inner = np.zeros_like(changed)
            inner[own] = changed[own]
            found.append((wide, inner[wide]))
        return found


def inside_of(layers: Floats, box: Box, size: tuple[int, int]) -> Image:
    """Where jumps are the face's own, for :meth:`Outline.of`, cell by cell.

    Args:
        layers: ``(rows, columns)`` of ``box``: 0 beside the face, 1 on its skin, 2 and more in openings.
        size: height and width of the canvas.
    """
    step = step_of(size)
    cuts = np.zeros((size[0] // step, size[1] // step), np.uint8)
    rows, columns = (slice(-(-part.start // step), part.stop // step) for part in box)
    y, x = step * rows.start - box[0].start, step * columns.start - box[1].start
    small: Any = layers[
        y : y + step * (rows.stop - rows.start) : step, x : x + step * (columns.stop - columns.start) : step
    ]
    skin: Any = cv2.compare(small, 0.5, cv2.CMP_GT)  # type: ignore[call-overload]
    cuts[rows, columns] = cv2.erode(skin, np.ones((FACE // step, FACE // step), np.uint8))
    return cuts


def _parts(size: tuple[int, ...]) -> list[Box]:
    rows, columns = (
        [slice(length * at // count, length * (at + 1) // count) for at in range(count)]
        for length, count in zip(size, PARTS, strict=True)
    )
    return list(product(rows, columns))


def _bounds(jumps: Any, part: Box) -> Box | None:
    """The rows and columns of a part in which the map jumps."""
    inner = jumps[part]
    # An outline may run along the border of two parts.
    rows, columns = (slice(max(0, side.start - 3), side.stop + 3) for side in part)
    if cv2.countNonZero(jumps[rows, columns]) < LEAST_AREA * max(jumps.shape) or not cv2.hasNonZero(inner):
        return None
    left, top, width, height = cv2.boundingRect(inner)
    top, left = top + part[0].start, left + part[1].start
    return slice(top, top + height), slice(left, left + width)


def _edge(planes: Floats, cells: NDArray[np.intp], plane: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """A unit vector across the edge, ``(2, N)``, and how far along it each cell is from it, ``(N,)``; cells.

    Args:
        planes: ``(2, h, w)`` the map's displacement.
        cells: ``(2, N)`` x and y of the cells.
        plane: ``(N,)`` in which of the planes it changes more.
    """
    _, height, width = planes.shape
    offsets, weights = _window()
    # Next to the border of the canvas its neighbour tells.
    x, y = np.clip(cells[0], WAY, width - 1 - WAY), np.clip(cells[1], WAY, height - 1 - WAY)
    at = (plane * height + y) * width + x
    around = planes.ravel()[at + (offsets[1] * width + offsets[0])[:, None]]
    value, across, down = weights @ around
    steep = np.maximum(np.hypot(across, down), np.float32(1e-3))
    middle = np.float32(0.5) * (around.min(axis=0) + around.max(axis=0))
    across, down = across / steep, down / steep
    distance = (value - middle) / steep + across * (cells[0] - x) + down * (cells[1] - y)
    return np.stack([across, down]), np.asarray(distance, np.float32)


@lru_cache(maxsize=1)
def _window() -> tuple[NDArray[np.intp], Floats]:
    """Columns and rows of what is around a cell, ``(2, K)``; ``(3, K)`` weights of its mean and slope."""
    y, x = (axis.ravel() for axis in np.mgrid[-WAY : WAY + 1, -WAY : WAY + 1])
    near = np.exp(-(x**2 + y**2) / (2 * SMOOTH**2))
    slopes = [near * axis / (near * axis**2).sum() for axis in (x, y)]
    return np.stack([x, y]), np.stack([near / near.sum(), *slopes]).astype(np.float32)
