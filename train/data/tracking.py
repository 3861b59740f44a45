"""The engine's view of a pair: what the model gets at run time, and what the engine draws without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.avatar_mouth import portrait_look
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.canvas.folds import draw_folds, folds_of
from mien.engine.avatar.canvas.hidden_eyes import HiddenEyes
from mien.engine.avatar.canvas.lid_skin import AvatarLids
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.crop import Square, crop_around, cut
from mien.engine.avatar.head.grid import avatar_grid
from mien.engine.avatar.head.head_mesh import HeadMesh
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.model_io import IMAGE_SIZE, AvatarCode
from mien.engine.avatar.mouth import Cavity
from mien.engine.avatar.person.layers import Layers
from mien.engine.avatar.room import Room
from mien.engine.avatar.transfer import Driving, carry_over
from mien.engine.face.layout import N_MESH
from mien.engine.face.lips import lip_axes
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Motion
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.tracking.alignment import FILE_SIDE
from mien.engine.tracking.identity import people_in
from mien.engine.tracking.reference import Reference
from mien.engine.types import Face, Floats, Frame, Image, NoFaceError

WHOLE = Square(0.0, 0.0, float(IMAGE_SIZE))
"""The crop of an image that already is one: the whole 256 x 256 pixels."""

MOST_SHIFT = 0.33
MOST_TURN = 0.7
"""Limits (face units, radians) beyond which live use restrains the head: a pair would teach a
contradiction."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A clip's images with one face in each.

    Attributes:
        images: ``(256, 256, 3) uint8`` RGB.
        faces: the faces in them.
        lost: images without a face, left out.
        people: person in each of them, 0 for the first.
    """

    images: list[Image]
    faces: list[Face]
    lost: int
    people: list[int]


def track_clip(images: list[Image], landmarker: Landmarker, name: str) -> Tracked:
    """Crop the clip to one fixed square (unless it is 256 x 256 already) and find the face in every image.

    Raises:
        MienError: there is no face.
    """
    ready = images[0].shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
    numbers = [0] * len(images)
    if not ready and len(images) > 1:
        # Before anything is cut: after a hard cut the next person's face is elsewhere.
        numbers = people_in(images, _faces(images, landmarker))
    kept: list[tuple[int, Image, Face]] = []
    for person in range(max(numbers) + 1):
        # With one person, frames without a face as well: cut out, they may show it.
        own = (person, -1) if max(numbers) == 0 else (person,)
        shown = [image for image, number in zip(images, numbers, strict=True) if number in own]
        if not ready:
            crop = _common_crop(shown, landmarker, name)
            shown = [cut(image, crop, IMAGE_SIZE) for image in shown]
        found = zip(shown, _faces(shown, landmarker), strict=True)
        kept += [(person, image, face) for image, face in found if face is not None]
    if not kept:
        raise NoFaceError(f"No face was found in {name}. Leave it out, or check its content.")
    images_kept, faces = [image for _, image, _ in kept], [face for _, _, face in kept]
    people = people_in(images_kept, faces) if ready else [person for person, _, _ in kept]
    return Tracked(images_kept, faces, len(images) - len(kept), people)


def _faces(images: list[Image], landmarker: Landmarker) -> list[Face | None]:
    """The followed face in every frame of a stream."""
    landmarker.reset()
    return [landmarker.track(image) for image in images]


def _common_crop(images: list[Image], landmarker: Landmarker, name: str) -> Square:
    """The median of the crops of up to nine images."""
    looks = [images[i] for i in np.linspace(0, len(images) - 1, min(9, len(images))).astype(int)]
    faces = [found[0] for found in (landmarker.detect(image) for image in looks) if found]
    if not faces:
        raise NoFaceError(f"No face was found in {name}. Leave it out, or check its content.")
    crops = np.array([(s.x, s.y, s.side) for s in map(crop_around, faces)])
    x, y, side = np.median(crops, axis=0)
    return Square(float(x), float(y), float(side))


@dataclass(frozen=True, slots=True)
class Driven:
    """A source image driven by another of its clip, as in live use.

    Attributes:
        points: ``(478, 2) float32`` target positions of the landmarks, model coordinates.
        dense: ``(3, 64, 64) float32`` measured backward flow and its weight.
        mesh: ``(256, 256, 3) uint8`` RGB what the engine draws without the network.
        front: ``(256, 256, 4) uint8`` RGB of the mouth's inside, and how far the network's image takes
            its place.
    """

    points: Floats
    dense: Floats
    mesh: Image
    front: Image


class SourceView:
    """A source image prepared once as avatar and as the tracker's reference (0.2 s).

    Attributes:
        avatar: the avatar; its runtime's code is empty.
        points: ``(478, 2) float32`` its landmarks, model coordinates.
    """

    def __init__(self, image: Image, face: Face) -> None:
        # As files are tracked: on 148 pairs, skin around mouth and eyes is found nearer by 4 and 5 %.
        self._reference = Reference.of(image, face, FILE_SIDE)
        geometry = self._reference.geometry
        self.points: Floats = WHOLE.normalised(geometry.points)
        # As live: lips move as pieces on both sides.
        axes = lip_axes(geometry.axes, geometry.points[:N_MESH], geometry.unit)
        geometry = replace(geometry, axes=axes)
        grid = avatar_grid(geometry, WHOLE)
        layers = Layers.of(image, WHOLE, geometry.points)
        mesh = HeadMesh.of(geometry, WHOLE, grid, None if layers is None else layers.person)
        nothing = np.zeros((1, 0), np.float32)
        self.avatar = Avatar(
            image,
            face,
            WHOLE,
            geometry,
            grid,
            self.points,
            AvatarCode(nothing, nothing),
            mesh,
            Room.of(geometry, WHOLE, (image.shape[1], image.shape[0])),
            Cavity.of(image, geometry.points, geometry.unit),
            layers,
        )
        self._canvas = make_canvas(self.avatar, IMAGE_SIZE)
        look = portrait_look(self.avatar, self._canvas)
        self._lids = AvatarLids(self.avatar, self._canvas, look)
        self._eyes = HiddenEyes(self.avatar, self._canvas, look)

    def carried(self, image: Image, face: Face) -> Driving | None:
        """The motion to ``image`` on this face; None if it is too large to be transferred unchanged."""
        # A new one, without memory of other pairs.
        tracker = Tracker(TrackerSettings(mouth=True), cast(Any, _NoLandmarker()))
        tracker.reference = self._reference
        motion = tracker.measure(Frame(image, 0, 0, 0.0), face)
        if np.hypot(*motion.head.shift) > MOST_SHIFT or np.hypot(*motion.head.turn) > MOST_TURN:
            return None
        return carry_over(motion, self.avatar)

    def drive(self, image: Image, face: Face) -> Driven | None:
        """The motion to ``image`` and what it looks like; None as in :meth:`carried`."""
        driving = self.carried(image, face)
        if driving is None:
            return None
        return Driven(driving.points, driving.dense, *self.draw(driving.mesh, driving.motion))

    def draw(self, moving: MeshMotion, motion: Motion | None = None) -> tuple[Image, Image]:
        """What the engine draws without the network: ``mesh`` and ``front`` of :class:`Driven`.

        Args:
            motion: whose light on the skin is drawn, too.
        """
        warp = self._canvas.mesh.warp(moving)
        image = compose(self._canvas, None, warp)
        self._eyes.draw(image, self._eyes.place(moving))
        self._lids.draw(image, self._lids.place(moving, warp))
        if motion is not None:
            draw_folds(self._canvas, image, folds_of(motion, self.avatar, self._canvas, warp))
        return image, front_of(warp)


def front_of(warp: Warp) -> Image:
    """``(h, w, 4)``: the mouth's inside, and how far the network's image takes its place.

    Deep in a mouth the engine puts the cavity over the paint again.
    """
    if warp.cover is not None and warp.calm is not None:
        warp = replace(warp, cover=warp.cover - warp.calm)
    return np.asarray(warp.device_inputs()["front"][0], np.uint8)


class _NoLandmarker:
    """Placeholder where the faces are known already."""

    def close(self) -> None:
        """Nothing is open."""
