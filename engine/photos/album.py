"""The photos of one portrait, made ready for one size of its results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from mien.engine.mesh.topology import face_topology
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.photos.lighting import UNLIKE, relit
from mien.engine.photos.photo import Photo, Traits, face_unit
from mien.engine.photos.places import Place, side_place
from mien.engine.types import Floats, Image

DENSER = 1.25
"""Pixels of a photo for each of the result's, at most: more would flicker."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A photo as it is drawn.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB in the portrait's light.
        vertices: ``(V, 2) float32`` the mesh's vertices in it, pixel indices.
        depth: ``(V,) float32`` theirs, pixels, smaller is nearer.
        traits: what its face does.
        side: the skin that it shows better than the portrait.
    """

    image: Image
    vertices: Floats
    depth: Floats
    traits: Traits
    side: Place


def tone_of(portrait: Image, points: Floats) -> Image | None:
    """``(256, 3) uint8`` RGB of each luminance where a portrait has a single tone; else None."""
    return PortraitLook.of(portrait, points[:, :2], face_unit(points)).tone


def fitted(photo: Photo, portrait: Image, points: Floats, tone: Image | None = None) -> Fitted | None:
    """A photo in the portrait's light and at its scale; None where the light cannot be matched.

    Args:
        portrait: ``(H, W, 3) uint8`` RGB at the result's resolution.
        points: ``(468+, 2)`` its landmarks, pixels.
        tone: its only one, see :func:`tone_of`.
    """
    unit = face_unit(points)
    photo = _reduced(photo, DENSER * unit / photo.unit)
    image, unlike = relit(photo, portrait, points, unit)
    if unlike > UNLIKE:
        return None
    if tone is not None:
        image = np.asarray(tone[cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)], np.uint8)
    own = photo.landmarks[:, :2]
    side = side_place(points / np.float32(unit), own / np.float32(photo.unit))
    placed = photo.landmarks[face_topology().landmark]
    vertices = np.ascontiguousarray(placed[:, :2] - np.float32(0.5))
    return Fitted(image, vertices, placed[:, 2].copy(), photo.traits, side)


def _reduced(photo: Photo, scale: float) -> Photo:
    if scale >= 1:
        return photo
    height, width = photo.image.shape[:2]
    size = max(8, round(width * scale)), max(8, round(height * scale))
    image: Any = cv2.resize(photo.image, size, interpolation=cv2.INTER_AREA)
    ratio = np.array([size[0] / width, size[1] / height, scale], np.float32)
    return replace(photo, image=image, landmarks=photo.landmarks * ratio)
