"""The mouth of a renderer's avatar: where its canvas shows the lips, and what goes between them."""

from __future__ import annotations

from math import exp
from time import perf_counter

import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, unit_on
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.lips.pursing import narrowed
from mien.engine.face.layout import layout
from mien.engine.motion import Motion
from mien.engine.mouth.own_mouth import HIDES, Lips, OwnMouth, Placed
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.mouth.view import INNER, OUTER
from mien.engine.types import Image

GAMMA = 2.2
"""Power from an image's values to linear light, nearly."""

UPPER, LOWER = 13, 14
"""Landmarks of the lips' inner edges, in their middle."""


def portrait_look(avatar: Avatar, canvas: Canvas) -> PortraitLook:
    """How an avatar looks around its mouth, at the canvas's resolution."""
    points = canvas.placed(avatar.source_points)
    return PortraitLook.of(canvas.still, points, unit_on(canvas, avatar))


class AvatarMouth:
    """The mouth of one renderer's avatar; one thread at a time.

    Args:
        avatar: whose.
        canvas: on which it is drawn.
        own: whether the driver's own mouth is wanted; it may be changed at any time.

    Attributes:
        shows: whether the last image shows the driver's mouth.
        takes_paint: whether anything of the network's paint would be seen in it.
    """

    def __init__(self, avatar: Avatar, canvas: Canvas, own: bool = False) -> None:
        self._avatar, self._canvas = avatar, canvas
        self.shows, self.takes_paint = False, True
        self._mouth = OwnMouth(portrait_look(avatar, canvas), own)

    @property
    def look(self) -> PortraitLook:
        """How the portrait looks around its mouth."""
        return self._mouth.look

    @property
    def unpainted(self) -> bool:
        """Whether nothing of the network's paint is shown: drawings and mouths that are open in the portrait.

        The network saw no drawings, and of teeth that are there it makes whorls.
        """
        return self._mouth.look.drawn or self._avatar.cavity.shows_inside

    @property
    def takes_folds(self) -> bool:
        """Whether the driver's folds are shown: on skin that is not drawn, where their pixels are wanted."""
        return self.own and not self._mouth.look.drawn

    @property
    def own(self) -> bool:
        """Whether the driver's own mouth is wanted."""
        return self._mouth.wanted

    @own.setter
    def own(self, wanted: bool) -> None:
        self._mouth.wanted = wanted

    @property
    def note(self) -> str | None:
        """Why the mouth is painted although the driver's own is wanted: one line, kept for the whole run."""
        return self._mouth.note

    def set_avatar(self, avatar: Avatar, canvas: Canvas) -> None:
        """Draw into another avatar's images from now on."""
        self._avatar, self._canvas = avatar, canvas
        self._mouth.set_portrait(portrait_look(avatar, canvas))

    def place(self, motion: Motion, moving: MeshMotion, covered: float = 0.0) -> Placed | None:
        """What goes into the image of a motion; None where nothing does.

        Args:
            covered: how far the avatar's own mouth is there already, from a photo; 0..1.
        """
        corner = np.array(self._canvas.corner, np.float32)
        at = self._canvas.placed(moving.vertices[INNER + OUTER]) - corner
        # The portrait's own teeth would be squeezed between pursed lips.
        narrow = narrowed(self._avatar.source_points, moving.vertices, abs(moving.head.solid.a))
        own = max(covered, self._avatar.cavity.own(moving.gap) * (1 - narrow))
        lips = Lips(at[:20], at[20:], moving.gap, own, covered < 1 and not self.unpainted)
        placed = self._mouth.place(motion.mouth, motion.time, lips, motion.shape, self._light(motion))
        share = 0.0 if placed is None else placed.share
        self.shows, self.takes_paint = share > 0, share < HIDES and not self.unpainted
        return placed

    def _light(self, motion: Motion) -> float:
        """By how much the light on the avatar's lips is brighter than in the portrait, in linear light."""
        if motion.shading is None or not self.takes_folds:
            return 1.0
        return exp(GAMMA * motion.shading.at(layout().points[[UPPER, LOWER]].mean(axis=0)))

    def draw(self, image: Image, placed: Placed | None) -> float:
        """Draw it, in place; milliseconds spent."""
        if placed is None:
            return 0.0
        start = perf_counter()
        self._mouth.draw(image, placed)
        return 1000 * (perf_counter() - start)
