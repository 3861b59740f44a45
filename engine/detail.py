"""Lids and lips as far as they really opened: what a smooth field over the face cannot tear apart.

On talking clips the smooth field carries half of a mouth's opening and less of a blink.  So the landmarks of
eyes and mouth are put where the landmark network saw them, wherever that differs from the field by more than
a small movement could (those stay the alignment's: at a threshold of 0.009 the fidelity on subtle clips fell
from 0.917 to 0.879), and the dense measurement gives way there.
"""

from __future__ import annotations

import cv2
import numpy as np

from engine.landmarks import topology as topo
from engine.types import Floats

OPENINGS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    (topo.RIGHT_EYE, topo.RIGHT_EYE),
    (topo.LEFT_EYE, topo.LEFT_EYE),
    (topo.LIPS_OUTER, topo.LIPS_OUTER + topo.LIPS_INNER),
)
"""Outline and landmarks of each eye and of the mouth."""

_MEMBERS = tuple(np.array(members) for _, members in OPENINGS)

NOISE = 0.022
"""Root mean square of a region's difference (face units) up to which the smooth field is right."""


def add_detail(smooth: Floats, seen: Floats) -> Floats:
    """The field at the landmarks with eyes and mouth as seen.

    Args:
        smooth: ``(468, 2)`` displacements of the smooth field, face units.
        seen: ``(468, 2)`` displacements of the landmarks themselves.
    """
    points = np.array(smooth, np.float32)
    for members in _MEMBERS:
        apart = seen[members] - smooth[members]
        share = min(max((_size(apart) - NOISE) / NOISE, 0.0), 1.0)
        points[members] += np.float32(share) * apart
    return points


def detail_shares(smooth: Floats, points: Floats) -> tuple[float, ...]:
    """How much of each region's difference was taken over, read off from the result of :func:`add_detail`."""
    sizes = (_size((points - smooth)[list(members)]) / NOISE for _, members in OPENINGS)
    # The size that is left is size * share, with share = size / NOISE - 1.
    return tuple(min(1.0, (float(np.sqrt(1 + 4 * size)) - 1) / 2) for size in sizes)


def around(outline: Floats, side: int) -> Floats:
    """``(side, side)``: 1 in and close around an outline ``(P, 2)`` in -1..1, fading out over three nodes."""
    mask = np.zeros((side, side), np.uint8)
    nodes = np.round((outline + 1) * ((side - 1) / 2)).astype(np.int32)
    cv2.fillPoly(mask, [nodes.reshape(-1, 1, 2)], 255)
    mask = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8)), np.uint8)
    return np.asarray(cv2.GaussianBlur(mask, (5, 5), 1.0) / 255.0, dtype=np.float32)


def _size(apart: Floats) -> float:
    return float(np.sqrt((apart**2).sum(axis=1).mean()))
