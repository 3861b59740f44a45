"""Light and shadow on a driver's skin: how much brighter it is than in the reference frame.

A smile is not only motion: cheeks catch light, the folds beside the mouth and between the brows darken.  And
a head that turns is lit from another side.  The alignment (:mod:`mien.engine.tracking.alignment`) finds each
place of the skin again; what differs there is its light.  What of it is narrow counts as folds, what is as
broad as the face as shading.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import EXTENT, GRID, layout, to_pixels
from mien.engine.landmarks import topology as topo
from mien.engine.motion.shading import Shading, layout_planes
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp
from mien.engine.utils.images import filled
from mien.engine.utils.sampling import sample

DARK = 8.0
"""Grey levels added before the logarithm: noise in the dark is no light."""

EDGE = 0.5
"""Step between neighbouring nodes (logarithm) at which what differs counts e times less: there a brow, a
nostril or a frame that is a little off looks like light."""

FINE, BROAD = 0.6, 5.0
"""Standard deviations, nodes: of the smoothing, and of what is taken out as the room's light and the turn's,
which fall differently on another face."""

TRUSTED, AROUND = (0.3, 0.7), 9
"""Mean trust in the alignment up to which light is not believed, and from which on it is, and side of the box
of that mean, nodes: a deep fold looks like nothing in the reference, but it is narrow, and a hand is not."""

DARKEST, BRIGHTEST = 0.25, 0.1
"""Logarithms that darker and brighter places approach: what shines on a driver's stretched skin was a patch
of paint on a matt one."""

TURNED = (0.1, 0.25)
"""Turn of the head (radians) up to which all folds count, and from which on none: turned skin is lit anew by
lamps that do not stand before the avatar."""

MOVES, NEAR = (0.01, 0.03), 21
"""Mean displacement (face units) of the skin around a place up to which nothing folds it, and from which on
all light there is taken for folds; side of the box of that mean, nodes.  In motion as small as a
micro-expression's a shadow of a grey level or two is noise: shown, it cost 0.005 of fidelity."""

LIPS, LIDS, RIM = 0.5, 0.5, -4.0
"""Nodes by which lips and lids are left out beyond their edges, and the face within its outline."""


ROUNDS, UNLIKE = 3, 0.08
"""Fits of the plane, and the difference from the last one (at first from the median; logarithm) at which a
place counts half: a hand, or hair that has fallen into the face, is no light."""

FOUND = 0.2
"""Share of the largest weight from which on a place counts for that median."""

SEEN = (0.1, 0.3)
"""Share of the skin that is found again up to which nothing is known of the light on the face, and from which
on all is."""

