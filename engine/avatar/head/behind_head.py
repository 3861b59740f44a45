"""The back of a turned head on a canvas: what is seen where its layer shows nothing of the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.fine_layer import FineLayer
from mien.engine.avatar.person.boxes import Box, in_both, within_box
from mien.engine.mesh.back_of_head import back_triangles
from mien.engine.mesh.rasterizer import Rasterizer
from mien.engine.types import Floats, Image
from mien.engine.utils.images import planes_of

RASTER = (48, 96)
"""Width and height of its own raster, which is enlarged: it is smooth, and its outline soft."""

SOFT = 3
"""Pixels of the raster over which its outline fades (odd)."""

NONE = np.full(RASTER[::-1], -255, np.float32)
HOW = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True, slots=True)
class BackMotion:
    """Where the back of a head goes; model coordinates, ``P`` vertices.

    Attributes:
        vertices: ``(P, 2)`` where they go.
        shows: ``(P, 2)`` the places of the portrait that they show.
        depth: ``(P,)``.
    """

    vertices: Floats
    shows: Floats
    depth: Floats


@dataclass(frozen=True, slots=True)
class Behind:
    """What is seen behind a layer's person.

    Attributes:
        box: rows and columns of the moving part in which it is.
        shift: ``(2, h, w)`` from each pixel to the place that it shows, pixels; counts within ``box``.
        cover: ``(rows, columns) uint8`` its opacity.
    """

    box: Box
    shift: Floats
    cover: Image

    def kept(self) -> Behind:
        """A copy with its own arrays."""
        return Behind(self.box, self.shift.copy(), self.cover.copy())

    def put(self, layer: Image, box: Box, fine: FineLayer) -> None:
        """Show it in a layer, in place.

        Args:
            layer: ``(rows, columns, 4) uint8`` of ``box``: colours times opacity, then opacity.
            box: rows and columns of the moving part that the layer covers.
            fine: what both show.
        """
        shared = in_both(self.box, box)
        if shared is None:
            return
        opacity: Any = layer[within_box(shared, box)][..., 3]
        cover: Any = self.cover[within_box(shared, self.box)]
        seen: Any = cv2.bitwise_and(cv2.compare(opacity, 255, cv2.CMP_LT), cover)  # type: ignore[call-overload]
        if not cv2.hasNonZero(seen):
            return
        # Of the whole back little is seen: a rim behind an ear.
        left, top, width, height = cv2.boundingRect(seen)
        top, left = top + shared[0].start, left + shared[1].start
        both = slice(top, top + height), slice(left, left + width)
        part = layer[within_box(both, box)]
        person = np.ascontiguousarray(part[..., 3])
        clear = cv2.bitwise_not(person)
        # Twice: the person's soft edge is half the portrait's wall, which was a bright line before the back.
        share: Any = cv2.multiply(
            cv2.add(clear, clear), self.cover[within_box(both, self.box)], scale=1 / 255
        )
        kept = cv2.divide(cv2.bitwise_not(share), cv2.max(person, 1), scale=255)
        shown: Any = cv2.multiply(fine.at(self.shift, both), cv2.merge([share] * 4), scale=1 / 255)
        cv2.multiply(part, cv2.merge([kept] * 4), part, 1 / 255)
        cv2.add(part, shown, part)


class BackCanvas:
    """Draws the back of a head; its arrays are overwritten with every frame.

    Args:
        part: width and height of the moving part.
    """

    def __init__(self, part: tuple[int, int]) -> None:
        self._part = part
        self._shift: Floats | None = None
        self._raster = Rasterizer(*RASTER)

    def draw(self, at: Floats, depth: Floats, shift: Floats, box: Box) -> Behind:
        """The back of a head.

        Args:
            at: ``(P, 2)`` where its vertices are on the canvas, and ``depth`` ``(P,)``; pixels.
            shift: ``(P, 2)`` from there to what they show.
            box: rows and columns around them.
        """
        rows, columns = box
        size = columns.stop - columns.start, rows.stop - rows.start
        if self._shift is None:
            self._shift = np.zeros((2, *self._part[::-1]), np.float32)
        corner = np.array([columns.start, rows.start], np.float32)
        ratio = ((np.array(RASTER) - 1) / (np.array(size) - 1)).astype(np.float32)
        colours = np.column_stack([shift, np.full(len(shift), 255, np.float32)])
        drawn = self._raster.draw((at - corner) * ratio, depth, colours, back_triangles())
        x, y, known = planes_of(drawn)
        # Inwards only: beside it the raster knows nothing.
        there: Any = cv2.max(cv2.scaleAdd(cv2.blur(known, (SOFT, SOFT)), 2.0, NONE), 0.0)
        to_raster = np.array([[ratio[0], 0, 0], [0, ratio[1], 0]], np.float32)
        for plane, target in zip((x, y), self._shift, strict=True):
            part: Any = target[box]
            cv2.warpAffine(plane, to_raster, size, part, HOW, cv2.BORDER_REPLICATE)
        cover = cv2.convertScaleAbs(cv2.warpAffine(there, to_raster, size, flags=HOW))
        return Behind(box, self._shift, np.asarray(cover, np.uint8))
