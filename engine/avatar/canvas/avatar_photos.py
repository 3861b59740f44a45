"""The photos of one renderer's avatar: fitted to its canvas, chosen and drawn frame after frame."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas
from mien.engine.avatar.transfer import Driving
from mien.engine.face.layout import N_MESH
from mien.engine.photos.album import fitted, tone_of
from mien.engine.photos.drawing import Patches, PhotoChooser, PhotoPainter
from mien.engine.photos.photo import Traits
from mien.engine.types import Image


class AvatarPhotos:
    """Draws what the portrait lacks from its person's further photos; one thread at a time.

    Args:
        avatar: whose.
        canvas: on which they are drawn.

    Attributes:
        changing: whether one photo is passing into another, so that the next image differs from the last
            although nothing moves.
    """

    def __init__(self, avatar: Avatar, canvas: Canvas) -> None:
        self._painter = PhotoPainter()
        self.set_avatar(avatar, canvas)

    def set_avatar(self, avatar: Avatar, canvas: Canvas) -> None:
        """Draw another avatar's photos from now on."""
        self._avatar, self._canvas = avatar, canvas
        self._chooser: PhotoChooser | None = None
        self.changing = False
        if not avatar.photos:
            return
        points = canvas.placed(avatar.source_points) + np.float32(0.5)
        tone = tone_of(canvas.still, points)
        photos = [fitted(photo, canvas.still, points, tone) for photo in avatar.photos]
        kept = [photo for photo in photos if photo is not None]
        if kept:
            own = Traits.of(points, avatar.pose, avatar.face.blendshapes)
            self._chooser = PhotoChooser(kept, own, avatar.shows_mouth)

    def place(self, driving: Driving, time: float) -> Patches | None:
        """What goes into the image of a motion at ``time``, seconds; None where nothing does."""
        if self._chooser is None:
            return None
        corner = np.array(self._canvas.corner, np.float32)
        vertices = self._canvas.placed(driving.mesh.vertices) - corner
        own = self._avatar.pose
        turn = own[0] + driving.turn[0], own[1] + driving.turn[1]
        wanted = Traits.of(vertices[:N_MESH], turn, driving.motion.blendshapes)
        depth = driving.mesh.depth * np.float32(self._canvas.pixels)
        patches = self._chooser.choose(wanted, time, vertices, depth)
        self.changing = self._chooser.changing
        return patches

    def draw(self, image: Image, patches: Patches | None) -> float:
        """Draw it, in place; milliseconds spent."""
        if patches is None:
            return 0.0
        start = perf_counter()
        self._painter.draw(image, patches)
        return 1000 * (perf_counter() - start)
