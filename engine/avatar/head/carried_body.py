"""The driver's shoulders on another person: as far as the head goes on theirs, and no further from it."""

from __future__ import annotations

from cmath import rect
from math import hypot

import numpy as np

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import Similarity
from mien.engine.mesh.head_sheet import BodyMotion
from mien.engine.motion import Body, Head
from mien.engine.motion.body import CHEST

MOST_SCALE, MOST_ROLL = 0.3, 0.3
"""Largest change of size, and largest roll (radians), of shoulders."""


def carried_body(body: Body | None, head: Head, held: Head, geometry: FaceGeometry) -> BodyMotion | None:
    """The shoulders' motion in a portrait's image, pixels; None where it was not measured.

    Args:
        body: as measured.
        head: the driver's, and ``held`` what the portrait shows of it: shoulders are held back as it is.
        geometry: of the portrait's face.
    """
    if body is None or body.trust <= 0:
        return None
    share = min(hypot(*held.shift) / max(hypot(*head.shift), 1e-6), 1.0) if any(head.shift) else 1.0
    grown = 1.0 if head.scale == held.scale else (held.scale - 1) / (head.scale - 1)
    scale = 1 + grown * float(np.clip(body.scale - 1, -MOST_SCALE, MOST_SCALE))
    roll = float(np.clip(body.roll, -MOST_ROLL, MOST_ROLL))
    unit = geometry.unit
    chest = complex(float(geometry.centre[0]), float(geometry.centre[1]) + CHEST * unit)
    moved = Similarity(rect(scale, roll), complex(*body.shift) * share * unit).about(chest)
    return BodyMotion(moved, body.trust)
