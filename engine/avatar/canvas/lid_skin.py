"""Shut lids: skin without what would be drawn out there, and the line of lashes on which lids meet.

Between crease and brow a shut lid is stretched to two or three times its height.  Lashes that stand before
that skin, the crease's line, brush strokes and the brow's lowest hairs became streaks from brow to eye;
below the lid, what the landmarks leave of the eyeball stayed as a pale rim, and the line between both had
steps.  There a shut lid shows skin that was cleared of them once, and a line in the colour of the portrait's
own lashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas
from mien.engine.avatar.canvas.mesh_canvas import Warp
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.eyes.lid_edges import eyeball_below, lash_strip, without_lines
from mien.engine.avatar.eyes.lid_line import SOON, draw_edges, lash_colour, line_colour, median_colour
from mien.engine.avatar.eyes.lid_shade import shaded
from mien.engine.avatar.eyes.lids import CREASE
from mien.engine.avatar.eyes.makeup import eye_shadow
from mien.engine.avatar.eyes.rims import RINGS, Rims
from mien.engine.avatar.head.mesh_motion import MeshMotion
from mien.engine.avatar.person.boxes import Box
from mien.engine.face.grain import grained
from mien.engine.landmarks import topology as topo
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.images import filled
from mien.engine.utils.sampling import sample

MARGIN = 0.3
"""Margin around an eye within which skin is looked at, as a share of its width."""

BLUR, FAR, EDGE = 0.12, 0.25, 0.05
"""Standard deviations of the blur that continues skin, near the skin that is known and further away, and of
its own edge, widths of an eye.  With a blur of 0.07 a lid that was drawn out to ten times its height had
stripes."""

BESIDE, BELOW, KNOWN = 0.14, 0.06, 0.22
"""How far beyond corners and lower edge of an eye skin is cleared, and how far below that it is looked at, in
widths of an eye."""

SHOWN = 0.85
"""Share of the cleared skin in a lid that is wholly shut."""

ROOTED = (0.3, 0.7)
"""How far an eye is shut up to which its lid keeps the portrait's own lashes along its edge, and from which
on there is the line alone: they come down with it as they are, and stand up before a lid that is shut."""

FINE = 90.0
"""Width of an eye, pixels, up to which its skin is kept finer than the image is."""

CORNERS = 0.22
"""By how much less of its width the open eye is left out of the cleared skin."""

OUTLINE = 0.06
"""How far within the face's outline its skin is sure to be skin, widths of an eye."""

LEAST = 8.0
"""Width of an eye, pixels, from which on there is anything to clear."""

FAR_EYE = 0.42
"""Width over the other eye's up to which an eye is behind the nose: its lashes were drawn on the bridge."""


