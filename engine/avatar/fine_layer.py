"""A layer of the portrait, enlarged once so that every frame samples it bilinearly, as sharp as cubically.

OpenCV's bilinear lookup of four bytes is ten times as fast as its cubic one (0.7 ms against 6.8 for 512 x
512, one thread).  Of a layer that was enlarged by three with the cubic kernel it is the same to a grey level
in 99.8 % of the pixels, and exactly the same at rest: an odd factor keeps the pixels.

The thirds are where a straight line has them (:func:`mien.engine.utils.sampling.line_fraction`): by
``cv2.resize``, portraits that moved by up to a third of a pixel were drawn 10 % too far, at two thirds 4 %
too near; now it is 0 to 1 %, before the result is rounded to bytes.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.person.silhouette import STRIP
from mien.engine.types import Floats, Image
from mien.engine.utils.images import range_of
from mien.engine.utils.sampling import cubic_weights, line_fraction, sample

FACTOR = 3
THIRD = np.append(np.float32(0), cubic_weights(line_fraction(1 / FACTOR)))
"""``(5,)`` weights of a pixel's neighbours, itself in the middle, a third of a pixel further on."""

MOST = 120_000_000
"""Bytes that an enlarged layer may take; larger ones are sampled cubically as they are."""

LINE = 16
"""Pixels of a cache line.

A head that rolls or stretches is looked up along slanted lines, which a processor does not foresee: it waited
for memory at every step, 8.9 ms for 1024 x 1024 pixels where straight lines took 2.2.  So of each strip one
pixel of every cache line is read beforehand, row by row, as fast as memory gives them: 4.8 ms in all."""

REACH = 1 / 8
"""How far beyond the moving part its pixels may come from, in sides of the part."""


class FineLayer:
    """The part of a layer that a moving part of ``h`` x ``w`` pixels may show.

    Args:
        layer: ``(H, W, C) uint8``, C of 3 or 4.
        corner: column and row of ``layer`` that the moving part's first pixel shows at rest.
        part: width and height of the moving part.
    """

    def __init__(self, layer: Image, corner: tuple[int, int], part: tuple[int, int]) -> None:
        self._channels = layer.shape[2]
        reach = round(REACH * max(part))
        left, top = (max(0, at - reach) for at in corner)
        self._source = layer[top : corner[1] + part[1] + reach, left : corner[0] + part[0] + reach]
        height, width = self._source.shape[:2]
        self._factor = FACTOR if FACTOR**2 * height * width * 4 <= MOST else 1
        self._values: Image | None = None
        scale, first = np.float32(self._factor), self._factor // 2
        x = (np.arange(part[0], dtype=np.float32) + (corner[0] - left)) * scale + first
        y = (np.arange(part[1], dtype=np.float32) + (corner[1] - top)) * scale + first
        self._origin = np.stack(np.meshgrid(x, y))
        self._fetched = 0, 0
        self._lookup = np.empty((2, min(STRIP, part[1]), part[0]), np.float32)

    def at(self, shift: Floats, box: tuple[slice, slice], out: Image | None = None) -> Image:
        """What the pixels of the moving part show.

        Args:
            shift: ``(2, h, w)`` from each to the place of the layer that it shows, pixels.
            box: rows and columns that are asked for.
            out: ``(rows, columns, 4) uint8`` to write into, of a layer of four channels.

        Returns:
            ``(rows, columns, C) uint8``.
        """
        if self._values is None:
            self._values = self._enlarged()
        height, width = (side.stop - side.start for side in box)
        found = np.empty((height, width, self._values.shape[2]), np.uint8) if out is None else out
        for top in range(0, height, STRIP):
            part = found[top : top + STRIP]
            first = box[0].start + top
            lookup = self._lookup[:, : len(part), :width]
            for axis in (0, 1):
                target: Any = lookup[axis]
                strip = axis, slice(first, first + len(part)), box[1]
                cv2.scaleAdd(shift[strip], float(self._factor), self._origin[strip], target)
            if self._factor > 1:
                self._fetch(lookup)
            sample(self._values, lookup[0], lookup[1], cubic=self._factor == 1, mirrored=True, out=part)
        if self._channels == found.shape[2]:
            return found
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_RGBA2RGB), np.uint8)

    def _fetch(self, lookup: Floats) -> None:
        """Bring what lookups ``(2, h, w)`` need into the cache."""
        assert self._values is not None
        (left, right), (top, bottom) = (
            (max(0, int(low)), max(0, int(high) + FACTOR)) for low, high in map(range_of, lookup)
        )
        # What the strip before it asked for is there already.
        start, stop = self._fetched
        self._fetched = top, bottom
        words = self._values.view(np.uint32)[stop if start <= top < stop else top : bottom, left:right:LINE]
        if words.size:
            words.max()

    def _enlarged(self) -> Image:
        if self._factor == 1:
            return np.ascontiguousarray(self._source)
        # Lookups of three bytes are not vectorised.
        source = self._source if self._channels == 4 else cv2.cvtColor(self._source, cv2.COLOR_RGB2RGBA)
        return _tripled(_tripled(np.asarray(source, np.uint8), 1), 0)


def _tripled(values: Image, axis: int) -> Image:
    """``(H, W, 4) uint8`` with two more pixels between any two along an axis, and one before and behind."""
    shape = [values.shape[0], values.shape[1], 4]
    shape[axis] *= FACTOR
    found = np.empty(shape, np.uint8)
    words = found.view(np.uint32)[..., 0]  # whole pixels are copied several times as fast as bytes
    for first, weights in ((0, THIRD[::-1]), (2, THIRD)):
        kernel = weights.reshape((-1, 1) if axis == 0 else (1, -1))
        moved = cv2.filter2D(values, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        _every_third(words, axis, first)[...] = np.asarray(moved, np.uint8).view(np.uint32)[..., 0]
    _every_third(words, axis, 1)[...] = np.ascontiguousarray(values).view(np.uint32)[..., 0]
    return found


def _every_third(words: NDArray[np.uint32], axis: int, first: int) -> NDArray[np.uint32]:
    return words[first::FACTOR] if axis == 0 else words[:, first::FACTOR]
