"""The square of a portrait in which its avatar moves, and its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE
from mien.engine.avatar.strands import beyond_borders
from mien.engine.face.layout import N_MESH
from mien.engine.types import Face, Floats, Image
from mien.engine.utils.curves import smoothstep

CROP_FACES = 2.0
"""Side of the avatar's crop in face sizes: hair, ears and neck move with the face, shoulders stay."""

SHOWN = 1.1
"""Least side of a crop that is shown, in sides of the square around the face's landmarks."""


@dataclass(frozen=True, slots=True)
class Square:
    """An upright square of an image: left, top and side in pixels (it may reach beyond the image)."""

    x: float
    y: float
    side: float

    def normalised(self, points: Floats) -> Floats:
        """Image positions ``(..., 2)`` in the model's coordinates.

        -1 and 1 are the centres of the crop's first and last pixel at 256 x 256.
        """
        corner = np.array([self.x, self.y], np.float32)
        found = points - corner
        found *= np.float32(2 * IMAGE_SIZE / (self.side * (IMAGE_SIZE - 1)))
        found -= np.float32(1 + 1 / (IMAGE_SIZE - 1))
        return np.asarray(found, np.float32)

    @property
    def pixels_per_norm(self) -> float:
        """Image pixels per unit of the model's coordinates."""
        return self.side * (IMAGE_SIZE - 1) / (2 * IMAGE_SIZE)

    def grid(self, count: int = FIELD_SIZE) -> Floats:
        """``(count * count, 2)`` image positions of the model's grid nodes, row by row."""
        axis = (np.linspace(0, IMAGE_SIZE - 1, count) + 0.5) * (self.side / IMAGE_SIZE)
        x, y = np.meshgrid(axis + self.x, axis + self.y)
        return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def crop_around(face: Face) -> Square:
    """The square around a face within which the avatar moves."""
    side = CROP_FACES * face_size(face)
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    x, y = (low + high) / 2
    # Hair needs more room above the mesh's forehead than there is need for below the chin.
    return Square(float(x - side / 2), float(y - 0.53 * side), float(side))


def within_image(crop: Square, image: Image, face: Face) -> Square:
    """The crop, moved and if need be shrunk until it lies within the image ``(H, W, ...)``.

    A portrait that the face fills has no room for two faces: what is shown of it ends where it ends.  But the
    whole face is shown: of a narrow portrait more than its narrower side, going on softly beside it.
    """
    height, width = image.shape[:2]
    room = np.array([width, height], np.float32)
    points = np.clip(face.landmarks[:, :2], 0, room)
    low, high = points.min(axis=0), points.max(axis=0)
    needed = min(SHOWN * float((high - low).max()), float(room.max()))
    side = min(crop.side, max(float(room.min()), needed))
    start = np.array([crop.x, crop.y], np.float32) + np.float32((crop.side - side) / 2)
    margin = (SHOWN - 1) / 2 * (high - low).max()
    start = np.clip(start, high + margin - side, low - margin)
    # Where the image is narrower than the square, its middle is the square's.
    start = np.where(room < side, (room - side) / 2, np.clip(start, 0, np.maximum(room - side, 0)))
    return Square(float(start[0]), float(start[1]), side)


def cut(image: Image, crop: Square, size: int, *, mirrored: bool = False) -> Image:
    """The crop at ``size`` x ``size``, area-averaged when it shrinks; outside the border's pixels repeat.

    ``mirrored`` lets the image go on as its mirror image there: hair that is cut off has no streaks.
    """
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_REPLICATE
    scale = size / crop.side
    if scale < 0.75:
        reduced = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        ratio_x, ratio_y = reduced.shape[1] / image.shape[1], reduced.shape[0] / image.shape[0]
        matrix = _crop_matrix(crop, 2 * size, ratio_x, ratio_y)
        double = cv2.warpAffine(
            reduced, matrix, (2 * size, 2 * size), flags=cv2.INTER_LINEAR, borderMode=border
        )
        return np.asarray(cv2.resize(double, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    matrix = _crop_matrix(crop, size, 1.0, 1.0)
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=border)
    return np.asarray(out, dtype=np.uint8)


COARSE = 8
"""By how much smaller an image is in which it is blurred much."""

MIRRORED, SOFT = 0.06, 0.05
"""Depth to which an image goes on as its mirror image, and blur of what lies further out; in crop's sides."""


def continued(image: Image, crop: Square, size: int) -> Image:
    """:func:`cut`, an image that ends within the crop going on softly: no streaks, and nobody seen twice."""
    height, width = image.shape[:2]
    found = cut(image, crop, size)
    axis = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(crop.side / size)
    x, y = axis + np.float32(crop.x), axis + np.float32(crop.y)
    out_x, out_y = np.maximum(-x, x - width), np.maximum(-y, y - height)
    away = np.maximum(out_x[None, :], out_y[:, None]) / np.float32(MIRRORED * crop.side)
    if away.max() <= 0:
        return found
    return _gone_on(found, cut(image, crop, size, mirrored=True), away, SOFT * size)


def extended(image: Image, rims: tuple[int, int, int, int], side: float) -> Image:
    """An image that goes on beyond its borders, as :func:`continued` has it, along its strands.

    Args:
        image: ``(H, W, C) uint8``.
        rims: pixels to add at the top, the bottom, the left and the right.
        side: of the crop, pixels.
    """
    if max(rims) == 0:
        return image
    top, bottom, left, right = rims
    height, width = image.shape[:2]
    y, x = np.arange(-top, height + bottom), np.arange(-left, width + right)
    out_y, out_x = np.maximum(-y, y - height + 1), np.maximum(-x, x - width + 1)
    away = np.maximum(out_x[None, :], out_y[:, None]).astype(np.float32) / np.float32(MIRRORED * side)
    found = np.asarray(cv2.copyMakeBorder(image, *rims, cv2.BORDER_REPLICATE), np.uint8)
    near = beyond_borders(image, rims, side)
    return _gone_on(found, near, away, SOFT * side)


def _gone_on(found: Image, near: Image, away: Floats, blur: float) -> Image:
    """``found`` inside; outside ``near``, which passes into soft colour where ``away`` comes to 1."""
    share = smoothstep(np.clip(away, 0.0, 1.0))[..., None]
    height, width = found.shape[:2]
    small = cv2.resize(found, None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), blur / COARSE)
    far = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    mixed = np.where(away[..., None] <= 0, found, near + share * (far.astype(np.float32) - near))
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def _crop_matrix(crop: Square, size: int, ratio_x: float, ratio_y: float) -> Floats:
    """Affine from image pixel indices (after reduction by the ratios) to crop pixel indices."""
    sx, sy = size / (crop.side * ratio_x), size / (crop.side * ratio_y)
    # Pixel index i is at position i + 0.5.
    return np.array(
        [
            [sx, 0, (0.5 - crop.x * ratio_x) * sx - 0.5],
            [0, sy, (0.5 - crop.y * ratio_y) * sy - 0.5],
        ],
        np.float32,
    )


def face_size(face: Face) -> float:
    """Longer side of the box around the face's mesh, pixels."""
    return float(np.ptp(face.landmarks[:N_MESH, :2], axis=0).max())