@dataclass(frozen=True, slots=True)
class LidSkin:
    """What a portrait's eye shows when it is shut.

    Attributes:
        colours: ``(h, w, 4) uint8`` the cleared skin, RGB, and how far it counts.
        corner: ``(x, y)`` of its first pixel in the still image.
        fine: its pixels along one of the still image's.
        lashes: ``(3,) float32`` colour of the lashes.
        rooted: ``(h, w) uint8`` where lashes stand along the open lid's edge.
        rims: what lies before the eye, or None.
    """

    colours: Image
    rooted: Image
    corner: tuple[int, int]
    fine: int
    lashes: Floats
    rims: Rims | None

    @staticmethod
    def of(
        image: Image, points: Floats, eye: int, shadow: Floats | None = None, rims: Rims | None = None
    ) -> LidSkin | None:
        """From a portrait; None where the eye is too small, or behind the nose.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            points: ``(478, 2)`` landmarks, its pixel indices.
            eye: 0 the right, 1 the left one.
            shadow: ``(3,)`` its eye shadow (:func:`~mien.engine.avatar.eyes.makeup.eye_shadow`).
            rims: what lies before the eye.
        """
        upper, lower, crease, under_brow = (
            points[list(row)].astype(np.float32) for row in (*EYES[eye][:2], *CREASE[eye])
        )
        across = upper[-1] - upper[0]
        width = float(np.hypot(*across))
        every = np.concatenate([upper, lower, under_brow])
        low = np.maximum(np.floor(every.min(axis=0) - MARGIN * width), 0).astype(int)
        high = np.minimum(np.ceil(every.max(axis=0) + MARGIN * width) + 1, image.shape[1::-1]).astype(int)
        other = points[[EYES[1 - eye][0][0], EYES[1 - eye][0][-1]]]
        if width < max(LEAST, FAR_EYE * float(np.hypot(*(other[1] - other[0])))) or (high - low < 8).any():
            return None
        under, lid, cheek = _outlines(upper, lower + eyeball_below(image, upper, lower), crease, under_brow)
        part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
        if rims is not None:
            part = rims.cleared(part, low, width)
        face = _within_face(points - low, part.shape, width)
        below_it = face * filled(cheek - low, part.shape)
        clear = without_lines(part, width)
        colours = _continued(clear, np.maximum(face * filled(lid - low, part.shape), below_it), width)
        # Finer than the image: what a lid is drawn out from may be a row of pixels.
        fine = int(np.clip(np.ceil(FINE / width), 1, 4))
        rows = tuple((row - low + 0.5) * fine - 0.5 for row in (under_brow, crease, upper, lower))
        colours = shaded(colours, clear, below_it, rows, eye, fine, shadow)
        rooted: Any = cv2.resize(lash_strip(upper - low, crease - low, part.shape), colours.shape[1::-1])
        lashes = line_colour(lash_colour(image, upper, lower), median_colour(colours, rows[2][1:-1]))
        skin, opened = np.concatenate([under_brow, under[::-1]]), np.concatenate([upper, lower[::-1]])
        counted = _counted(skin - low, _without_corners(opened, across) - low, part.shape, width)
        finer: Any = cv2.resize(counted, colours.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        found = np.dstack([colours, 255 * finer])
        pixels = np.clip(found + 0.5, 0, 255).astype(np.uint8)
        return LidSkin(pixels, rooted, (int(low[0]), int(low[1])), fine, lashes, rims)


@dataclass(frozen=True, slots=True)
class ShutLid:
    """One eye's lid in one frame.

    Attributes:
        box: rows and columns of the moving part.
        lookup: ``(2, rows, columns) float32`` where they look in the skin's image.
        skin: the skin.
        shut: how far the eye is shut, 0..1.
        edges: ``(9, 2) float32`` the upper and the lower lid's edge, pixel indices of the box.
        ring: ``(16, 2) float32`` where the eye's surroundings are, likewise.
    """

    box: Box
    lookup: Floats
    skin: LidSkin
    shut: float
    edges: tuple[Floats, Floats]
    ring: Floats


class AvatarLids:
    """Draws the shut lids of one avatar's images; one thread at a time.

    Args:
        avatar: whose.
        canvas: on which they are drawn.
        look: of the portrait.
    """

    def __init__(self, avatar: Avatar, canvas: Canvas, look: PortraitLook) -> None:
        self.set_avatar(avatar, canvas, look)

    def set_avatar(self, avatar: Avatar, canvas: Canvas, look: PortraitLook) -> None:
        """Draw another avatar's lids from now on."""
        self._canvas = canvas
        points = canvas.placed(avatar.source_points)
        self._grain = look.grain
        shadow = eye_shadow(canvas.still, points)
        # Lines of drawings and strokes of paint are as long as rims.
        in_lines = look.drawn or look.paint is not None
        rims = [None if in_lines else Rims.of(canvas.still, points, eye) for eye in range(2)]
        self._skins = tuple(LidSkin.of(canvas.still, points, eye, shadow, rims[eye]) for eye in range(2))

    def place(self, moving: MeshMotion, warp: Warp) -> tuple[ShutLid, ...]:
        """The lids that shut in the image of a motion."""
        found = (self._placed(moving, warp, eye) for eye in range(2) if moving.shut[eye] > 0)
        return tuple(lid for lid in found if lid is not None)

    def _placed(self, moving: MeshMotion, warp: Warp, eye: int) -> ShutLid | None:
        canvas, skin = self._canvas, self._skins[eye]
        if skin is None:
            return None
        rows_of = *EYES[eye][:2], *CREASE[eye]
        corner = np.array([canvas.left, canvas.top], np.float32)
        upper, lower, _, brow, ring = (
            canvas.placed(moving.vertices[list(row)]) - corner for row in (*rows_of, RINGS[eye])
        )
        every = np.concatenate([upper, lower, brow])
        width = float(np.hypot(*(upper[-1] - upper[0])))
        margin = BESIDE * width
        rows, columns = canvas.box_around(every, margin, 2 * margin)
        if rows.stop - rows.start < 3 or columns.stop - columns.start < 3:
            return None
        shift = warp.shift[:, rows, columns]
        start = np.array(skin.corner, np.float32)[:, None, None]
        lookup = np.asarray(shift + canvas.place[:, rows, columns] - start, np.float32)
        lookup *= np.float32(skin.fine)
        lookup += np.float32((skin.fine - 1) / 2)
        for edge in (upper, lower, ring):
            edge -= np.array([columns.start, rows.start], np.float32)
        return ShutLid((rows, columns), lookup, skin, moving.shut[eye], (upper, lower), ring)

    def draw(self, image: Image, lids: tuple[ShutLid, ...]) -> float:
        """Draw them, in place; milliseconds spent."""
        if not lids:
            return 0.0
        start = perf_counter()
        part = self._canvas.moving_part(image)
        for lid in lids:
            # An image may have an opacity, too.
            target = part[lid.box][..., :3]
            found = sample(lid.skin.colours, lid.lookup[0], lid.lookup[1])
            weight: Any = cv2.extractChannel(found, 3).astype(np.float32)
            weight /= np.float32(255)
            colours: Any = cv2.cvtColor(found, cv2.COLOR_RGBA2RGB)
            if self._grain is not None:
                colours = grained(colours, self._grain)
            share = weight * np.float32(SHOWN * smoothstep(ramp(lid.shut, SOON)))
            if lid.shut < ROOTED[1]:
                kept = sample(lid.skin.rooted, lid.lookup[0], lid.lookup[1])
                share *= 1 - kept * np.float32((1 - ramp(lid.shut, ROOTED)) / 255)
            drawn: Any = cv2.blendLinear(colours, np.ascontiguousarray(target), share, np.float32(1) - share)
            draw_edges(drawn, weight, lid.edges, lid.skin.lashes, lid.shut)
            if lid.skin.rims is not None:
                drawn = lid.skin.rims.draw(drawn, lid.ring, np.minimum(share * np.float32(1 / SHOWN), 1))
            target[...] = drawn
        return 1000 * (perf_counter() - start)


def _within_face(points: Floats, shape: tuple[int, ...], width: float) -> Floats:
    """``(h, w)`` 1 where there is skin of the face: beside an eye on the outline lies the background."""
    face = filled(points[list(topo.FACE_OVAL)].astype(np.float32), shape)
    side = 2 * round(OUTLINE * width) + 1
    return np.asarray(cv2.erode(face, np.ones((side, side), np.uint8), borderValue=1.0), np.float32)


def _outlines(
    upper: Floats, below: Floats, crease: Floats, under_brow: Floats
) -> tuple[Floats, Floats, Floats]:
    """Where the skin of a shut lid ends below, and around the lid and the cheek whose skin is known.

    Args:
        upper, crease, under_brow: rows of landmarks from the eye's left to its right.
        below: ``(9, 2)`` the lower edge of what is no skin.
    """
    across = upper[-1] - upper[0]
    width = float(np.hypot(*across))
    down = np.array([-across[1], across[0]], np.float32) / width
    # Beyond the corners, and below what is no skin.
    ends = upper[[0, -1]] + np.array([[-BESIDE], [BESIDE]], np.float32) * across
    # In large drawn eyes white reaches beyond the corners, too.
    aside = np.linspace(-1, 1, len(below), dtype=np.float32)[1:-1, None] ** 3
    below = below[1:-1] + BELOW * width * down + BESIDE * aside * across
    under = np.concatenate([ends[:1], below, ends[1:]])
    lid = np.concatenate([under_brow, ends[1:], crease[::-1], ends[:1]])
    return under, lid, np.concatenate([under, (under + KNOWN * width * down)[::-1]])


def _counted(skin: Floats, opened: Floats, shape: tuple[int, ...], width: float) -> Floats:
    """``(h, w)`` in 0..1: how far cleared skin counts within its outline, and not in the open eye's."""
    counts = filled(skin, shape)
    counts -= filled(opened, shape)
    soft = cv2.GaussianBlur(counts, (0, 0), max(0.6, EDGE * width))
    return np.asarray(np.clip(np.minimum(2 * soft - 0.5, soft + 0.3), 0, 1), np.float32)


def _without_corners(ring: Floats, across: Floats) -> Floats:
    """An eye's outline ``(N, 2)`` without its corners: white and red rims stay there when lids meet."""
    centre = ring.mean(axis=0)
    axis = across / max(float(across @ across), 1e-6)
    return np.asarray(ring - CORNERS * ((ring - centre) @ axis)[:, None] * across, np.float32)


def _continued(clear: Floats, known: Floats, width: float) -> Floats:
    """``(h, w, 3)`` the colours of known skin, continued to where it is not known."""
    clear = clear * known[..., None]
    means, weights = [], []
    for sigma in (BLUR, FAR):
        weight = cv2.GaussianBlur(known, (0, 0), max(0.8, sigma * width))
        mean: Any = cv2.GaussianBlur(clear, (0, 0), max(0.8, sigma * width))
        means.append(mean / np.maximum(weight, 1e-4)[..., None])
        weights.append(weight)
    # Far beyond the skin that is known its mean: to a face's outline it is not far.
    mean = clear.sum(axis=(0, 1)) / max(float(known.sum()), 1e-4)
    far = mean + np.clip(1e3 * weights[1], 0, 1)[..., None] * (means[1] - mean)
    near = np.clip(4 * weights[0], 0, 1)[..., None]
    return np.asarray(far + near * (means[0] - far), np.float32)
