"""Uniform bars along a portrait's borders, as of letterboxed, scanned, rotated and aligned photos.

They are a window: they stay as they are, straight and still, and the face moves behind them.  What is between
them is a portrait of its own that ends where it ends; what a slanted bar hides of its rectangle is filled in
with what is beside the bar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.person.bar_edges import Edge, bars_among, nearest_edge
from mien.engine.types import Bools, Face, Floats, Image

SHOWN = 0.2
"""Share of an image that bars leave free at least."""

MIXED, DEEPEST = 0.15, 3
"""Share of a bar's colour in a pixel from which on the pixel is the bar's, and how many such rows are looked
for: an edge was often scaled."""

LINE = 0.05
"""The same, or of its opposite, of one more row that differs so from the next, too: an edge that was scaled
rings.  Moved with a forehead, it was a thin line."""

CONTRAST = 25.0
"""Grey levels between a bar and what is beside it from which on shares of both can be told."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """The bars of a portrait.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB, the whole portrait.
        box: the rectangle around what they leave free.
        inner: ``(h, w, 3) uint8`` RGB, what is there, bars filled in.
        free: ``(h, w) uint8`` 255 where they leave it free; None where they do everywhere.
    """

    image: Image
    box: Box
    inner: Image
    free: Image | None

    @staticmethod
    def of(image: Image) -> Bars | None:
        """The bars of ``image`` ``(H, W, 3) uint8`` (5 ms at 256 x 256); None where it has none."""
        sides = [np.ascontiguousarray(np.rot90(image, side)) for side in range(4)]
        edges = bars_among([nearest_edge(side) for side in sides], [side.shape[1] for side in sides])
        if not any(edges):
            return None
        filled, covered = image, np.zeros(image.shape[:2], bool)
        for side, edge in enumerate(edges):
            if edge is not None:
                rows = _rows_of(sides[side], edge)
                covered |= np.rot90(_above(rows, sides[side].shape[0]), -side)
                filled = np.rot90(_filled(np.ascontiguousarray(np.rot90(filled, side)), rows), -side)
        open_rows, open_columns = (np.flatnonzero(~covered.all(axis=axis)) for axis in (1, 0))
        if (~covered).mean() < SHOWN:
            return None
        left, right = int(open_columns[0]), int(open_columns[-1]) + 1
        top, bottom = int(open_rows[0]), int(open_rows[-1]) + 1
        inner = np.ascontiguousarray(filled[top:bottom, left:right])
        free = np.asarray(255 * ~covered[top:bottom, left:right], np.uint8)
        return Bars(image, (left, top, right, bottom), inner, None if free.all() else free)

    def within(self, crop: Square) -> Square:
        """A square of the whole portrait as one of :attr:`inner`."""
        return Square(crop.x - self.box[0], crop.y - self.box[1], crop.side)

    def moved(self, points: Floats) -> Floats:
        """Points ``(N, 2+)`` of the whole portrait as points of :attr:`inner`."""
        found: Floats = points.copy()
        found[:, :2] -= np.array(self.box[:2], np.float32)
        return found

    def seen(self, face: Face) -> Face:
        """A face of the whole portrait as one of :attr:`inner`."""
        return replace(face, landmarks=self.moved(face.landmarks))

    def around(self, values: Floats) -> Floats:
        """Values of :attr:`inner` ``(h, w)`` as values of the whole portrait; below bars they go on."""
        left, top, right, bottom = self.box
        height, width = self.image.shape[:2]
        rims = top, height - bottom, left, width - right
        return np.asarray(cv2.copyMakeBorder(values, *rims, cv2.BORDER_REPLICATE), np.float32)

    def before(self, inner: Image) -> Image:
        """``(H, W, 3) uint8`` the bars before ``inner`` ``(h, w, 3)``; a new array."""
        left, top, right, bottom = self.box
        found: Image = self.image.copy()
        part = found[top:bottom, left:right]
        if self.free is None:
            part[...] = inner
        else:
            cv2.copyTo(inner, self.free, part)
        return found


def _above(rows: Floats, height: int) -> Bools:
    """``(height, W)`` where pixels lie within so many rows from the top."""
    return np.asarray(np.arange(height)[:, None] < rows, bool)


def _rows_of(image: Image, edge: Edge) -> Floats:
    """``(W,)`` how many whole rows are the bar's at the top, those included that are so in part."""
    rows = edge.rows(image.shape[1])
    if np.ptp(rows) < 1:
        rows = np.full_like(rows, np.median(rows).round())
    whole = np.ceil(rows - np.float32(0.05)) + np.float32(_mixed_rows(image, edge))
    return np.asarray(np.where(rows >= 1, whole, 0), np.float32)


def _mixed_rows(image: Image, edge: Edge) -> int:
    """How many rows beyond an edge at the top are partly of the bar's colour."""
    height, width = image.shape[:2]
    columns, rows = np.arange(width), edge.rows(width)
    columns, rows = columns[rows >= 1], np.floor(rows[rows >= 1] + 0.5).astype(int)
    places = (np.clip(rows + down, 0, height - 1) for down in range(-2, DEEPEST + 2))
    seen = [image[place, columns].astype(np.float32) for place in places]
    bar, beside = seen[0], seen[-1]
    across = beside - bar
    length = (across**2).sum(axis=1)
    told = length > CONTRAST**2
    if not told.any():
        return 1
    shares = [
        float(np.median(((beside - row) * across).sum(axis=1)[told] / length[told])) for row in seen[2:-1]
    ]
    found = max((down + 1 for down in range(DEEPEST) if shares[down] > MIXED), default=0)
    # What only shades off into the next rows is the picture's.
    if found < DEEPEST and abs(shares[found]) > LINE and abs(shares[found] - shares[found + 1]) > LINE:
        found += 1
    return found if edge.upright else max(found, 1)


def _filled(image: Image, rows: Floats) -> Image:
    """``image`` whose first ``rows`` ``(W,)`` of each column show what is below them, as in a mirror."""
    height, width = image.shape[:2]
    deep = min(height, int(np.ceil(rows.max())) + 1)
    y, x = np.meshgrid(np.arange(deep, dtype=np.float32), np.arange(width, dtype=np.float32), indexing="ij")
    below = np.where(y < rows, np.minimum(2 * rows - y, height - 1), y).astype(np.float32)
    found: Image = image.copy()
    found[:deep] = cv2.remap(image, x, below, cv2.INTER_LINEAR)
    return found
