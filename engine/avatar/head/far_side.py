"""When the far side of a turned portrait goes along with what is seen of its face, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot

import numpy as np

from mien.engine.avatar.pose_limits import to_front
from mien.engine.face.layout import N_MESH
from mien.engine.mesh.drawn_out import DrawnOut
from mien.engine.mesh.uncovered import FarSide
from mien.engine.types import Floats
from mien.engine.utils.curves import ramp, smoothstep

FAR = (0.20, 0.42)
"""Own poses (radians; 11 and 24 degrees) from which on a portrait's far side is a guess, and wholly so."""

UNCOVERED = 0.06
"""Turn to the front (radians; 3 degrees) from which on what it would uncover goes along with what is seen."""

PROFILE = (0.60, 0.80)
"""Own poses (34 and 46 degrees) from which on a portrait hardly turns to the front, and shows what it has."""

IN_PROFILE = (0.45, 0.65)
"""Own poses (26 and 37 degrees) from which on a face's far half goes along with the rest of an expression."""

INSET, ASIDE = (0.05, 0.18), (0.12, 0.22)
"""Turns to the front (radians; 3 and 10 degrees) from which on the far cheek's edge shows skin from within,
and nothing else, and own poses (7 and 13 degrees) from which on a portrait has a far cheek, and wholly so.
Smaller turns uncover less than a pixel of that edge, and skin as far in as the mouth's corner was
displaced."""

Turn = tuple[float, float]
"""Pitch and yaw, radians."""


def go_along(
    places: Floats, rigid: Floats, unturned: Callable[[], Floats], far: FarSide, own: Turn, turn: Turn
) -> None:
    """Let the far side of a turned portrait go along with what is seen.

    Args:
        places: ``(478, 2)`` where the landmarks go; the mesh's are changed in place.
        rigid: ``(468, 2)`` where the head's motion alone puts them.
        unturned: gives the same without its turn.
        far: the portrait's far side.
        own: the portrait's own pose, and ``turn`` the head's turn from there.
    """
    uncovering, away = to_front(turn, own), hypot(*own)
    if away > IN_PROFILE[0]:
        share = smoothstep(ramp(away, IN_PROFILE))
        places[:N_MESH] = far.in_profile.held(places[:N_MESH], rigid, share)
    aside = ramp(away, FAR)
    if uncovering > 0 and aside > 0:
        share = smoothstep(ramp(uncovering, (0.0, UNCOVERED))) * smoothstep(aside)
        places[:N_MESH] = far.unseen.held(places[:N_MESH], unturned(), share)


def shown_places(
    source: Floats, far: FarSide, drawn: DrawnOut, own: Turn, turn: Turn, per_norm: float
) -> Floats:
    """``(478, 2)`` the places that landmarks show, ``source`` itself where it is that.

    Args:
        source: where they are in the portrait.
        far, own, turn: as in :func:`go_along`.
        drawn: how skin slides where a turn draws it out; on a portrait that faces the camera.
        per_norm: pixels per unit of the model's coordinates.
    """
    away, to_inset = hypot(*own), smoothstep(ramp(to_front(turn, own), INSET))
    slides, near = drawn.shown(turn[1]), 1 - ramp(away, ASIDE) * to_inset
    inset = (ramp(away, ASIDE) - ramp(away, PROFILE)) * to_inset
    shifts = []
    if slides is not None and near > 0:
        shifts.append(slides * np.float32(near / per_norm))
    if inset > 0:
        shifts.append(far.inset * (np.float32(inset) / np.float32(per_norm)))
    if not shifts:
        return source
    shown: Floats = source.copy()
    for shift in shifts:
        shown[:N_MESH] += shift
    return shown
