"""How far a portrait may be turned and moved: as far as it has something to show."""

from __future__ import annotations

from math import hypot, tanh

FREE_TURN = 0.52
MOST_TURN = 0.66
"""Turns up to the first are carried over as they are, beyond they approach the second; radians (30 and 38
degrees), from the portrait's own pose."""

MOST_POSE = 0.75
"""How far from the front a portrait may end (radians; 43 degrees) that was not there already: beyond, it
would have to show the half of a face that it does not contain."""

HALF_PROFILE = 0.35
TO_FRONT = (0.15, 0.25)
"""Radians (20 degrees) from which on a portrait shows little of its far side, and how far it then may be
turned to the front: free up to the first, held by the second.  What lies behind the cheek is not in it."""


def held_turn(turn: tuple[float, float], own: tuple[float, float]) -> tuple[float, float]:
    """A turn, kept within what a portrait can show that is turned by ``own`` already; pitch and yaw."""
    pitch, yaw = within(turn, FREE_TURN, MOST_TURN)
    aside = hypot(*own)
    if aside > HALF_PROFILE:
        to_front = -(pitch * own[0] + yaw * own[1]) / aside
        excess = max(0.0, to_front - within((max(to_front, 0.0), 0.0), *TO_FRONT)[0])
        pitch, yaw = pitch + excess * own[0] / aside, yaw + excess * own[1] / aside
    most = max(MOST_POSE, aside)
    held = within((own[0] + pitch, own[1] + yaw), most, most + 0.1)
    return held[0] - own[0], held[1] - own[1]


def within(vector: tuple[float, float], free: float, most: float) -> tuple[float, float]:
    """The vector, shortened where it is longer than ``free`` so that it stays below ``most``."""
    length = hypot(*vector)
    if length <= free:
        return vector
    room = most - free
    scale = (free + room * tanh((length - free) / room)) / length
    return vector[0] * scale, vector[1] * scale
