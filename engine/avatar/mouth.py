"""The inside of an opened mouth where the portrait has none: a dark cavity with the tongue's shade below.

The network's paint is blended over it as far as there is any; a mouth that is open in the portrait
keeps its own teeth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.engine.avatar.lips.lip_edges import shadowed_edges
from mien.engine.avatar.model_io import Field
from mien.engine.face.lips import mouth_gap
from mien.engine.landmarks import topology as topo
from mien.engine.mouth.blacks import hollow, raised
from mien.engine.mouth.view import skin_light
from mien.engine.types import Floats, Image
from mien.engine.utils.curves import ramp, smoothstep
from mien.engine.utils.light import to_linear

DEEP, TONGUE, FLESH = 0.28, 0.75, 0.9
"""Brightness of the cavity, of the tongue and of the flesh on the lips' edge, as shares of the lips'.  In
open mouths of 60 clips the middle has 0.45 to 0.75 in the median, its darkest quarter up to 0.3, and the
lowest tenth 0.9 to 1.2: tongue, teeth and the lip's inside.  A tongue as light is one with the lip."""

RISES, LYING = (0.4, 0.95), 0.10
"""Shares of the opening, from above, between which the hollow becomes tongue; gap (face units) from which on
all of that is seen."""

OWN = (0.03, 0.05)
"""Gaps of the portrait's lips (face units) from which on its mouth has an inside, and wholly so."""

STRETCHED = (1.4, 2.2)
"""Times the portrait's own gap to which its mouth's inside may be stretched; beyond the second it is gone."""

LOOSE, HELD = (1.0, 1.25), (0.75, 1.0)
"""Times the portrait's own gap from which on its teeth hang from the upper lip instead of being stretched,
and wholly so; and heights of its own opening from which on they give way to the cavity, and wholly so."""

NARROW, THIN = (0.12, 0.40), (1.0, 2.5)
"""Shares of the portrait's own gap, and pixels between the lips, below which nothing of its inside is seen,
and from which on it is lit: in a slit there is shadow.  A row of teeth squeezed into one was a dashed white
line, wherever the middle of a pixel lay between the lips."""

PAINTED = (0.03, 0.10)
"""Paint (shares of white) that counts as none, and as the network's drawing of a mouth."""

TEETH, DEEP_PAINT = 0.07, 0.07
"""How far below the upper lip the network's paint is right, face units: it knows teeth; and over how much
more it gives way to the cavity.  Further down in mouths opened wide it makes whorls, and in mouths that speak
a second row like the first: with 0.12 and 0.10 teeth filled all of an opening."""

CLOSING = 9
"""Side of the square, in the model's pixels, in which a place with little paint counts as painted where paint
surrounds it: paint crosses zero where a tooth ends, and by itself each such pixel was a black dot."""


