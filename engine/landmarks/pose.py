"""Head pose: MediaPipe's geometry pipeline, a weighted Procrustes fit of the canonical face."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mien.engine.landmarks.bundle import N_MESH, FaceGeometry
from mien.engine.types import Floats
from mien.engine.utils.matrices import determinant

NEAR_CM = 1.0
VERTICAL_FOV_DEGREES = 63.0

_Doubles = NDArray[np.float64]


class PoseSolver:
    """Fits the canonical face to landmarks, seen by a camera with a vertical field of view of 63 degrees."""

    def __init__(self, geometry: FaceGeometry) -> None:
        self._used = np.flatnonzero(geometry.weights)
        weights = geometry.weights[self._used].astype(np.float64)
        self._weights = weights / weights.sum()
        source = geometry.mesh[self._used].astype(np.float64)
        self._centre = self._weights @ source
        self._centred = (source - self._centre) * self._weights[:, None]
        self._spread = float((self._centred * (source - self._centre)).sum())

    def solve(self, landmarks: Floats, width: int, height: int) -> Floats:
        """Fit the pose of one face.

        Args:
            landmarks: ``(478, 3)`` in pixels of the image.
            width, height: size of the image in pixels.

        Returns:
            ``(4, 4) float32``: canonical face (cm) to camera space (cm; x right, y up, z towards the
            viewer), rotation times scale in its upper left block.
        """
        per_pixel = 2 * NEAR_CM * math.tan(math.radians(VERTICAL_FOV_DEGREES) / 2) / height
        depth = float(landmarks[:N_MESH, 2].mean()) * per_pixel
        screen = landmarks[self._used].astype(np.float64)
        screen[:, 0] -= width / 2
        screen[:, 1] = height / 2 - screen[:, 1]
        screen *= per_pixel

        flat = screen * (1.0, 1.0, -1.0)
        scale = self._scale(flat)
        scale *= self._scale(_unproject(screen, depth, scale))
        metric = _unproject(screen, depth, scale)
        rotation, size = self._fit(metric)

        pose = np.eye(4, dtype=np.float32)
        pose[:3, :3] = rotation * size
        pose[:3, 3] = self._weights @ metric - size * (rotation @ self._centre)
        return pose

    def _fit(self, target: _Doubles) -> tuple[_Doubles, float]:
        """Rotation and scale from the canonical face to ``target`` (weighted least squares)."""
        covariance = target.T @ self._centred
        left, _, right = np.linalg.svd(covariance)
        if determinant(covariance) < 0:
            left[:, 2] *= -1
        rotation = left @ right
        scale = float((rotation * covariance).sum()) / self._spread
        return rotation, max(scale, 1e-9)

    def _scale(self, target: _Doubles) -> float:
        """The scale of :meth:`_fit` by itself: the singular values' sum."""
        covariance = target.T @ self._centred
        first, second, third = np.linalg.svd(covariance, compute_uv=False).tolist()
        total = float(first + second + math.copysign(third, determinant(covariance)))
        return max(total / self._spread, 1e-9)


def _unproject(screen: _Doubles, depth: float, scale: float) -> _Doubles:
    """Move points from the near plane to their depth; z flips, as screen z grows away from the viewer."""
    z = (screen[:, 2] - depth + NEAR_CM) / scale
    points = np.empty_like(screen)
    points[:, :2] = screen[:, :2] * (z / NEAR_CM)[:, None]
    points[:, 2] = -z
    return points
