"""Edges of uniform bars along an image's borders: straight lines at which one colour ends.

A bar is told from a plain wall behind a head by its end.  What is seen beside a bar begins at one straight
line along all of it; before a wall a head begins where it is round, and only its top touches such a line.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.types import Floats, Image

ALIKE = (6, 14)
"""Grey levels by which a channel of a bar's pixel may differ from the bar's colour: beside a dark image less,
and as much as JPEG's ringing at an edge."""

DEEPEST = 0.45
"""Share of an image's side up to which a bar may reach from there."""

LEAST = 0.1
"""Share of a side along which something that is no bar must begin at the line."""

STEEPEST, SLOPES = 0.6, 61
"""By how much a bar's edge may lean at most, and how many slopes are tried."""

COLUMNS = 256
"""At how many places along a side slopes are tried."""

NEAR = 1 / 320
"""How far from a line what begins there may begin, in the image's longer sides; 1.2 pixels at least.  A bar
is deeper by a pixel: of less, any row of a painting was one, and it is a bar beside others only."""

EVEN = 0.7
"""Pixels by which the end of a thin bar, which only goes with others, may vary."""

MET, MET_BESIDE, CROSSED = 0.8, 0.5, 0.01
"""Share of an upright bar's length along which something begins at its line, at least; the same where another
bar is there already (a dark coat beside black); and share along which something begins before it, at most."""

UPRIGHT, SLANTED, LONG, SAME = 0.02, 0.95, 0.35, 0.02
"""Slope up to which a bar is upright; of others the share that is met, and the length in sides of the image.
Shorter ones are corners of an image that was rotated, and have another bar's slope, which corners of walls
beside hair and shoulders have not (50 of 2589 stills have such a corner)."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a bar at the top of an image ends: at row ``slope * column + first``.

    Attributes:
        slope, first: of the line.
        met: share of the bar's length along which something begins at that line.
        crossed: share along which something begins before it.
        thin: whether it is one or two pixels deep.
    """

    slope: float
    first: float
    met: float
    crossed: float
    thin: bool = False

    @property
    def upright(self) -> bool:
        """Whether it runs along the side."""
        return abs(self.slope) <= UPRIGHT

    def is_bar(self, width: int) -> bool:
        """Whether it is a bar's by itself, of a side of ``width`` pixels."""
        if self.thin or self.crossed > CROSSED or self.met < (MET if self.upright else SLANTED):
            return False
        return self.upright or bool((self.rows(width) >= 1).mean() > LONG)

    def is_bar_beside(self, others: list[Edge], sure: list[Edge]) -> bool:
        """Whether it is one beside other sides' edges, of which some are surely bars'."""
        if self.crossed > CROSSED:
            return False
        if self.thin:
            return any(edge.upright for edge in sure)
        if self.met >= MET_BESIDE and any(self.upright or self._same_slope(edge) for edge in sure):
            return True
        return self.met >= SLANTED and any(self._same_slope(edge) and edge.met >= SLANTED for edge in others)

    def _same_slope(self, other: Edge) -> bool:
        return abs(other.slope - self.slope) < SAME

    def rows(self, width: int) -> Floats:
        """``(width,)`` how many rows of each column are the bar's."""
        line = np.float32(self.slope) * np.arange(width, dtype=np.float32) + np.float32(self.first)
        return np.asarray(np.maximum(line, 0), np.float32)


def bars_among(edges: list[Edge | None], widths: list[int]) -> list[Edge | None]:
    """Those edges that are bars', of the four sides of an image, each as if it were the top one."""
    sides = list(zip(edges, widths, strict=True))
    sure = [edge for edge, width in sides if edge is not None and edge.is_bar(width)]
    found: list[Edge | None] = []
    for edge in edges:
        others = [other for other in edges if other is not None and other is not edge]
        kept = edge is not None and (edge in sure or edge.is_bar_beside(others, sure))
        found.append(edge if kept else None)
    return found


def nearest_edge(image: Image) -> Edge | None:
    """What comes nearest to a bar's edge, whether it is one or not."""
    near = max(1.2, NEAR * max(image.shape[:2]))
    edges = (_edge(depth, near) for depth in _depths(image))
    known = [edge for edge in edges if edge is not None]
    return max(known, key=lambda edge: edge.met - 10 * edge.crossed, default=None)


def _depths(image: Image) -> list[Floats]:
    """``(W,)`` how many pixels from the top are of one colour, for each that the border may have.

    Columns that are of that colour as far as bars reach are NaN: they tell nothing.
    """
    height, width = image.shape[:2]
    deep = image[: max(1, int(DEEPEST * height))]
    row = image[0].astype(np.float32)
    parts = [row, *np.array_split(row, 3), row[: width // 8 + 1], row[-width // 8 - 1 :]]
    colours: list[Floats] = []
    for part in parts:
        colour = np.median(part, axis=0).astype(np.float32)
        alike = (np.abs(row - colour).max(axis=1) <= ALIKE[1]).mean() > LEAST
        if alike and all(np.abs(colour - other).max() > ALIKE[0] for other in colours):
            colours.append(colour)
    found = []
    for colour in colours:
        for alike in ALIKE:
            same = cv2.inRange(deep, colour - alike, colour + alike)
            depth = np.argmin(same, axis=0).astype(np.float32)
            depth[same.all(axis=0)] = np.nan
            found.append(depth)
    return found


def _edge(depth: Floats, near: float) -> Edge | None:
    """The line at which most columns end that end somewhere."""
    width = len(depth)
    column = np.arange(width, dtype=np.float32)
    ends = depth >= 1
    if ends.sum() < LEAST * width:
        return None
    slope, first = _most_met(column[ends], depth[ends], near)
    for _ in range(3):
        on = ends & (np.abs(depth - slope * column - first) <= near)
        if on.sum() < 3:
            return None
        slope, first = (float(value) for value in np.polyfit(column[on], depth[on], 1))
    known = ~np.isnan(depth)
    line = slope * column + first
    along = known & (line >= 1)
    if along.sum() < LEAST * width:
        return None
    thin = bool(line.max() < near + 1)
    if thin and (np.abs(depth - first) <= EVEN)[known].mean() < SLANTED:
        return None
    met = float((np.abs(depth - line) <= near)[along].mean())
    crossed = float((depth < np.maximum(line, 0) - near)[known].mean())
    return Edge(slope, first, met, crossed, thin)


def _most_met(column: Floats, depth: Floats, near: float) -> tuple[float, float]:
    """Slope and first row of the line that most places are close to (Hough 1962)."""
    step = -(-len(column) // COLUMNS)
    column, depth = column[::step], depth[::step]
    slopes = np.linspace(-STEEPEST, STEEPEST, SLOPES, dtype=np.float32)
    firsts = depth - slopes[:, None] * column
    least = float(firsts.min())
    cells = ((firsts - least) / np.float32(near)).astype(np.intp)
    count = int(cells.max()) + 2
    cells += count * np.arange(SLOPES)[:, None]
    votes = np.bincount(cells.ravel(), minlength=SLOPES * count).reshape(SLOPES, count)
    votes[:, :-1] += votes[:, 1:].copy()  # a line between two cells counts in both
    best, cell = np.unravel_index(int(votes.argmax()), votes.shape)
    return float(slopes[best]), least + (float(cell) + 1) * near
