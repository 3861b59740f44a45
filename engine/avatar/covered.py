"""A mouth that the portrait does not show: behind a hand, a mask or a scarf it stays still.

The landmark network puts lips there all the same, with full confidence.  What lies between them then is even:
on 274 portraits and drawings lips have 0.28 or more of their face's contrast; even cloth or skin has none.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.engine.face.layout import N_MESH
from mien.engine.face.lips import near_lips
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats, Image

SEEN = 0.22
"""Contrast of the lips over that of the face from which on they are seen."""

BLUR = 1 / 80
"""Standard deviation of the blur that takes noise and weave away, in face units."""


def shows_mouth(image: Image, points: Floats, unit: float) -> bool:
    """Whether a portrait shows the mouth of its face.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        points: ``(468+, 2)`` landmarks, pixels.
        unit: pixels per face unit.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), max(0.6, BLUR * unit))
    places = np.round(points).astype(np.int32)
    lips = cv2.fillPoly(np.zeros(grey.shape, np.uint8), [places[list(topo.LIPS_OUTER)]], 255)
    face = cv2.fillConvexPoly(np.zeros(grey.shape, np.uint8), cv2.convexHull(places[:N_MESH]), 255)
    if not lips.any():
        return True  # beyond the image's border: another line says so
    of_lips, of_face = (float(cv2.meanStdDev(grey, mask=mask)[1][0, 0]) for mask in (lips, face))
    return of_lips >= SEEN * of_face


def without_mouth(points: Floats, dense: Floats) -> tuple[Floats, Floats]:
    """Displacements of landmarks ``(468+, 2)`` and of the grid ``(GRID, GRID, 2)``, still around the lips."""
    keep = 1 - near_lips()
    found: Floats = points.copy()
    found[:N_MESH] *= keep[:N_MESH, None]
    return found, dense * keep[N_MESH:].reshape(*dense.shape[:2], 1)
