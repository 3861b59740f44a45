"""A mouth that the portrait does not show: behind a hand, a mask or a scarf it stays still.

The landmark network puts lips there all the same, with full confidence.  What lies between them then is even
(on 274 portraits and drawings lips have 0.28 or more of their face's contrast; even cloth or skin has none),
or has folds and fingers that are no lips: no dark seam where lips meet, no redder than skin, and another
place for the mouth when the network looks at the portrait's mirror image.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.face.layout import N_MESH
from mien.engine.face.lips import mouth_gap, near_lips
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats, Image

SEEN = 0.22
"""Contrast of the lips over that of the face from which on they are seen."""

SURE = 0.6
"""The same from which on folds and fingers are not looked for."""

SHUT, SEAM, RED = 0.04, 0.45, 0.05
"""What else a covered mouth looks like: lips no further apart than the first (face units), no seam near them
that is darker than the second (as a share of the face's contrast), no redder than the cheeks by the third
(logarithms)."""

SAME, SAME_GREY = 0.013, 0.03
"""How far from where they were a look at the mirror image puts lips that are seen, face units; of grey
portraits, whose lips are no redder, twice as much.  In all, 0.98 of plain masks, 0.89 of those with pleats,
0.76 of those with flowers and 0.83 of hands pasted over mouths are seen (60 faces); of 700 portraits as they
are 4 (a moustache over both lips, a microphone, two soft ones)."""

BLUR = 1 / 80
"""Standard deviation of the blur that takes noise and weave away, in face units."""

SKIN = (50, 280, 205, 425)
"""Landmarks on the cheeks."""

SHIFTS = np.linspace(-0.06, 0.06, 9, dtype=np.float32)
"""Where a seam is looked for, face units below the landmarks' own."""

STILL = (33, 263, 6, 168, 4, 1)
"""Landmarks on eyes and nose, by which both looks are laid over each other."""


def shows_mouth(image: Image, points: Floats, unit: float, landmarker: Landmarker) -> bool:
    """Whether a portrait shows the mouth of its face.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        points: ``(468+, 2)`` landmarks, pixels.
        unit: pixels per face unit.
        landmarker: looks once more where there is doubt.
    """
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.6, BLUR * unit)), np.uint8)
    grey = np.asarray(cv2.cvtColor(blurred, cv2.COLOR_RGB2GRAY), np.uint8)
    places = np.round(points).astype(np.int32)
    lips = cv2.fillPoly(np.zeros(grey.shape, np.uint8), [places[list(topo.LIPS_OUTER)]], 255)
    face = cv2.fillConvexPoly(np.zeros(grey.shape, np.uint8), cv2.convexHull(places[:N_MESH]), 255)
    if not lips.any():
        return True  # beyond the image's border: another line says so
    of_lips, of_face = (float(cv2.meanStdDev(grey, mask=mask)[1][0, 0]) for mask in (lips, face))
    seam = _seam(grey, points, unit)
    if of_lips < SEEN * of_face:
        return seam > SEAM * of_face
    if of_lips > SURE * of_face or mouth_gap(points) > SHUT * unit or seam > SEAM * of_face:
        return True
    if _redness(blurred, points) > RED:
        return True
    same = SAME if np.any(np.ptp(blurred, axis=2)) else SAME_GREY
    return _unlike_mirrored(image, points, landmarker) <= same * unit


def _seam(grey: Image, points: Floats, unit: float) -> float:
    """How much darker a line near the lips' is than both lips, grey levels: the median along it."""
    edges = topo.LIPS_UPPER_INNER, topo.LIPS_LOWER_INNER, topo.LIPS_UPPER_OUTER, topo.LIPS_LOWER_OUTER
    upper, lower, above, below = (points[list(edge[2:-2])] for edge in edges)
    rows = np.stack([(upper + lower) / 2, (upper + above) / 2, (lower + below) / 2]) - np.float32(0.5)
    across = points[topo.MOUTH_LEFT_CORNER] - points[topo.MOUTH_RIGHT_CORNER]
    down = np.array([-across[1], across[0]], np.float32) * np.float32(unit / max(np.hypot(*across), 1e-6))
    places = rows[:, None] + SHIFTS[None, :, None, None] * down
    sampled: Floats = np.asarray(
        cv2.remap(grey, places.reshape(len(rows), -1, 2).astype(np.float32), None, cv2.INTER_LINEAR),
        np.float32,
    )
    line, over, under = sampled.reshape(places.shape[:-1])
    return float(np.median(np.minimum(over, under) - line, axis=1).max())


def _redness(image: Image, points: Floats) -> float:
    """By how much the lips are redder than the cheeks, logarithms."""
    inner, outer = points[list(topo.LIPS_INNER)], points[list(topo.LIPS_OUTER)]
    found = []
    for places in ((inner + outer) / 2, points[list(SKIN)]):
        at = np.clip(places.astype(int), 0, np.array(image.shape[1::-1]) - 1)
        red, green, _ = np.median(image[at[:, 1], at[:, 0]].astype(np.float32), axis=0) + 2
        found.append(float(np.log(red / green)))
    return found[0] - found[1]


def _unlike_mirrored(image: Image, points: Floats, landmarker: Landmarker) -> float:
    """How far apart the lips are in two looks, at the portrait and its mirror image; pixels.

    0 where no face is seen there: that tells nothing about its mouth.
    """
    faces = landmarker.detect(np.ascontiguousarray(image[:, ::-1]))
    if not faces:
        return 0.0
    again = faces[0].landmarks[topo.FLIP, :2] * (-1, 1) + (image.shape[1], 0)
    apart = again - points[: len(again)]
    apart -= np.median(apart[list(STILL)], axis=0)
    lips = apart[list(topo.LIPS_OUTER + topo.LIPS_INNER)]
    return float(np.sqrt((lips**2).sum(axis=1).mean()))


def without_mouth(points: Floats, dense: Floats) -> tuple[Floats, Floats]:
    """Displacements of landmarks ``(468+, 2)`` and of the grid ``(GRID, GRID, 2)``, still around the lips."""
    keep = 1 - near_lips()
    found: Floats = points.copy()
    found[:N_MESH] *= keep[:N_MESH, None]
    return found, dense * keep[N_MESH:].reshape(*dense.shape[:2], 1)
