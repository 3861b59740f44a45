"""Eyes that the portrait hides: where its lids are shut, opened lids show a plain eyeball in its light.

The mesh has nothing to show there but the line of lashes, drawn out to a dark hole.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas
from mien.engine.avatar.canvas.lid_skin import FAR_EYE, LEAST
from mien.engine.avatar.eyes.eyelids import EYES, Eye
from mien.engine.avatar.eyes.lids import CREASE
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.person.boxes import Box
from mien.engine.face.grain import grained
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.images import share_within
from mien.engine.utils.light import GREY

HIDDEN, OPENS = (0.045, 0.07), (0.02, 0.06)
"""Gaps of the portrait's lids, widths of an eye, up to which it shows no eyeball and from which on its own,
and by how much they open beyond that until the eyeball is wholly seen.  Of 24 stills with shut eyes 20 have
less than 0.06, of 80 others four less than 0.075, who look down; open eyes have 0.2."""

WHITE, TINT, IRIS, PUPIL = 1.0, 0.5, (0.36, 0.25, 0.17), 0.06
"""Brightness of white, iris (brown: red, green, blue) and pupil as shares of that of the skin around the eye,
and how much of its tint the white has."""

RADIUS, INNER, RING, CENTRE = 0.205, 0.42, 0.75, -0.015
"""Radius of an iris in widths of an eye, of the pupil and of where its dark ring begins as shares of that,
and how far below the line of the corners it looks straight ahead from."""

GAZE = (0.16, 0.07)
"""How far the iris goes aside, and up and down, widths of an eye."""

SHADOW, DEEP, ROUND = 0.5, 0.07, 0.35
"""By how much the upper lid darkens the eyeball below it, how far, widths of an eye; and by how much it is
darker in the corners."""

GLINT, AT = 0.035, (-0.06, -0.07)
"""Radius of the light that an iris reflects, and where, widths of an eye from its middle."""

SOFT = 0.8
"""Pixels over which the parts' edges are soft."""


@dataclass(frozen=True, slots=True)
class OpenedEye:
    """One eye's opening in one frame.

    Attributes:
        box: rows and columns of the moving part.
        edges: ``(9, 2) float32`` the upper and the lower lid's edge, pixel indices of the moving part.
        gaze: how far the iris looks aside and down, widths of the eye.
        skin: ``(3,) float32`` colour of the skin around it, 0..255.
        share: how far the eyeball is seen, 0..1.
    """

    box: Box
    edges: tuple[Floats, Floats]
    gaze: complex
    skin: Floats
    share: float


class HiddenEyes:
    """Draws the eyeballs that one avatar's portrait hides; one thread at a time.

    Args:
        avatar: whose.
        canvas: on which they are drawn.
        look: of the portrait.
    """

    def __init__(self, avatar: Avatar, canvas: Canvas, look: PortraitLook) -> None:
        self.set_avatar(avatar, canvas, look)

    def set_avatar(self, avatar: Avatar, canvas: Canvas, look: PortraitLook) -> None:
        """Draw another avatar's from now on."""
        self._canvas, self._look = canvas, look
        points = canvas.placed(avatar.source_points)
        self._hidden = hidden_shares(points)
        self._before = tuple(Eye.of(avatar.source_points, eye).gap for eye in range(2))
        self._skins = tuple(_skin_around(canvas.still, points, eye) for eye in range(2))

    def place(self, moving: MeshMotion) -> tuple[OpenedEye, ...]:
        """The eyeballs that are seen in the image of a motion."""
        found = (self._placed(moving, eye) for eye in range(2) if self._hidden[eye] > 0)
        return tuple(eye for eye in found if eye is not None)

    def _placed(self, moving: MeshMotion, eye: int) -> OpenedEye | None:
        canvas = self._canvas
        now = Eye.of(moving.vertices, eye)
        share = self._hidden[eye] * ramp(now.gap - self._before[eye], OPENS)
        if share == 0:
            return None
        corner = np.array([canvas.left, canvas.top], np.float32)
        upper, lower = (canvas.placed(moving.vertices[list(row)]) - corner for row in EYES[eye][:2])
        rows, columns = canvas.box_around(np.concatenate([upper, lower]), 1.0, 1.0)
        if rows.stop - rows.start < 2 or columns.stop - columns.start < 4:
            return None
        x, y = moving.gaze[eye].tolist()
        gaze = complex(x, y) / now.width
        return OpenedEye((rows, columns), (upper, lower), gaze, self._skins[eye], share)

    def draw(self, image: Image, eyes: tuple[OpenedEye, ...]) -> float:
        """Draw them, in place; milliseconds spent."""
        if not eyes:
            return 0.0
        start = perf_counter()
        part, look = self._canvas.moving_part(image), self._look
        for eye in eyes:
            # An image may have an opacity, too.
            target = part[eye.box][..., :3]
            ball = np.clip(eyeball(eye) + 0.5, 0, 255).astype(np.uint8)
            if look.tone is not None:
                ball = np.asarray(look.tone[cv2.cvtColor(ball, cv2.COLOR_RGB2GRAY)], np.uint8)
            if look.grain is not None:
                ball = grained(ball, look.grain)
            ring = np.concatenate([eye.edges[0], eye.edges[1][::-1]])
            weight = share_within(ring, eye.box) * np.float32(eye.share / 255)
            target[...] = cv2.blendLinear(ball, np.ascontiguousarray(target), weight, 1 - weight)
        return 1000 * (perf_counter() - start)


