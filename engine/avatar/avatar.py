"""A portrait, prepared once so that it can be moved many times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from mien.engine.avatar.mesh_motion import HeadMesh
from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE, AvatarCode
from mien.engine.avatar.mouth import Cavity
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.layout import GRID, N_MESH, layout, splined, to_pixels
from mien.engine.face.lips import lip_axes
from mien.engine.landmarks import Landmarker, topology
from mien.engine.types import Face, Floats, Image, NoFaceError
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.sampling import sample

CROP_FACES = 2.0
"""Side of the avatar's crop in face sizes: hair, ears and neck move along, shoulders stay."""

MIN_FACE = 40.0
"""Smallest face, in pixels, whose portrait is worth animating."""


class PortraitEncoder(Protocol):
    """The part of a runtime that prepares a portrait."""

    def encode(self, source: Image) -> AvatarCode:
        """The code of a ``(256, 256, 3) uint8`` RGB crop."""
        ...


@dataclass(frozen=True, slots=True)
class Square:
    """An upright square of an image: left, top and side in pixels (it may reach beyond the image)."""

    x: float
    y: float
    side: float

    def normalised(self, points: Floats) -> Floats:
        """Image positions ``(..., 2)`` in the model's coordinates: -1 and 1 are the centres of the crop's
        first and last pixel at 256 x 256."""
        corner = np.array([self.x, self.y], np.float32)
        return (((points - corner) * (IMAGE_SIZE / self.side) - 0.5) * (2 / (IMAGE_SIZE - 1)) - 1).astype(
            np.float32
        )

    @property
    def pixels_per_norm(self) -> float:
        """Image pixels per unit of the model's coordinates."""
        return self.side * (IMAGE_SIZE - 1) / (2 * IMAGE_SIZE)

    def grid(self, count: int = FIELD_SIZE) -> Floats:
        """``(count * count, 2)`` image positions of the model's grid nodes, row by row."""
        axis = (np.linspace(0, IMAGE_SIZE - 1, count) + 0.5) * (self.side / IMAGE_SIZE)
        x, y = np.meshgrid(axis + self.x, axis + self.y)
        return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class AvatarGrid:
    """The avatar's geometry on the model's ``FIELD_SIZE`` x ``FIELD_SIZE`` grid (``G`` nodes in all).

    Attributes:
        positions: ``(G, 2)`` image positions, pixels.
        lookup: ``(FIELD_SIZE, FIELD_SIZE, 2)`` where each node lies on the layout's grid.
        axes: ``(G, 2, 2)`` local maps, pixels per face unit.
        solid: ``(G, 3)`` relative to the head's centre, pixels.
        window: ``(FIELD_SIZE, FIELD_SIZE)`` 1 on the face, fading to 0 around it.
    """

    positions: Floats
    lookup: Floats
    axes: Floats
    solid: Floats
    window: Floats


@dataclass(frozen=True, slots=True)
class Avatar:
    """A portrait ready to be driven.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB, the whole portrait at its output size.
        face: the face that is driven.
        crop: the square that moves.
        geometry, grid: the face's geometry at the layout's nodes and on the model's grid.
        source_points: ``(478, 2)`` landmarks in the model's coordinates.
        mesh: the face's mesh and the head around it.
        cavity: the inside of the mouth.
        code: what the model's encoder made of the crop.
        notes: what the user should know (several faces, a face cut by the border).
    """

    image: Image
    face: Face
    crop: Square
    geometry: FaceGeometry
    grid: AvatarGrid
    source_points: Floats
    code: AvatarCode
    mesh: HeadMesh
    cavity: Cavity
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(
        image: Image, landmarker: Landmarker, runtime: PortraitEncoder, name: str = "the portrait"
    ) -> Avatar:
        """Prepare a portrait (about 0.3 s).

        Args:
            image: ``(H, W, 3) uint8`` RGB at the size that the results are to have.
            name: what messages call it.

        Raises:
            MienError: no face, or too small a one.
        """
        faces = landmarker.detect(image)
        if not faces:
            raise NoFaceError(
                f"No face was found in {name}. Give a photo with one face, upright, looking at the camera."
            )
        face = faces[0]
        size = _face_size(face)
        if size < MIN_FACE:
            raise NoFaceError(
                f"The face in {name} is only {size:.0f} pixels wide; at least {MIN_FACE:.0f} are needed. "
                "Crop the photo around the face or give a larger one."
            )
        geometry = FaceGeometry.of(face)
        axes = lip_axes(geometry.axes, geometry.points[:N_MESH], geometry.unit)
        geometry = replace(geometry, axes=axes)
        crop = crop_around(face)
        grid = avatar_grid(geometry, crop)
        return Avatar(
            image=image,
            face=face,
            crop=crop,
            geometry=geometry,
            grid=grid,
            source_points=crop.normalised(geometry.points),
            code=runtime.encode(cut(image, crop, IMAGE_SIZE)),
            mesh=HeadMesh.of(geometry, crop, grid, None),
            cavity=Cavity.of(image, geometry.points, geometry.unit),
            notes=_notes(faces, image, name),
        )


