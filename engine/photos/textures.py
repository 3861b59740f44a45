"""What one photo shows at one place, made ready once: its pixels, and how far each of them counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.mesh.rasterizer import Rasterizer
from mien.engine.photos.album import Fitted
from mien.engine.photos.places import Place
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import smoothstep

FACTOR = 2
"""How many times a texture is enlarged, with the cubic kernel: bilinear lookups of it are as sharp."""

RIM = 2
"""Pixels of the photo around a place."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """Pixels of a photo that may be drawn at one place.

    Attributes:
        image: ``(h, w, 4) uint8`` RGB, and the share of each pixel, 0..255.  OpenCV looks four bytes up ten
            times as fast as three.
        colours: ``(v, 3) float32`` for each vertex of the place: its pixel indices in ``image``, and 1.
    """

    image: Image
    colours: Floats

    @staticmethod
    def of(photo: Fitted, place: Place) -> Texture:
        """The photo's pixels at a place."""
        at = photo.vertices[place.vertices]
        most = np.array(photo.image.shape[1::-1])
        left, top = np.clip(np.floor(at.min(axis=0)).astype(int) - RIM, 0, most - 2)
        far = np.ceil(at.max(axis=0)).astype(int) + RIM + 1
        right, bottom = np.clip(far, (left + 2, top + 2), most)
        part: Any = cv2.cvtColor(photo.image[top:bottom, left:right], cv2.COLOR_RGB2RGBA)
        large = cv2.resize(part, None, fx=FACTOR, fy=FACTOR, interpolation=cv2.INTER_CUBIC)
        at = ((at - np.array([left, top], np.float32) + 0.5) * FACTOR - 0.5).astype(np.float32)
        weights = np.repeat(place.weights[place.vertices, None], 3, axis=1)
        drawn = Rasterizer(large.shape[1], large.shape[0]).draw(
            at, photo.depth[place.vertices] * np.float32(FACTOR), weights, place.triangles
        )
        share = smoothstep(np.clip(drawn[..., 0], 0, 1))
        large[..., 3] = np.round(255 * share)
        return Texture(np.asarray(large, np.uint8), np.column_stack([at, np.ones(len(at), np.float32)]))
