"""Lids and lips at their true opening, which the tracker's smooth field cannot represent.

Measured on the shared clips, the tracker's points carry 51 % of a mouth's opening and 39 % of a blink,
because its field over the face is smooth.  Here the landmarks of eyes and mouth are moved to where the
landmark network saw them, wherever that differs from the smooth field by more than noise, and the weight of
the dense measurement is reduced there.
"""

from __future__ import annotations

import numpy as np

from mien.engine.avatar.eyelids import shut_eyes
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.face.openings import OPENINGS, around
from mien.engine.types import Floats

NOISE = 0.009
"""RMS difference within a region (face units) up to which the smooth field is accepted."""


def with_openings(points: Floats, dense: Floats, seen: Floats, source: Floats) -> tuple[Floats, Floats]:
    """Driving points and dense flow with eyes and mouth as seen by the landmark network.

    Args:
        points: ``(478, 2)`` as carried by the tracker's field, model coordinates.
        dense: ``(3, 64, 64)`` measured flow and its weight.
        seen: ``(478, 2)`` the landmark network's own points, model coordinates.
        source: ``(478, 2)`` the source image's landmarks, model coordinates.

    Returns:
        Both, changed where eyes or mouth differ by more than noise.
    """
    unit = float(np.linalg.norm(points[33] - points[263])) + 1e-6
    points, dense = points.copy(), dense.copy()
    for outline, members in OPENINGS:
        apart = seen[list(members)] - points[list(members)]
        size = float(np.sqrt((apart**2).sum(axis=1).mean())) / unit
        share = float(np.clip((size - NOISE) / NOISE, 0.0, 1.0))
        if share > 0:
            points[list(members)] += share * apart
            dense[2] *= 1.0 - share * around(points[list(outline)], FIELD_SIZE)
    shut_eyes(dense, source, points)
    return points, dense
