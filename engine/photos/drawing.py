"""Drawing of photos into a result: each through the mesh, softly, only where it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.engine.mesh.rasterizer import Rasterizer
from mien.engine.photos.album import Fitted
from mien.engine.photos.choice import BETTER_SIDE, FADE_SIDE, Choice, Faces
from mien.engine.photos.photo import Traits
from mien.engine.photos.places import Place, eye_place, mouth_place
from mien.engine.photos.textures import Texture
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.images import planes_of

OWN_MOUTH = 0.7
"""Factor of the portrait's own distance: on 167 frames of six people a photo's mouth was nearer to the truth
where it was nearer to what is wanted by 0.55."""

INSIDE, LACKING = (0.05, 0.09), 2.0
"""Gaps of the lips beyond the portrait's, face units, from which on the portrait has no inside to show, and
the distance that this counts as: a person's own teeth in not quite their shape beat painted ones."""

UNLIKE_MOUTH = (1.5, 2.2)
"""Distance of the portrait's mouth from which on a photo's counts, and counts wholly."""

SHUTTING = (0.65, 0.4)
"""Share of the portrait's opening of an eye below which a photo's lids count, and count wholly."""

SEAM = 40
"""Parts of an eye's place over one of which its lids are smoothed where they meet."""

COARSE = 64
"""Side at which the map into a photo is made, pixels."""

TURNING = (0.10, 0.21)
"""Turn (radians) from which on another side counts, and counts wholly."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One photo at one place.

    Attributes:
        photo: whose pixels.
        place: where.
        share: how far, 0..1.
    """

    photo: Fitted
    place: Place
    share: float


@dataclass(frozen=True, slots=True)
class Patches:
    """Everything to draw into one image, in order, and where its mesh is.

    Attributes:
        patches: what.
        vertices: ``(V, 2) float32`` pixel indices of the image.
        depth: ``(V,) float32`` pixels, smaller is nearer.
        mouth: how far the mouth's inside is a photo's, 0..1.
    """

    patches: tuple[Patch, ...]
    vertices: Floats
    depth: Floats
    mouth: float


class PhotoChooser:
    """Chooses the photos of one avatar's images, frame after frame; one thread at a time.

    Args:
        photos: those that may be used.
        own: traits of the portrait.
        mouth: whether the portrait's mouth is seen; where it is not, none is put there.
    """

    def __init__(self, photos: Sequence[Fitted], own: Traits, mouth: bool = True) -> None:
        self._photos, self._own, self._has_mouth = tuple(photos), own, mouth
        self._faces = Faces.of([own, *(photo.traits for photo in photos)])
        self._mouth, self._eyes = Choice(), (Choice(), Choice())
        self._side = Choice(BETTER_SIDE, FADE_SIDE)

    def choose(self, wanted: Traits, time: float, vertices: Floats, depth: Floats) -> Patches | None:
        """What goes into the image of a face that does ``wanted`` at ``time``, seconds; None: nothing."""
        patches = self._sides(wanted, time)
        for eye in range(2):
            patches += self._lids(wanted, eye, time)
        mouth = self._mouths(wanted, time) if self._has_mouth else []
        patches += mouth
        if not patches:
            return None
        return Patches(tuple(patches), vertices, depth, max((patch.share for patch in mouth), default=0.0))

    @property
    def changing(self) -> bool:
        """Whether one photo is passing into another."""
        choices = (self._mouth, *self._eyes, self._side)
        return any(share < 1 for choice in choices for _, share in choice.shown)

    def _sides(self, wanted: Traits, time: float) -> list[Patch]:
        own, others = self._distances(self._faces.heads(wanted))
        turn = np.hypot(wanted.turn[0] - self._own.turn[0], wanted.turn[1] - self._own.turn[1])
        share = smoothstep(ramp(float(turn), TURNING))
        shown = self._side(own, others, time)
        return [Patch(self._photos[i], self._photos[i].side, w * share) for i, w in shown if w * share > 0]

    def _lids(self, wanted: Traits, eye: int, time: float) -> list[Patch]:
        usual = max(self._own.eyes[eye], 1e-3)
        own, every = self._distances(self._faces.lids(wanted, eye))
        others = {
            i: off for i, off in every.items() if self._photos[i].traits.eyes[eye] < SHUTTING[0] * usual
        }
        share = smoothstep(ramp(wanted.eyes[eye] / usual, SHUTTING))
        shown = self._eyes[eye](own, others, time)
        place = eye_place(eye)
        return [Patch(self._photos[i], place, w * share) for i, w in shown if w * share > 0]

    def _mouths(self, wanted: Traits, time: float) -> list[Patch]:
        own, others = self._distances(self._faces.mouths(wanted))
        share = smoothstep(ramp(own, UNLIKE_MOUTH))
        lacking = LACKING * ramp(wanted.gap - self._own.gap, INSIDE)
        shown = self._mouth(OWN_MOUTH * own + lacking, others, time)
        place = mouth_place()
        return [Patch(self._photos[i], place, w * share) for i, w in shown if w * share > 0]

    def _distances(self, found: Floats) -> tuple[float, dict[int, float]]:
        """The portrait's distance, and each photo's."""
        own, *others = found.tolist()
        return own, dict(enumerate(others))


