"""Cheeks that a turn uncovers, drawn out evenly.

A portrait from the front shows the edge of its cheeks in two or three pixels that lie deep.  Turned by 30
degrees they were drawn out to six times their width and more, into streaks as wide as an ear, while the cheek
beside them kept its width.  There, skin slides over the mesh instead, so that all of the cheek is drawn out
alike, by half as much again; eyes, brows, nose, lips and the face's outline show what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import parallax
from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.head_shape import eased
from mien.engine.mesh.unfolding import skin_triangles
from mien.engine.types import Bools, Floats
from mien.engine.utils.curves import ramp, smoothstep

TURN = 0.55
"""Turn for which skin is drawn out evenly, radians (32 degrees)."""

TURNED = (0.12, 0.45)
"""Turns from which on skin slides, and as far as it may; radians (7 and 26 degrees)."""

FREE, BESIDE_BROWS = (0.08, 0.26), (0.06, 0.20)
"""Face units from eyes, nose and lips within which skin stays, and from which on it is free: lashes and folds
beside them are theirs.  A brow's end is as near to the face's outline."""

ASIDE = (0.05, 0.25)
"""The same from the middle of the face."""

LEAST = 0.05
"""Least cotangent of an angle that counts: triangles that are seen from the side have none."""

_FEATURES = (*topo.LEFT_EYE, *topo.RIGHT_EYE, *topo.LIPS_OUTER, *topo.NOSE)
_BROWS = (*topo.LEFT_EYEBROW, *topo.RIGHT_EYEBROW)


@dataclass(frozen=True, slots=True)
class DrawnOut:
    """How far what a face's mesh shows slides over it.

    Attributes:
        slides: ``(2, 468, 2)`` from each landmark to the place of the portrait that it shows, pixels; where
            a turn uncovers the left of the image, and the right.
    """

    slides: Floats

    @staticmethod
    def of(geometry: FaceGeometry) -> DrawnOut:
        """Of a face (8 ms)."""
        points = geometry.points[:N_MESH]
        slides = np.zeros((2, N_MESH, 2), np.float32)
        for side, share in enumerate(_free()):
            yaw = TURN if side == 0 else -TURN
            turned = points + parallax(geometry.solid[:N_MESH], (0.0, yaw))
            free = share > 0
            slides[side, free] = share[free, None] * (_even(points, turned, free) - points[free])
        return DrawnOut(slides)

    def shown(self, yaw: float) -> Floats | None:
        """``(468, 2)`` slides at a turn, pixels; None where there are none."""
        share = ramp(abs(yaw), TURNED)
        if share <= 0:
            return None
        return np.asarray(self.slides[0 if yaw > 0 else 1] * np.float32(smoothstep(share)), np.float32)


@lru_cache(maxsize=1)
def _free() -> Floats:
    """``(2, 468)`` how far the skin at landmarks slides, on the left of an image and on the right; 0..1."""
    flat = layout().points
    beside = _between(_apart(_FEATURES), FREE) * _between(_apart(_BROWS), BESIDE_BROWS)
    across = flat[:, 0] - flat[list(topo.FACE_OVAL), 0].mean()
    found = [beside * _between(way * across, ASIDE) for way in (-1, 1)]
    for share in found:
        share[list(topo.FACE_OVAL)] = 0.0
    return np.stack(found)


def _apart(landmarks: tuple[int, ...]) -> Floats:
    """``(468,)`` how far each landmark of the layout is from the nearest of some, face units."""
    flat = layout().points
    away = flat[:, None] - flat[list(landmarks)]
    return np.asarray(np.hypot(away[..., 0], away[..., 1]).min(axis=1), np.float32)


def _between(values: Floats, ends: tuple[float, float]) -> Floats:
    low, high = ends
    return eased((values - low) / (high - low))


def _even(points: Floats, turned: Floats, free: Bools) -> Floats:
    """Places that ``free`` landmarks show so that what is around them is drawn out alike.

    The harmonic map from the turned mesh to the portrait.

    Args:
        points, turned: ``(468, 2)`` the mesh in the portrait, and turned.
        free: ``(468,)`` which may slide.
    """
    weights = np.zeros((N_MESH, N_MESH))
    corners = skin_triangles()
    for at in range(3):
        opposite, first, second = corners[at], corners[(at + 1) % 3], corners[(at + 2) % 3]
        cotangent = _cotangent(turned[first] - turned[opposite], turned[second] - turned[opposite])
        np.add.at(weights, (first, second), cotangent)
        np.add.at(weights, (second, first), cotangent)
    among = np.diag(weights[free].sum(axis=1)) - weights[np.ix_(free, free)]
    return np.asarray(np.linalg.solve(among, weights[np.ix_(free, ~free)] @ points[~free]), np.float32)


def _cotangent(first: NDArray[np.float32], second: NDArray[np.float32]) -> Floats:
    """Of the angles between vectors ``(T, 2)``."""
    across = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    along = (first * second).sum(axis=1)
    return np.asarray(np.maximum(along / np.maximum(across, 1e-6), LEAST), np.float32)