def hidden_shares(points: Floats) -> tuple[float, float]:
    """How far each eye of a portrait is hidden behind its lids, 0..1; ``points`` ``(478, 2)`` in pixels.

    An eye behind the nose, or of a few pixels, counts as seen: nothing would be drawn well there.
    """
    eyes = [Eye.of(points, eye) for eye in range(2)]
    widths = [abs(eye.width) for eye in eyes]
    least = max(LEAST, FAR_EYE * max(widths))
    right, left = (
        (1 - ramp(eye.gap, HIDDEN)) if width >= least else 0.0
        for eye, width in zip(eyes, widths, strict=True)
    )
    return right, left


def eyeball(eye: OpenedEye) -> Floats:
    """``(rows, columns, 3) float32`` RGB in 0..255 of an eyeball in the eye's box."""
    upper = eye.edges[0]
    corner, across = upper[0], upper[-1] - upper[0]
    size = float(np.hypot(*across))
    rows, columns = eye.box
    x = np.arange(columns.start, columns.stop, dtype=np.float32) - corner[0]
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - corner[1]
    # Along the line of the corners, and down from it; the left corner is 0, the right one 1.
    along = (x * across[0] + y * across[1]) / np.float32(size**2)
    down = (y * across[0] - x * across[1]) / np.float32(size**2)
    edge = (upper - corner) @ (np.stack([across, [-across[1], across[0]]], axis=1) / size**2)
    lid = np.interp(along, np.maximum.accumulate(edge[:, 0]), edge[:, 1]).astype(np.float32)
    shade = 1 - SHADOW * np.exp(-np.maximum(down - lid, 0) / np.float32(DEEP))
    shade *= 1 - ROUND * np.square(2 * along - 1)
    aside = 0.5 + float(np.clip(eye.gaze.real, -GAZE[0], GAZE[0]))
    height = CENTRE + float(np.clip(eye.gaze.imag, -GAZE[1], GAZE[1]))
    far = np.hypot(along - np.float32(aside), down - np.float32(height))
    soft = np.float32(SOFT / size)
    colour = np.broadcast_to(_white(eye.skin), (*far.shape, 3)).copy()
    bright = float(eye.skin @ GREY)
    iris = np.array(IRIS, np.float32) * (0.5 * bright + 0.5 * eye.skin)
    # Darker towards its rim and below the lid, paler where light falls through.
    ring = smoothstep(np.clip((far / RADIUS - RING) / (1 - RING), 0, 1))
    lit = iris * (1.15 - 0.55 * ring[..., None])
    for radius, inner in ((RADIUS, lit), (INNER * RADIUS, np.full(3, PUPIL * bright, np.float32))):
        weight = _within(far, radius, soft)
        colour += weight[..., None] * (inner - colour)
    colour *= shade[..., None]
    glint = np.hypot(along - np.float32(aside + AT[0]), down - np.float32(height + AT[1]))
    colour += _within(glint, GLINT, soft)[..., None] * (0.9 * bright - colour) * np.float32(0.7)
    return np.asarray(colour, np.float32)


def _skin_around(image: Image, points: Floats, eye: int) -> Floats:
    """``(3,) float32`` the median colour of the skin between an eye's crease and its brow."""
    rows = points[[landmark for row in CREASE[eye] for landmark in row]]
    x, y = (np.clip(np.round(rows[:, i]).astype(int), 0, image.shape[1 - i] - 1) for i in (0, 1))
    return np.asarray(np.median(image[y, x].astype(np.float32), axis=0), np.float32)


def _white(skin: Floats) -> Floats:
    """``(3,)`` the eye's white beside this skin: paler, in the same light."""
    bright = float(skin @ GREY)
    return np.asarray(WHITE * (bright + TINT * (skin - bright)), np.float32)


def _within(distance: Any, radius: float, soft: np.float32) -> Floats:
    """How far pixels at this distance lie within a radius, 0..1."""
    return np.asarray(np.clip((radius - distance) / (2 * soft) + 0.5, 0, 1), np.float32)