class PhotoPainter:
    """Draws patches; keeps the textures and the raster that it needs."""

    def __init__(self) -> None:
        self._raster = Rasterizer(COARSE, COARSE)
        self._textures: dict[tuple[Fitted, Place], Texture] = {}

    def draw(self, image: Image, patches: Patches) -> None:
        """Draw them, in place: ``image`` ``(H, W, 3+) uint8``."""
        for patch in patches.patches:
            self._draw(image, patches, patch)

    def _draw(self, image: Image, where: Patches, patch: Patch) -> None:
        place = patch.place
        if len(place.triangles) == 0:
            return
        at = where.vertices[place.vertices]
        box = _box(at, image.shape)
        if box is None:
            return
        texture = self._texture(patch.photo, place)
        planes = self._looked_up(at, where.depth[place.vertices], texture, place, box)
        rows, columns = box
        size = columns.stop - columns.start, rows.stop - rows.start
        x, y, drawn = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes)
        found = cv2.remap(texture.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        counts = cv2.extractChannel(found, 3)
        weight: Any = cv2.multiply(counts, drawn, scale=patch.share / 255, dtype=cv2.CV_32F)
        rest: Any = np.float32(1) - weight
        colour: Any = cv2.cvtColor(found, cv2.COLOR_RGBA2RGB)
        part = image[rows, columns, :3]
        # An image may have an opacity, too.
        below = part if image.shape[2] == 3 else np.ascontiguousarray(part)
        part[...] = cv2.blendLinear(colour, below, weight, rest)

    def _texture(self, photo: Fitted, place: Place) -> Texture:
        if (photo, place) not in self._textures:
            self._textures[photo, place] = Texture.of(photo, place)
        return self._textures[photo, place]

    def _looked_up(
        self, at: Floats, depth: Floats, texture: Texture, place: Place, box: tuple[slice, slice]
    ) -> list[Any]:
        """Where the box looks in the texture, x and y, and what of it is drawn, on a coarse grid.

        The map has no cut, since lips and lids are the same in photo and result; so a coarse one will do.

        Args:
            at, depth: of the place's vertices, ``(v, 2)`` and ``(v,)``, pixel indices of the result.
        """
        corner = np.array([box[1].start - 0.5, box[0].start - 0.5], np.float32)
        size = np.array([box[1].stop - box[1].start, box[0].stop - box[0].start], np.float32)
        coarse = (at - corner) * (COARSE / size) - np.float32(0.5)
        drawn = self._raster.draw(coarse.astype(np.float32), depth, texture.colours, place.triangles)
        x, y, known = planes_of(drawn)
        reach = max(round(COARSE / SEAM), 1)
        blurred = [cv2.blur(plane, (2 * reach + 1, 2 * reach + 1)) for plane in (x, y, known)]
        near = cv2.max(blurred[2], 1e-3)
        for plane, mean in zip((x, y), blurred, strict=False):
            cv2.divide(mean, near, mean)
            if not place.meeting:
                # Beside what is drawn nothing is known: it is continued, so that its edge is not pulled.
                mean[known > 0] = plane[known > 0]
        # Where a place ends at the face's outline, its edge is soft within it.
        soft = blurred[2] if place.meeting else np.clip(2 * blurred[2] - 1, 0, 1)
        return [blurred[0], blurred[1], soft]


def _box(points: Floats, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int) + 1
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(shape[1], int(high[0])), min(shape[0], int(high[1]))
    if right - left < 2 or bottom - top < 2:
        return None
    return slice(top, bottom), slice(left, right)
