"""The mesh on a canvas: the portrait's position shown by each pixel of the moving part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.avatar.head.behind_head import BackCanvas, BackMotion, Behind
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.avatar.mouth import Cavity
from mien.engine.avatar.person.boxes import Box, within_box
from mien.engine.avatar.person.changes import Changes
from mien.engine.avatar.person.outline import Outline, inside_of
from mien.engine.avatar.person.rim import Rim
from mien.engine.mesh.rasterizer import Rasterizer
from mien.engine.mesh.sheet_grid import FINE_ROWS, NODES, sheet_triangles, smooth_rows, with_row_above
from mien.engine.mesh.topology import FIRST_OPENING_LAYER, MOUTH, RIGHT_EYE, SLOPE, face_topology
from mien.engine.mouth.edge import gap_of
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.images import planes_of, share_within
from mien.engine.utils.sampling import sample

COARSE, FINE = 128, 192
"""Pixels per side of the sheet's own raster, and of a turned head's, whose rim hides what is behind it: the
sheet is smooth, and the face before it has the canvas's pixels."""

TURNED = 0.1
"""Radians from which on a head counts as turned."""

LEAST = 0.01
"""Pixels below which nothing was measured between the vertices."""

SMOOTH = 0.15
"""Share of the opening's height over which the places within it are averaged."""

WHOLE = 0.95
"""Share of a pixel between the lips that makes those beside it part of a hollow's edge."""

EDGE = 1.5
"""Factor of the opening's mean over three pixels that makes this edge where the portrait's mouth is open: of
the pixels beside it half show some of its teeth."""

MEET = (0.3, 1.0)
"""Pixels between the lips up to which they meet, and from which on what is between them is seen."""

APART = (0.008, 0.02)
"""The same in face units: landmarks of lips that touch are apart by up to the first."""

RIM = 5
"""Pixels over which the face's raster passes into the sheet's (odd)."""


@dataclass(frozen=True, slots=True)
class Warp:
    """Source of each pixel of a moving part of ``h`` x ``w`` pixels.

    Attributes:
        shift: ``(2, h, w) float32`` from each pixel to the place in the still image that it shows, x and y,
            pixels.
        mouth: rows and columns around the mouth's opening; None where nothing is to be put into it.
        cover: ``(rows, columns) float32`` in 0..1 within ``mouth``: where the opening is.
        inside: ``(rows, columns, 3) float32`` RGB in 0..255: what is seen there.
        calm: ``(rows, columns) float32`` in 0..1 how far that goes over the network's paint.
        outline: where a turned head's map jumps; None where it does not.
        behind: the back of a turned head; None where nothing of it is seen.
        rim: where its silhouette is drawn anew; None where nothing of it is turned away.
        painted: whether a GPU puts the opening in, and the network's paint over it.
    """

    shift: Floats
    mouth: Box | None = None
    cover: Floats | None = None
    inside: Floats | None = None
    calm: Floats | None = None
    outline: Outline | None = None
    behind: Behind | None = None
    rim: Rim | None = None
    painted: bool = True

    def kept(self) -> Warp:
        """A copy with its own arrays."""
        behind = None if self.behind is None else self.behind.kept()
        return replace(self, shift=self.shift.copy(), behind=behind)

    def device_inputs(self) -> dict[str, NDArray[Any]]:
        """As inputs of :func:`mien.engine.runtime.graphs.image.image_graph`."""
        front = np.zeros((1, *self.shift.shape[1:], 4), np.uint8)
        if self.painted and self.mouth is not None and self.inside is not None and self.cover is not None:
            part = front[0][self.mouth]
            part[..., :3] = np.clip(self.inside + 0.5, 0, 255)
            part[..., 3] = 255 * self.cover + 0.5
        return {"shift": self.shift[None], "front": front}


