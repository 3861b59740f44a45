"""The avatar: a portrait, prepared once so that it can be moved many times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import degrees, hypot
from typing import Protocol

import numpy as np

from mien.engine.avatar.crop import Square, crop_around, cut, face_size
from mien.engine.avatar.head.grid import AvatarGrid, avatar_grid
from mien.engine.avatar.head.head_mesh import HeadMesh
from mien.engine.avatar.model_io import IMAGE_SIZE, AvatarCode
from mien.engine.avatar.mouth import Cavity
from mien.engine.avatar.person.background import Background
from mien.engine.avatar.person.bars import Bars
from mien.engine.avatar.person.behind_glass import is_behind_glass
from mien.engine.avatar.person.covered import shows_mouth
from mien.engine.avatar.person.cutout import Cutout
from mien.engine.avatar.person.layers import Layers
from mien.engine.avatar.person.matte import matte_of
from mien.engine.avatar.pose_limits import HALF_PROFILE, room_to_front
from mien.engine.avatar.room import Room
from mien.engine.avatar.seen import Seen
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import turn_between
from mien.engine.face.layout import N_MESH
from mien.engine.face.lips import lip_axes
from mien.engine.landmarks import Landmarker
from mien.engine.photos.photo import Photo
from mien.engine.types import Face, Floats, Image, NoFaceError, SourceError

MIN_FACE = 40.0
"""Smallest face in pixels that is worth animating."""


class PortraitEncoder(Protocol):
    """The part of a runtime that prepares a portrait."""

    def encode(self, source: Image) -> AvatarCode:
        """Encode a ``(256, 256, 3) uint8`` RGB crop."""
        ...


@dataclass(frozen=True)
class Avatar:
    """A portrait ready to be driven.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB, the whole portrait at its output size.
        face: the face that is animated.
        crop: the square that moves.
        geometry, grid: the face's geometry at the layout's nodes and on the model's grid.
        source_points: ``(478, 2)`` landmarks in the model's coordinates.
        mesh: the face's mesh and the head around it, and ``room`` for it within the crop.
        cavity: the inside of the mouth.
        shows_mouth: whether its mouth is seen; one that is not stays still.
        layers: person and background apart, of what bars leave free; None where they cannot be told apart.
        photos: further photos of the same person.
        code: what the model's encoder made of the crop.
        notes: remarks for the user (several faces, a face cut by the border).
        name: what messages call the portrait.
        opacity: ``(H, W) float32`` in 0..1, the portrait's own transparency; None where it has none.
        cutout: the person before another background; None where the portrait keeps its own.
        bars: uniform bars along the portrait's borders, behind which it moves; None where it has none.
    """

    image: Image
    face: Face
    crop: Square
    geometry: FaceGeometry
    grid: AvatarGrid
    source_points: Floats
    code: AvatarCode
    mesh: HeadMesh
    room: Room
    cavity: Cavity
    layers: Layers | None = None
    shows_mouth: bool = True
    photos: tuple[Photo, ...] = ()
    notes: tuple[str, ...] = ()
    name: str = "the portrait"
    opacity: Floats | None = None
    cutout: Cutout | None = None
    bars: Bars | None = None

    @cached_property
    def pose(self) -> tuple[float, float]:
        """How far the portrait is turned from the front before its head rolls: pitch and yaw, radians."""
        return turn_between(np.eye(4, dtype=np.float32), self.face.pose)

    @cached_property
    def facing(self) -> tuple[float, float]:
        """The same about the image's axes, as a head's turns are: the roll comes first.

        A bowed head in half profile, rolled by 14 degrees, turned back by 23 where 9 were allowed.
        """
        pitch, yaw = turn_between(self.face.pose, np.eye(4, dtype=np.float32))
        return -pitch, -yaw

    @staticmethod
    def of(
        image: Image, landmarker: Landmarker, runtime: PortraitEncoder, name: str = "the portrait"
    ) -> Avatar:
        """Prepare a portrait (about 0.3 s).

        Args:
            image: ``(H, W, 3) uint8`` RGB at the size of the results; of ``(H, W, 4)`` the last is the
                portrait's own opacity, and the colours lie over white.
            name: name of the portrait in messages.

        Raises:
            MienError: no face, or too small a one.
        """
        opacity = None
        if image.shape[2] == 4:
            image, opacity = np.ascontiguousarray(image[..., :3]), image[..., 3] / np.float32(255)
        faces = landmarker.detect(image)
        face = _largest(faces, name)
        geometry = FaceGeometry.of(face)
        axes = lip_axes(geometry.axes, geometry.points[:N_MESH], geometry.unit)
        geometry = replace(geometry, axes=axes)
        seen = Seen.of(image, crop_around(face), geometry.points, framed=opacity is None)
        crop = seen.crop
        grid = avatar_grid(geometry, crop)
        mouth = shows_mouth(image, geometry.points, geometry.unit, landmarker)
        return Avatar(
            image=image,
            face=face,
            crop=crop,
            geometry=geometry,
            grid=grid,
            source_points=crop.normalised(geometry.points),
            code=runtime.encode(cut(seen.image, seen.inner, IMAGE_SIZE)),
            mesh=HeadMesh.of(geometry, crop, grid, seen.person, seen.box),
            room=Room.of(geometry, crop, seen.image.shape[1::-1], seen.box[:2]),
            layers=seen.layers,
            shows_mouth=mouth,
            cavity=Cavity.of(image, geometry.points, geometry.unit),
            notes=_notes(faces, image, name, seen.layers, mouth),
            name=name,
            opacity=opacity,
            bars=seen.bars,
        )

    def before(self, background: Background) -> Avatar:
        """The same person before another background (0.3 s the first time).

        Raises:
            SourceError: nobody can be told apart from what is around them.
        """
        if background.kept:
            return replace(self, cutout=None)
        matte = self.cutout.matte if self.cutout is not None else None
        matte = matte or matte_of(self.image, self.crop, self.geometry.points, self.layers, self.opacity)
        if matte is None:
            raise SourceError(
                f"No outline of a person was found in {self.name}, so it keeps its background. Give a photo "
                "before a calmer background, or a PNG that is transparent around the person."
            )
        return replace(self, cutout=Cutout(matte, background))


def _largest(faces: list[Face], name: str) -> Face:
    """The face that is animated; raises where there is none, or too small a one."""
    if not faces:
        raise NoFaceError(
            f"No face was found in {name}. Give a photo with one face, upright, looking at the camera."
        )
    size = face_size(faces[0])
    if size < MIN_FACE:
        raise NoFaceError(
            f"The face in {name} is only {size:.0f} pixels wide; at least {MIN_FACE:.0f} are needed. "
            "Crop the photo around the face or give a larger one."
        )
    return faces[0]


def _notes(faces: list[Face], image: Image, name: str, layers: Layers | None, mouth: bool) -> tuple[str, ...]:
    notes = []
    if len(faces) > 1:
        notes.append(f"{name} shows {len(faces)} faces; the largest is used.")
    low, high = faces[0].landmarks[:, :2].min(axis=0), faces[0].landmarks[:, :2].max(axis=0)
    if low.min() < 0 or high[0] > image.shape[1] or high[1] > image.shape[0]:
        notes.append(f"the face in {name} is cut by the image's border; the missing part cannot move.")
    own = hypot(*turn_between(np.eye(4, dtype=np.float32), faces[0].pose))
    if own > HALF_PROFILE:
        notes.append(
            f"the face in {name} is turned by {degrees(own):.0f} degrees; it turns back to the front by "
            f"{degrees(room_to_front(own)[1]):.0f} at most: what its far side looks like is not in the image."
        )
    if not mouth:
        notes.append(f"no mouth is seen in {name} (a hand, a mask?); what lies there stays still.")
    if is_behind_glass(image, faces[0].landmarks[:, :2]):
        notes.append(
            f"the face in {name} is pale all over, as behind glass or in fog; what is mirrored there would "
            "move with it. A clearer photo looks better."
        )
    if layers is None:
        notes.append(f"no outline of a person was found in {name}; what is around the head moves with it.")
    return tuple(notes)