def crop_around(face: Face) -> Square:
    """The square around a face in which the avatar moves."""
    side = CROP_FACES * _face_size(face)
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    x, y = (low + high) / 2
    # Hair needs more room above the mesh's forehead than there is to need below the chin.
    return Square(float(x - side / 2), float(y - 0.53 * side), float(side))


def cut(image: Image, crop: Square, size: int) -> Image:
    """The crop at ``size`` x ``size``, area-averaged when it shrinks; border pixels repeat outside."""
    scale = size / crop.side
    if scale < 0.75:
        reduced = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        ratio_x, ratio_y = reduced.shape[1] / image.shape[1], reduced.shape[0] / image.shape[0]
        matrix = _crop_matrix(crop, 2 * size, ratio_x, ratio_y)
        double = cv2.warpAffine(
            reduced, matrix, (2 * size, 2 * size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(cv2.resize(double, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    matrix = _crop_matrix(crop, size, 1.0, 1.0)
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, dtype=np.uint8)


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


def _face_size(face: Face) -> float:
    return float(np.ptp(face.landmarks[:N_MESH, :2], axis=0).max())


def _notes(faces: list[Face], image: Image, name: str) -> tuple[str, ...]:
    notes = []
    if len(faces) > 1:
        notes.append(f"{name} shows {len(faces)} faces; the largest is used.")
    low, high = faces[0].landmarks[:, :2].min(axis=0), faces[0].landmarks[:, :2].max(axis=0)
    if low.min() < 0 or high[0] > image.shape[1] or high[1] > image.shape[0]:
        notes.append(f"the face in {name} is cut by the picture's border; what is missing cannot move.")
    return tuple(notes)


def avatar_grid(geometry: FaceGeometry, crop: Square) -> AvatarGrid:
    """The geometry of a face on the model's grid over ``crop`` (0.1 s: a spline is fitted)."""
    positions = crop.grid()
    places = _layout_positions(geometry, positions)
    lookup = to_pixels(places, GRID).reshape(FIELD_SIZE, FIELD_SIZE, 2)
    depth = geometry.solid[N_MESH:, 2].reshape(GRID, GRID)
    axes = _axes_at(geometry.axes, lookup)
    depth_here = sample(np.ascontiguousarray(depth), lookup).reshape(-1, 1)
    solid = np.concatenate([positions - geometry.centre, depth_here], axis=1).astype(np.float32)
    return AvatarGrid(positions, lookup, axes, solid, _window(places).reshape(FIELD_SIZE, FIELD_SIZE))


def _axes_at(axes: Floats, lookup: Floats) -> Floats:
    """Local maps ``(N, 2, 2)`` of the layout's nodes at other places on its grid."""
    maps = np.ascontiguousarray(axes[N_MESH:].reshape(GRID, GRID, 4))
    return sample(maps, lookup).reshape(-1, 2, 2)


def _layout_positions(geometry: FaceGeometry, positions: Floats) -> Floats:
    """Layout positions of image positions: the spline fitted the other way round."""
    mesh = (geometry.points[:N_MESH] - geometry.centre).astype(np.float64) / geometry.unit
    places = (positions - geometry.centre).astype(np.float64) / geometry.unit
    return np.asarray(splined(places, mesh, layout().points.astype(np.float64)), dtype=np.float32)


def _window(places: Floats) -> Floats:
    """1 on the face, falling smoothly to 0 a sixth of a face unit outside of its oval."""
    oval = np.ascontiguousarray(layout().points[list(topology.FACE_OVAL)])
    distance = np.array([-cv2.pointPolygonTest(oval, (float(x), float(y)), True) for x, y in places])
    share = np.clip(distance / 0.17, 0.0, 1.0)
    return (1.0 - smoothstep(share)).astype(np.float32)
