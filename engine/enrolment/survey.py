"""Survey of the photos of an avatar's person: what is unusable is sorted out, with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.face.layout import N_MESH
from mien.engine.photos.choice import Faces
from mien.engine.photos.photo import Photo
from mien.engine.tracking.auto_reference import is_frontal, shape_difference
from mien.engine.tracking.identity import Look
from mien.engine.types import Face, Floats, Image

LEAST_FACE = 48.0
"""Width of a face in pixels below which its teeth and lids are too coarse."""

SIDE = 640
"""Longest side of what is kept of a photo: a face of some 350 pixels."""

MARGIN = 0.25
"""What is kept around the landmarks, as a share of their box."""

SHARP = 0.18
"""Share of the portrait's sharpness below which a photo is blurred."""

PERSON = 0.115
"""Unlikeness (shape, and a twentieth of the appearance) of two frontal faces from which they are two people.
On photos from different places, 5 % of a person's own are beyond it, and 35 % of other people's."""

APPEARANCE = 0.05

COMPARED = np.radians(18.0)
"""Turn up to which shapes are compared."""

MOST = 160
"""Candidates that are kept at a time; of two that are alike, one goes."""

Compare = Callable[[Image, Floats], float]
"""Takes a photo and its landmarks; from 1 on it shows somebody else than the portrait."""


@dataclass(slots=True)
class Survey:
    """Looks through photos, one after another.

    Attributes:
        avatar: whose photos these are to be.
        looked: how many were looked at.
        candidates: what may be used.
        refused: names of the others, by reason.
    """

    avatar: Avatar
    looked: int = 0
    candidates: list[Photo] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)
    _sharp: float | None = None
    _look: Look | None = None

    def look(self, image: Image, faces: Sequence[Face], name: str) -> None:
        """Consider a photo.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            faces: all faces in it.
            name: what it is called.
        """
        self.looked += 1
        why, photo = self._judged(image, faces, name)
        if photo is None:
            self.refuse(why, name)
            return
        self.candidates.append(photo)
        if len(self.candidates) > MOST:
            del self.candidates[_most_common(self.candidates)]

    def refuse(self, why: str, name: str) -> None:
        """Note that a photo cannot be used."""
        self.refused.setdefault(why, []).append(name)

    def _judged(self, image: Image, faces: Sequence[Face], name: str) -> tuple[str, Photo | None]:
        if not faces:
            return "no face", None
        large = [face for face in faces if np.ptp(face.landmarks[:, 0]) >= LEAST_FACE]
        if not large:
            return f"a face under {LEAST_FACE:.0f} pixels", None
        face = min(large, key=lambda face: self._unlikeness(image, face)) if len(large) > 1 else large[0]
        if self._unlikeness(image, face) >= PERSON:
            return "somebody else", None
        if not _is_whole(face, image):
            return "a face cut by the border", None
        photo = cut_out(image, face, name)
        if sharpness(photo.image, photo.landmarks) < SHARP * self._own_sharpness():
            return "blurred", None
        return "", photo

    def _unlikeness(self, image: Image, face: Face) -> float:
        """How unlike the portrait's person a face is; 0 where it is turned too much to tell."""
        own = self.avatar
        if not (is_frontal(face, COMPARED) and is_frontal(own.face, COMPARED)):
            return 0.0
        if self._look is None:
            self._look = Look.of(own.image, own.face)
        look = Look.of(image, face)
        appearance = 1.0 - float(self._look.view @ look.view)
        return shape_difference(own.face, face) + APPEARANCE * appearance

    def _own_sharpness(self) -> float:
        if self._sharp is None:
            self._sharp = sharpness(self.avatar.image, self.avatar.face.landmarks)
        return self._sharp


def cut_out(image: Image, face: Face, name: str) -> Photo:
    """What is kept of a photo: the face with a margin, reduced to :data:`SIDE`."""
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    rim = MARGIN * float((high - low).max())
    left, top = (max(0, int(value - rim)) for value in low)
    right = min(image.shape[1], int(high[0] + rim) + 1)
    bottom = min(image.shape[0], int(high[1] + rim) + 1)
    part = np.ascontiguousarray(image[top:bottom, left:right])
    scale = min(1.0, SIDE / max(part.shape[:2]))
    if scale < 1:
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    corner = np.array([left, top, 0], np.float32)
    landmarks = np.asarray((face.landmarks - corner) * np.float32(scale), np.float32)
    return Photo(part, landmarks, face.pose.copy(), face.blendshapes.copy(), name)


def sharpness(image: Image, landmarks: Floats) -> float:
    """Variance of the Laplacian over the face at 128 pixels, as a share of its light."""
    low = np.maximum(landmarks[:N_MESH, :2].min(axis=0).astype(int), 0)
    high = np.maximum(landmarks[:N_MESH, :2].max(axis=0).astype(int), low + 2)
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    if part.size == 0:
        return 0.0
    grey = cv2.cvtColor(cv2.resize(part, (128, 128), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.mean()), 1.0) ** 2)


def _is_whole(face: Face, image: Image) -> bool:
    points = face.landmarks[:N_MESH, :2]
    size = np.array([image.shape[1], image.shape[0]])
    return bool(((points > -0.02 * size) & (points < 1.02 * size)).all())


def _most_common(photos: Sequence[Photo]) -> int:
    """Of the two photos that are most alike, the later one."""
    traits = [photo.traits for photo in photos]
    nearest = [float(Faces.of(traits[:i]).difference(a).min()) for i, a in enumerate(traits) if i]
    return 1 + int(np.argmin(nearest))