@dataclass(frozen=True, slots=True)
class Cavity:
    """The inside of a portrait's mouth.

    Attributes:
        deep, tongue, flesh: ``(3,) float32`` RGB in 0..255.
        gap: between its lips, face units.
        edges: ``(20, 2) float32`` how far behind each of ``LIPS_INNER`` the lip begins, portrait pixels.
    """

    deep: Floats
    tongue: Floats
    flesh: Floats
    gap: float
    edges: Floats

    @staticmethod
    def of(image: Image, points: Floats, unit: float) -> Cavity:
        """From the portrait's lips; ``points`` ``(468+, 2)`` and ``unit`` in its pixels."""
        ring = list(topo.LIPS_UPPER_OUTER + topo.LIPS_LOWER_OUTER)
        inner = list(topo.LIPS_UPPER_INNER + topo.LIPS_LOWER_INNER)
        places = np.round((points[ring] + points[inner]) / 2).astype(int)
        height, width = image.shape[:2]
        x, y = np.clip(places[:, 0], 0, width - 1), np.clip(places[:, 1], 0, height - 1)
        lips = np.median(image[y, x].astype(np.float32), axis=0)
        # Red light comes back from within; a grey portrait's lips are grey and stay so.
        deep = lips * DEEP * (lips / max(float(lips.max()), 1.0)) ** 0.5
        black = hollow(image, points, skin_light(image, points, unit), to_linear(lips))
        edges = shadowed_edges(image, points, unit)
        gap = mouth_gap(points) / unit
        tongue, flesh = ((lips * share).astype(np.float32) for share in (TONGUE, FLESH))
        return Cavity(raised(deep, black), raised(tongue, black), flesh, gap, edges)

    @property
    def shows_inside(self) -> bool:
        """Whether the portrait's mouth is so open that its own teeth are seen, as far as they go."""
        return self.gap > OWN[1]

    def is_whole(self, gap: float, pixels: float) -> bool:
        """Whether the portrait's own inside is all that is seen of a mouth open by ``gap``.

        Args:
            gap: face units.
            pixels: the same in the result.
        """
        return self.shows_inside and gap <= LOOSE[0] * self.gap and self.lit(gap, pixels) == 1.0

    def lit(self, gap: float, pixels: float) -> float:
        """How far light reaches the portrait's own inside, 0..1; for the arguments see :meth:`is_whole`."""
        return still_seen(gap / max(self.gap, 1e-6)) * ramp(pixels, THIN)

    def kept(self, below: Floats, gap: float, pixels: float) -> Floats:
        """How far the portrait's own inside is seen, by how far down the opening each pixel lies, 0..1.

        What hangs from the upper lip keeps its size; see
        :func:`mien.engine.avatar.head.mesh_motion.mesh_motion`.  For ``gap`` and ``pixels`` see
        :meth:`is_whole`.
        """
        wider = gap / max(self.gap, 1e-6)
        low, high = HELD
        end = smoothstep(np.clip((below * np.float32(wider) - low) / (high - low), 0.0, 1.0))
        seen = ramp(self.gap, OWN) * self.lit(gap, pixels)
        return np.asarray(seen * (1 - ramp(wider, LOOSE) * end), np.float32)

    def calm(self, below: Floats, gap: float) -> Floats:
        """How far the cavity goes over the network's paint, 0..1; ``below`` as for :meth:`kept`."""
        further = (below * np.float32(gap) - TEETH) / np.float32(DEEP_PAINT)
        return np.asarray(smoothstep(np.clip(further, 0.0, 1.0)), np.float32)

    def shade(self, below: Floats, gap: float) -> Floats:
        """``(rows, columns, 3) float32``: the inside, by how far down the opening each pixel lies, 0..1."""
        low, high = RISES
        # A narrow opening shows no tongue.
        share = smoothstep(np.clip((below - low) / (high - low), 0.0, 1.0)) * min(gap / LYING, 1.0)
        return np.asarray(self.deep + share[..., None] * (self.tongue - self.deep), np.float32)

    def own(self, gap: float) -> float:
        """How far a mouth that is open by ``gap`` (face units) shows the portrait's own inside, 0..1."""
        has = ramp(self.gap, OWN)
        wider = gap / max(self.gap, 1e-6)
        return has * (1 - ramp(wider, STRETCHED))


def still_seen(share: float) -> float:
    """How far the inside of a portrait's mouth is still seen that shuts to a share of its own gap, 0..1."""
    return smoothstep(ramp(share, NARROW))


def paint_strength(paint: Floats) -> Floats:
    """``(H, W) float32``: the strongest colour of ``(H, W, 3)`` paint, with gaps within it closed."""
    strength = cv2.max(cv2.max(np.abs(paint[..., 0]), np.abs(paint[..., 1])), np.abs(paint[..., 2]))
    square = np.ones((CLOSING, CLOSING), np.uint8)
    return np.asarray(cv2.erode(cv2.dilate(strength, square), square), np.float32)


def painted_share(strength: Floats) -> Floats:
    """Share in 0..1 to which paint of this strength draws a mouth instead of keeping the warp."""
    share = (strength - PAINTED[0]) / (PAINTED[1] - PAINTED[0])
    return np.asarray(np.clip(share, 0.0, 1.0), np.float32)


def paints(field: Field) -> bool:
    """Whether a field has paint at all."""
    return bool(np.abs(field.paint).max() > 0.5 / 255)
