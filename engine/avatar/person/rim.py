"""The rim of a turned head, without steps: a silhouette that a turn squeezes is drawn anew.

Where a turn foreshortens a head's side, one pixel is several of the portrait's.  Its matte has steps of two
to four pixels there, and so has the back of the head behind it.  Opacity is averaged there, and passes from
none to all within a pixel where it comes to a half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.person.boxes import Box, in_both, scaled, widened, within_box
from mien.engine.avatar.person.changes import Changes
from mien.engine.types import Image

STEEP = 2
"""Portrait pixels per pixel beyond which a silhouette has steps: a head that looks ahead has 1."""

AROUND = 5
"""How far around them it is drawn anew, and over how much that fades: 256ths of the canvas's longer side."""

MEAN = 7
"""Side of the windows of both means of the opacity, in the same unit: a Gaussian's of 2.8."""

LEAST_MEAN = 3
"""Side of those windows on the smallest canvases, pixels: of one, an edge would be no steeper than it is."""

SOFT = 1.1
"""Pixels over which the new edge passes from none to all."""

BAND = 64
"""Rows in which colours are averaged at once."""


@dataclass(frozen=True, slots=True)
class Rim:
    """Where a turned head's silhouette is drawn anew.

    Attributes:
        box: rows and columns of the moving part.
        share: ``(rows, columns) uint8`` how far it is, 255 for wholly.
        mean: side of the windows of a mean, pixels.
    """

    box: Box
    share: Image
    mean: int

    @staticmethod
    def of(changes: Changes, cuts: Image, size: tuple[int, int]) -> Rim | None:
        """The rim of a map, None where there is none.

        Args:
            changes: the map's.
            cuts: as from :func:`~mien.engine.avatar.person.outline.inside_of`: 255 on the face itself.
            size: height and width of the canvas.
        """
        unit, step = max(size) / 256, changes.step
        steep: Any = cv2.compare(changes.most, STEEP, cv2.CMP_GT)  # type: ignore[call-overload]
        cv2.subtract(steep, cuts, steep)
        if not cv2.hasNonZero(steep):
            return None
        left, top, width, height = cv2.boundingRect(steep)
        around = _odd(AROUND * unit / step)
        inner = slice(top, top + height), slice(left, left + width)
        rows, columns = widened(inner, 2 * around, steep.shape)
        wide = cv2.dilate(steep[rows, columns], np.ones((around, around), np.uint8))
        share: Any = cv2.blur(wide, (around, around))
        if step > 1:
            share = cv2.resize(share, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
        return Rim(
            scaled((rows, columns), step), np.asarray(share, np.uint8), max(_odd(MEAN * unit), LEAST_MEAN)
        )

    def smooth(self, layer: Image, box: Box) -> None:
        """Draw the silhouette of a layer anew.

        Args:
            layer: ``(rows, columns, 4) uint8`` the person, colours times opacity, then opacity; changed in
                place.
            box: the rows and columns of the canvas that it covers.
        """
        both = in_both(self.box, box)
        if both is None:
            return
        part, share = layer[within_box(both, box)], self.share[within_box(both, self.box)]
        opacity = cv2.extractChannel(part, 3)
        drawn = cv2.LUT(self._mean(opacity), _edge(self.mean))
        changed: Any = cv2.min(cv2.compare(drawn, opacity, cv2.CMP_NE), share)
        for inner in _bands(changed):
            self._redraw(part, inner, drawn[inner], changed[inner])

    def _mean(self, opacity: Any) -> Any:
        """The mean of means of an opacity, taken where it needs no more pixels than that: it is smooth."""
        coarse = max(1, self.mean // 7)
        window = (_odd(self.mean / coarse), _odd(self.mean / coarse))
        if coarse == 1:
            return cv2.blur(cv2.blur(opacity, window), window)
        height, width = opacity.shape
        few = cv2.resize(opacity, (-(-width // coarse), -(-height // coarse)), interpolation=cv2.INTER_AREA)
        mean = cv2.blur(cv2.blur(few, window), window)
        return cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)

    def _redraw(self, layer: Image, box: Box, drawn: Any, share: Any) -> None:
        """Draw the opacity ``drawn`` in a box of a layer, in place, as far as ``share`` says."""
        wide = widened(box, self.mean, layer.shape)
        around: Any = cv2.blur(layer[wide], (self.mean, self.mean))[within_box(box, wide)]
        there, part = np.nonzero(share), layer[box]
        own, near = part[there].astype(np.float32), around[there].astype(np.float32)
        opacity, weight = (values[there].astype(np.float32) / 255 for values in (drawn, share))
        # What is clear goes on in the colour of the person next to it.
        new = near * ((255 - own[:, 3]) / np.maximum(near[:, 3], 1))[:, None] + own
        np.minimum(new, 255, out=new)  # of hardly anything the colour is not known to a level
        new[:, 3] = 255
        new *= opacity[:, None]
        part[there] = own + weight[:, None] * (new - own) + np.float32(0.5)


def _odd(pixels: float) -> int:
    return 2 * round((pixels - 1) / 2) + 1


def _bands(changed: Any) -> Iterator[Box]:
    """Rows and columns of what changed, band by band: an outline is long and thin."""
    for top in range(0, len(changed), BAND):
        left, above, columns, rows = cv2.boundingRect(changed[top : top + BAND])
        if columns:
            yield slice(top + above, top + above + rows), slice(left, left + columns)


def _edge(mean: int) -> Image:
    """``(256,) uint8`` from a mean opacity to that of an edge of :data:`SOFT` pixels."""
    # At a straight edge the mean of means changes by one window's share per pixel.
    steep = mean / SOFT
    values = (np.arange(256, dtype=np.float32) - 127.5) * np.float32(steep) + 127.5
    return np.asarray(np.clip(values, 0, 255), np.uint8)
