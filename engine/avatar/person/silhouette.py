"""Where the person of a layer is, row by row: beyond that nothing of them is to be looked up or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.person.boxes import Box
from mien.engine.types import Floats, Image
from mien.engine.utils.images import range_of

STRIP = 64
"""Rows of a strip: few enough to follow head and shoulders, and for a processor's cache."""

KERNEL = 3
"""Pixels that the cubic kernel reaches, and one."""


@dataclass(frozen=True, slots=True, eq=False)
class Silhouette:
    """A person's first and last column in each row of a layer, as far as a lookup reaches them.

    Positions are pixels of the moving part, as it is at rest.

    Attributes:
        top: row of the first entry.
        first, last: ``(R,)`` the first column and the one after the last; where there is nobody in a row, the
            first comes after the last.
    """

    top: int
    first: NDArray[np.intp]
    last: NDArray[np.intp]

    @staticmethod
    def of(layer: Image, corner: tuple[int, int]) -> Silhouette:
        """Of a layer ``(H, W, 4) uint8``.

        Args:
            corner: column and row of the layer that the moving part's first pixel shows at rest.
        """
        there: Any = layer.max(axis=2) > 0
        width = there.shape[1]
        somebody = there.any(axis=1)
        first = np.where(somebody, there.argmax(axis=1), width) - corner[0] - KERNEL
        last = np.where(somebody, width - there[:, ::-1].argmax(axis=1), 0) - corner[0] + KERNEL
        rows = np.flatnonzero(somebody)
        low, high = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
        around = KERNEL, KERNEL
        first = np.pad(first[low:high], around, mode="constant", constant_values=width - corner[0])
        last = np.pad(last[low:high], around, mode="constant", constant_values=-corner[0])
        # What is in a row may be seen in those beside it.
        rows_around = np.arange(len(first))[:, None] + np.arange(-KERNEL, KERNEL + 1)
        rows_around = np.clip(rows_around, 0, max(len(first) - 1, 0))
        return Silhouette(
            int(low) - corner[1] - KERNEL, first[rows_around].min(axis=1), last[rows_around].max(axis=1)
        )

    def strips(self, shift: Floats) -> list[Box]:
        """Rows and columns of the moving part, strip by strip, beyond which no pixel shows the person.

        Args:
            shift: ``(2, h, w)`` from each pixel to the place that it shows, pixels.
        """
        height, width = shift.shape[1:]
        x, y = shift
        found = []
        for start in range(0, height, STRIP):
            stop = min(start + STRIP, height)
            left, right = range_of(x[start:stop])
            above, below = range_of(y[start:stop])
            begin = max(start, floor(self.top - below))
            end = min(stop, ceil(self.top + len(self.first) - above))
            rows = slice(max(0, floor(begin + above) - self.top), max(0, ceil(end + below) - self.top))
            if begin >= end or rows.start >= min(rows.stop, len(self.first)):
                continue
            low = max(0, floor(int(self.first[rows].min()) - right))
            high = min(width, ceil(int(self.last[rows].max()) - left))
            if low < high:
                found.append((slice(begin, end), slice(low, high)))
        return found