FLAT = 0.01
"""Weight, in shares of the skin, by which its slopes are drawn towards none: of half a face, what is seen
there would count for the other half, too."""


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from the reference, at the reference's places.

    Attributes:
        light: ``(GRID, GRID) float32`` by how much it is brighter, logarithm.
        weight: ``(GRID, GRID) float32`` how far that counts, 0..1.
    """

    light: Floats
    weight: Floats

    def folds(self, turn: tuple[float, float]) -> Floats | None:
        """``(GRID, GRID) float32`` what of the light is narrow; None on a head turned so far, radians."""
        frontal = 1.0 - ramp(float(np.hypot(*turn)), TURNED)
        if frontal == 0.0:
            return None
        weight = self.weight + np.float32(1e-4)
        change = self.light * weight
        near = cv2.GaussianBlur(weight, (0, 0), FINE)
        fine: Any = cv2.GaussianBlur(change, (0, 0), FINE) / near
        broad: Any = cv2.GaussianBlur(change, (0, 0), BROAD) / cv2.GaussianBlur(weight, (0, 0), BROAD)
        known = skin_map() * np.minimum(near * np.float32(3), 1)
        narrow = fine - broad
        most = np.where(narrow > 0, np.float32(BRIGHTEST), np.float32(DARKEST))
        return np.asarray(frontal * most * np.tanh(narrow / most) * known, np.float32)

    def shading(self) -> Shading:
        """The light on the whole face, by every second node; none where too little of the skin is seen."""
        light, weight, skin = (plane[::2, ::2].ravel() for plane in (self.light, self.weight, skin_map()))
        size = float(skin.sum())
        known = ramp(float(weight.sum()) / size, SEEN)
        if known == 0.0:
            return Shading()
        planes = layout_planes()[:, ::2, ::2].reshape(3, -1)
        flat = np.diag([0, FLAT * size, FLAT * size]).astype(np.float32)
        found = np.array([np.median(light[weight >= FOUND * weight.max()]), 0, 0], np.float32)
        for _ in range(ROUNDS):
            apart = (light - found @ planes) / np.float32(UNLIKE)
            weighted = planes * (weight / (1 + apart * apart))
            found = np.linalg.solve(weighted @ planes.T + flat, weighted @ light)
        return Shading.of(found).scaled(known)


@dataclass(frozen=True, slots=True)
class SkinLight:
    """The reference's skin.

    Attributes:
        logs: ``(GRID, GRID) float32`` logarithm of its brightness.
    """

    logs: Floats

    @staticmethod
    def of(gray: NDArray[np.uint8]) -> SkinLight:
        """From the reference in the layout, ``(side, side) uint8``."""
        return SkinLight(_logs(gray))

    def change(self, gray: NDArray[np.uint8], displacement: Floats, trust: Floats) -> Change:
        """How much brighter the skin is than in the reference.

        Args:
            gray: ``(side, side) uint8`` the frame in the layout.
            displacement: ``(GRID, GRID, 2)`` from the reference's places to those in ``gray``, face units.
            trust: ``(GRID, GRID)`` in it.
        """
        side = len(gray)
        there = cv2.resize(displacement * np.float32(side / EXTENT), (side, side))
        now = _logs(sample(gray, _places(side) + np.asarray(there, np.float32)))
        believed = (cv2.blur(trust, (AROUND, AROUND)) - TRUSTED[0]) / (TRUSTED[1] - TRUSTED[0])
        weight = np.clip(believed, 0, 1) * skin_map()
        steps = cv2.max(_steps(now), _steps(self.logs)) / np.float32(EDGE)
        return Change(now - self.logs, np.asarray(weight * np.exp(-steps * steps), np.float32))


def where_it_moves(light: Floats, displacement: Floats) -> Floats:
    """Light ``(GRID, GRID)`` where skin moves by ``(GRID, GRID, 2)``, face units: else it is a lamp's."""
    # What is behind the face moves by itself.
    moved = np.hypot(displacement[..., 0], displacement[..., 1]) * skin_map()
    box = NEAR, NEAR
    moved = cv2.blur(moved, box) / (cv2.blur(skin_map(), box) + np.float32(0.01))
    return np.asarray(light * np.clip((moved - MOVES[0]) / (MOVES[1] - MOVES[0]), 0, 1), np.float32)


def _logs(gray: NDArray[np.uint8]) -> Floats:
    small = cv2.resize(gray.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(np.log(small + np.float32(DARK)), np.float32)


def _steps(logs: Floats) -> Floats:
    return np.asarray(cv2.morphologyEx(logs, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.float32)


@lru_cache(maxsize=2)
def _places(side: int) -> Floats:
    axis = np.arange(side, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis), axis=2)


@lru_cache(maxsize=1)
def skin_map() -> Floats:
    """``(GRID, GRID) float32``: 1 on skin, 0 on lips, eyes and beside the face, soft between."""
    fine = 8
    points = (to_pixels(layout().points, GRID) + np.float32(0.5)) * fine

    def grown(outline: tuple[int, ...], nodes: float) -> Any:
        inside = filled(points[list(outline)], (GRID * fine, GRID * fine))
        change = cv2.dilate if nodes > 0 else cv2.erode
        size = 2 * round(abs(nodes) * fine) + 1
        return change(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))

    skin = grown(topo.FACE_OVAL, RIM)
    for outline, nodes in ((topo.LIPS_OUTER, LIPS), (topo.RIGHT_EYE, LIDS), (topo.LEFT_EYE, LIDS)):
        skin = cv2.min(skin, 1 - grown(outline, nodes))
    small = cv2.resize(skin, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 0.7), np.float32)
