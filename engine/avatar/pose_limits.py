"""How far a portrait may be turned and moved: as far as it has something to show."""

from __future__ import annotations

from math import copysign, exp, hypot, log

import numpy as np

from mien.engine.types import Floats
from mien.engine.utils.curves import limited

FREE_TURN = 0.52
MOST_TURN = 0.66
"""Turns up to the first are carried over as they are, beyond they approach the second; radians (30 and 38
degrees), from the portrait's own pose."""

MOST_POSE = 0.75
"""How far from the front a portrait may end (radians; 43 degrees) that was not there already: beyond, it
would have to show the half of a face that it does not contain."""

HALF_PROFILE = 0.35
"""Radians (20 degrees) from which on a portrait shows little of its far side."""

OWN = (0.30, 0.45, 0.60, 0.75, 1.0)
FREE_TO_FRONT, MOST_TO_FRONT = (FREE_TURN, 0.20, 0.09, 0.05, 0.03), (MOST_TURN, 0.30, 0.14, 0.08, 0.05)
"""How far a portrait that is turned by so much may be turned to the front: free up to the first, held by the
second.  What lies behind the cheek is not in it; skin that goes on there is believed for a few degrees."""

TO_PROFILE = (0.10, 0.05)
"""How far beyond :data:`MOST_POSE` portraits may end, and beyond an own pose that is further still."""

PROFILE, MOST_MOVED = (0.75, 1.05), (0.60, 0.15)
"""Poses between which a face shows less and less of its lips, and how far its landmarks may be moved there,
face units: of what is foreshortened that much, more comes to pieces."""

FREE_GROWTH, MOST_GROWTH = 0.18, 0.36
"""Logarithms of a head's size up to which it is carried over as it is, and which it approaches beyond (0.84
to 1.20, and 0.70 to 1.43): where the shoulders' size is not known, a head that shrinks on by a camera's cut
or a step back grows a long neck, and one that comes nearer sits on a child's shoulders."""


def held_turn(turn: tuple[float, float], own: tuple[float, float]) -> tuple[float, float]:
    """A turn, kept within what a portrait can show that is turned by ``own`` already; pitch and yaw."""
    pitch, yaw = within(turn, FREE_TURN, MOST_TURN)
    aside = hypot(*own)
    if aside > OWN[0]:
        forward = to_front((pitch, yaw), own)
        excess = max(0.0, forward - within((max(forward, 0.0), 0.0), *room_to_front(aside))[0])
        pitch, yaw = pitch + excess * own[0] / aside, yaw + excess * own[1] / aside
    most = max(MOST_POSE, aside)
    held = within((own[0] + pitch, own[1] + yaw), most, most + TO_PROFILE[aside > MOST_POSE])
    return held[0] - own[0], held[1] - own[1]


def room_to_front(aside: float) -> tuple[float, float]:
    """How far a portrait turned by ``aside`` may be turned to the front, freely and at most; radians."""
    return float(np.interp(aside, OWN, FREE_TO_FRONT)), float(np.interp(aside, OWN, MOST_TO_FRONT))


def held_motion(vectors: Floats, own: tuple[float, float]) -> Floats:
    """Displacements ``(..., 2)`` of a face that is turned by ``own``, kept within what can be believed.

    Returns:
        ``vectors`` itself where nothing is held back.
    """
    aside = hypot(*own)
    if aside <= PROFILE[0]:
        return vectors
    most = np.float32(np.interp(aside, PROFILE, MOST_MOVED))
    length = np.hypot(vectors[..., 0], vectors[..., 1])[..., None]
    return np.asarray(vectors * (np.tanh(length / most) / np.maximum(length / most, 1e-6)), np.float32)


def held_scale(scale: float) -> float:
    """A head's size over that in the reference, as far as its neck and shoulders can be believed with it."""
    growth = log(max(scale, 1e-3))
    return exp(copysign(float(limited(abs(growth), FREE_GROWTH, MOST_GROWTH)), growth))


def to_front(turn: tuple[float, float], own: tuple[float, float]) -> float:
    """How far a turn brings a portrait that is turned by ``own`` to the front, radians."""
    return -(turn[0] * own[0] + turn[1] * own[1]) / max(hypot(*own), 1e-6)


def within(vector: tuple[float, float], free: float, most: float) -> tuple[float, float]:
    """The vector, shortened where it is longer than ``free`` so that it stays below ``most``."""
    length = hypot(*vector)
    if length <= free:
        return vector
    scale = float(limited(length, free, most)) / length
    return vector[0] * scale, vector[1] * scale
