"""A portrait behind glass or in fog, whose veil moves with the face: it is said.

Nothing is dark there, no pupil and no nostril.  Reflections that leave a face its dark are not found: edges
and patches across the skin are as strong in hard light, on dark skin and below glasses (of 700 stills 1 %).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from mien.engine.face.head_pose import fit_similarity
from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats, Image

SIDE, UNIT = 160, 75.0
"""Side at which faces are examined, and its pixels per face unit."""

DARKEST, PALE = 0.002, 0.58
"""Share of a face that is its darkest, and how light that is, as a share of the face's own light, from which
on it is veiled: of 700 stills and 14 drawings one is (a very fair face); through a veil of half their light
60 of 60 are, through one of a third two thirds."""


def is_behind_glass(image: Image, points: Floats) -> bool:
    """Whether a veil lies over a portrait's face.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        points: ``(468+, 2)`` landmarks, pixels.
    """
    flat = layout().points
    wanted = (flat - flat.mean(axis=0)) * np.float32(UNIT) + np.float32(SIDE / 2)
    head = fit_similarity(points[:N_MESH], wanted, np.ones(N_MESH, np.float32))
    to_side = np.array([[head.a.real, -head.a.imag, head.b.real], [head.a.imag, head.a.real, head.b.imag]])
    if abs(head.a) < 0.6:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / abs(head.a)), np.uint8)
    grey: Any = cv2.cvtColor(cv2.warpAffine(image, to_side, (SIDE, SIDE)), cv2.COLOR_RGB2GRAY)
    outline = head.apply(points[list(topo.FACE_OVAL)])
    face = cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [np.round(outline).astype(np.int32)], 1) > 0
    if not face.any():
        return False
    seen = cv2.GaussianBlur(grey, (0, 0), 0.8)[face]
    return bool(np.quantile(seen, DARKEST) > PALE * max(float(np.median(seen)), 1.0))