class MeshCanvas:
    """Rasters of one canvas; they are overwritten with every frame.

    Args:
        part: width and height of the moving part.
        to_model: ``(2, 3)`` from its pixel indices to model coordinates (no shear).
        fade: ``(FIELD_SIZE, FIELD_SIZE)`` 1 inside, 0 where the crop's border must stay.
        cavity: the inside of the avatar's mouth.
    """

    def __init__(self, part: tuple[int, int], to_model: Floats, fade: Floats, cavity: Cavity) -> None:
        self._part = part
        self._cavity = cavity
        self._scale = 1 / np.array([to_model[0, 0], to_model[1, 1]], np.float32)
        self._offset = -np.array([to_model[0, 2], to_model[1, 2]], np.float32) * self._scale
        width, height = part
        self._shift = np.zeros((2, height, width), np.float32)
        self._sheets = {side: Rasterizer(side, side) for side in (COARSE, FINE)}
        axis = np.linspace(0, FIELD_SIZE - 1, NODES, dtype=np.float32)
        self._fade = sample(fade, np.stack(np.meshgrid(axis, axis), axis=2)).reshape(-1, 1)
        # Motion that does not fade out at the top has no end there.
        self._goes_on = bool(fade[0].max() > 0)
        self._face = Rasterizer(*part)
        self._back = BackCanvas(part)

    def warp(self, moving: MeshMotion) -> Warp:
        """The moving part after a motion; arrays are this canvas's, valid until the next call."""
        self._draw_sheet(moving)
        box = self._bounds(moving.vertices)
        if box is None:
            return Warp(self._shift)
        layers = self._draw_face(moving, box)
        warp = self._mouth(moving, layers, box)
        if moving.turn <= TURNED:
            return warp
        changes, size = Changes.of(self._shift), self._part[::-1]
        cuts = inside_of(layers, box, size)
        outline, behind = Outline.of(changes, cuts), self._draw_back(moving.back)
        if outline is None and behind is None:
            return warp
        return replace(warp, outline=outline, behind=behind, rim=Rim.of(changes, cuts, size))

    def _pixels(self, places: Floats) -> Floats:
        return np.asarray(places * self._scale + self._offset, np.float32)

    def _draw_sheet(self, moving: MeshMotion) -> None:
        """The sheet, coarsely, enlarged into the whole moving part."""
        shift = (moving.sheet_shows - moving.sheet) * self._fade
        nodes = np.empty((len(shift), 5), np.float32)
        nodes[:, :2] = self._pixels(moving.sheet_shows - shift)
        nodes[:, 2:4] = shift * self._scale
        nodes[:, 4] = moving.sheet_depth * self._scale[0]
        side, rows = COARSE, NODES
        if moving.turn > TURNED:
            side, rows = FINE, FINE_ROWS
            nodes = smooth_rows(nodes)
        if self._goes_on:
            nodes, rows = with_row_above(nodes, self._part[1]), rows + 1
        at, depth = nodes[:, :2], nodes[:, 4]
        colours = np.ones((len(nodes), 3), np.float32)
        colours[:, :2] = nodes[:, 2:4]
        ratio = np.asarray((side - 1) / (np.array(self._part) - 1), np.float32)
        to_coarse = np.array([[ratio[0], 0, 0], [0, ratio[1], 0]], np.float32)
        drawn = self._sheets[side].draw(at * ratio, depth, colours, sheet_triangles(rows))
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        for axis in (0, 1):
            plane = np.ascontiguousarray(drawn[..., axis])
            target: Any = self._shift[axis]
            cv2.warpAffine(plane, to_coarse, self._part, target, how, cv2.BORDER_REPLICATE)

    def _draw_back(self, back: BackMotion | None) -> Behind | None:
        """The back of a turned head, behind the sheet."""
        if back is None or (box := self._bounds(back.vertices)) is None:
            return None
        shift = np.asarray((back.shows - back.vertices) * self._scale, np.float32)
        return self._back.draw(self._pixels(back.vertices), back.depth * self._scale[0], shift, box)

    def _bounds(self, places: Floats) -> Box | None:
        sides = []
        for axis, size in enumerate(self._part):
            # Number by number: arrays of two take three times as long.
            of_axis, scale, offset = places[:, axis], self._scale[axis], self._offset[axis]
            first = floor(of_axis.min() * scale + offset) - RIM
            last = ceil(of_axis.max() * scale + offset) + RIM + 1
            sides.append(slice(max(0, first), min(size, last)))
        columns, rows = sides
        if columns.stop - columns.start < 2 or rows.stop - rows.start < 2:
            return None
        return rows, columns

    def _draw_face(self, moving: MeshMotion, box: Box) -> Floats:
        """The face over the sheet; returns the layers in the box."""
        mesh = face_topology()
        corner = np.array([box[1].start, box[0].start], np.float32)
        colours = np.empty((len(moving.vertices), 3), np.float32)
        colours[:, :2] = (moving.shows - moving.vertices) * self._scale
        colours[:, 2] = mesh.layer
        depth = moving.depth * self._scale[0]
        at = self._pixels(moving.vertices) - corner
        drawn = self._rasterizer(box).draw(at, depth, colours, mesh.triangles)
        for eye in range(2):
            self._turn_eye(moving, eye, drawn, box)
        x, y, layers = planes_of(drawn)
        self._add_between(moving, x, y, box)
        # Softened inwards only: beside the mesh its raster knows nothing.
        eroded = cv2.erode((layers > 0.5).astype(np.uint8), np.ones((RIM, RIM), np.uint8))
        inside = np.asarray(cv2.blur(eroded.astype(np.float32), (RIM, RIM)), np.float32)
        for plane, target in ((x, self._shift[0]), (y, self._shift[1])):
            part: Any = target[box]  # OpenCV's arithmetic takes half of numpy's time where rows are apart
            cv2.subtract(plane, part, plane)
            cv2.multiply(plane, inside, plane)
            cv2.add(part, plane, part)
        return layers

    def _rasterizer(self, box: Box) -> Rasterizer:
        size = box[1].stop - box[1].start, box[0].stop - box[0].start
        if self._face.size != size:
            self._face.resize(*size)
        return self._face

    def _add_between(self, moving: MeshMotion, x: Any, y: Any, box: Box) -> None:
        """What was measured between the vertices, at the places that are shown; changes ``x`` and ``y``.

        It is looked up at every second pixel of every second row: it is smooth.
        """
        between = moving.between * self._scale
        if max(between.max(), -between.min()) < LEAST:
            return
        to_grid = np.float32((FIELD_SIZE - 1) / 2) / self._scale
        begin = (1 - self._offset / self._scale) * np.float32((FIELD_SIZE - 1) / 2)
        at_x = np.arange(box[1].start, box[1].stop, 2, dtype=np.float32) * to_grid[0] + begin[0]
        at_y = np.arange(box[0].start, box[0].stop, 2, dtype=np.float32) * to_grid[1] + begin[1]
        columns = x[::2, ::2] * to_grid[0] + at_x
        rows = y[::2, ::2] * to_grid[1] + at_y[:, None]
        to_half = np.array([[0.5, 0, 0], [0, 0.5, 0]], np.float32)
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = x.shape[1], x.shape[0]
        for plane, found in zip((x, y), planes_of(sample(between, columns, rows)), strict=True):
            grown = cv2.warpAffine(found, to_half, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
            cv2.subtract(plane, grown, plane)

    def _turn_eye(self, moving: MeshMotion, eye: int, drawn: Floats, box: Box) -> None:
        """The iris within its opening goes where it looks; at the lids nothing moves."""
        gaze = moving.gaze[eye] * self._scale
        opening = face_topology().openings[RIGHT_EYE + eye]
        bounds = self._bounds(moving.vertices[opening])
        if bounds is None or float(np.hypot(*gaze)) < 1e-3:
            return
        rows, columns = within_box(bounds, box)
        view = drawn[rows, columns]
        if view.size == 0:
            return
        left, top = box[1].start + columns.start, box[0].start + rows.start
        x = view[..., 0] + np.arange(left, left + view.shape[1], dtype=np.float32)
        y = view[..., 1] + np.arange(top, top + view.shape[0], dtype=np.float32)[:, None]
        iris = self._pixels(moving.irises[eye, :2]) + gaze
        radius = moving.irises[eye, 2] * self._scale[0]
        far = np.hypot(x - iris[0], y - iris[1])
        slope = max(radius, 2 * float(np.hypot(*gaze)))
        share = np.clip((far - radius) / slope, 0.0, 1.0)
        weight = (1 - smoothstep(share)) * (
            np.abs(view[..., 2] - (FIRST_OPENING_LAYER + RIGHT_EYE + eye)) < 0.5
        )
        view[..., 0] -= weight * gaze[0]
        view[..., 1] -= weight * gaze[1]

    def _mouth(self, moving: MeshMotion, layers: Floats, box: Box) -> Warp:
        ring = moving.vertices[face_topology().openings[MOUTH]]
        bounds, lips = self._bounds(ring), self._pixels(ring)
        pixels = gap_of(lips)
        if bounds is None or self._cavity.is_whole(moving.gap, pixels):
            return Warp(self._shift)
        down = layers[within_box(bounds, box)] - np.float32(FIRST_OPENING_LAYER + MOUTH)
        inside = (np.abs(down) < 0.5).astype(np.uint8)
        if not inside.any():
            return Warp(self._shift)
        # As much of a pixel as lies between the lips, where nothing of the face is before it: drawn in whole
        # pixels, a slit was a row of black blocks.  Where they meet, teeth of the portrait flickered in it.
        near, met = np.ones((3, 3), np.uint8), min(ramp(pixels, MEET), ramp(moving.gap, APART))
        seen, met = (1.0, met) if self._cavity.shows_inside else (met, 1.0)
        share = share_within(lips, bounds) * cv2.dilate(inside, near) * np.float32(seen / 255)
        # What the mesh shows of the opening's own pixels is the line between shut lips, or teeth: no lip.
        beside = inside * (cv2.dilate(share, near) > WHOLE)
        cover = np.maximum(share, beside)
        if self._cavity.shows_inside:
            cover = np.maximum(cover, EDGE * cv2.blur(share, (3, 3)))
            np.minimum(cover, 1, out=cover)
        below = down / np.float32(2 * SLOPE) + np.float32(0.5)
        # Pixels beside the opening are what their neighbours in it are; the triangles' own edges do not show.
        side = max(3, round(SMOOTH * below.shape[0])) | 1
        within = inside.astype(np.float32)
        below = cv2.blur(below * within, (side, side)) / np.maximum(cv2.blur(within, (side, side)), 1e-3)
        shade = self._cavity.shade(below, moving.gap)
        # Beside the opening there is flesh: a rim of the hollow's black would be an outline.
        hollow = share / np.maximum(cover, np.float32(1e-3))
        shade = self._cavity.flesh + np.float32(met) * hollow[..., None] * (shade - self._cavity.flesh)
        cover *= 1 - self._cavity.kept(below, moving.gap, pixels)
        calm = cover * self._cavity.calm(below, moving.gap)
        return Warp(self._shift, bounds, cover, shade, calm)
