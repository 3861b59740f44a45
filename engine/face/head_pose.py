"""The head's own motion: a similarity in the image, and a turn out of the image plane.

Image points and vectors are ``(N, 2)`` in pixels, x right, y down.  A similarity is a complex pair
``z -> a z + b`` on ``z = x + i y``: ``|a|`` is the scale, ``arg a`` the roll (clockwise on screen).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import atan2, cos, sin, sqrt

import numpy as np

from mien.engine.types import Floats
from mien.engine.utils.matrices import determinant
from mien.engine.utils.vectors import as_complex

STILL_TURN = 0.026
"""Turns below 1.5 degrees count as none: the pose is that noisy, and the dense motion covers them."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """``z -> a z + b`` on complex image positions."""

    a: complex
    b: complex

    def apply(self, points: Floats) -> Floats:
        """Apply it to points; ``(N, 2)`` float32."""
        # As complex numbers, which takes half of the time: columns of two are no vectors.  Real and imaginary
        # part one after the other, so that every product is rounded, on every processor.
        given = np.ascontiguousarray(points)
        numbers = np.complex64 if given.dtype == np.float32 else np.complex128
        moved = (given * self.a.real).view(numbers)
        moved += given.view(numbers) * numbers(1j * self.a.imag)
        moved += numbers(self.b)
        return np.asarray(moved.view(given.dtype), np.float32)

    def inverse(self) -> Similarity:
        return Similarity(1 / self.a, -self.b / self.a)

    def about(self, centre: complex) -> Similarity:
        """The similarity ``z -> centre + a (z - centre) + b``."""
        return Similarity(self.a, self.b + centre - self.a * centre)


def fit_similarity(start: Floats, end: Floats, weights: Floats, rounds: int = 0) -> Similarity:
    """Weighted least-squares similarity from ``start`` to ``end``, both ``(N, 2)``.

    With ``rounds`` it is re-weighted that often (Cauchy weights at 1.5 times the median error), so
    that places that move on their own (brows, lips) do not pull the head along.
    """
    z = as_complex(start)
    w = as_complex(end)
    base = weights.astype(np.float64)
    found = _weighted_similarity(z, w, base)
    counted = np.flatnonzero(base > 0.05) if rounds else np.zeros(0, np.intp)
    for _ in range(rounds):
        error = np.abs(found.a * z + found.b - w)
        scale = 1.5 * _median(error[counted]) + 1e-4
        error /= scale
        error *= error
        error += 1.0
        found = _weighted_similarity(z, w, base / error)
    return found


def _weighted_similarity(z: np.ndarray, w: np.ndarray, weights: np.ndarray) -> Similarity:
    weights = weights / weights.sum()
    z_mean, w_mean = np.dot(z, weights), np.dot(w, weights)
    spread = z - z_mean
    weighted = spread * weights
    a = np.vdot(weighted, w - w_mean) / (np.vdot(weighted, spread).real + 1e-9)
    return Similarity(complex(a), complex(w_mean - a * z_mean))


def _median(values: np.ndarray) -> float:
    """Like ``np.median``, which takes four times as long for a few hundred values."""
    middle = len(values) // 2
    if not middle:
        return float(np.median(values))
    near = np.partition(values, (middle - 1, middle))
    return float(near[middle] if len(values) % 2 else 0.5 * (near[middle - 1] + near[middle]))


def turn_between(reference: Floats, pose: Floats) -> tuple[float, float]:
    """Pitch and yaw from one head pose to another, in radians, without the roll.

    The relative rotation is decomposed into "turn, then roll in the image plane" (swing and twist
    about the viewing axis), so that the roll is left to the similarity.

    Args:
        reference, pose: ``(4, 4)`` poses (x right, y up, z towards the viewer).

    Returns:
        Components of the turn's rotation vector on x (pitch, nodding down is positive) and y (yaw,
        turning to the image's right is positive).
    """
    relative = _rotation(pose) @ _rotation(reference).T
    w, x, y, z = _quaternion(relative)
    norm = sqrt(w * w + z * z) or 1.0
    cw, cz = w / norm, z / norm
    # swing = twist^-1 * q; its z component is zero.
    sw, sx, sy = cw * w + cz * z, cw * x + cz * y, cw * y - cz * x
    half = sqrt(sx * sx + sy * sy)
    factor = 2.0 if half < 1e-9 else 2.0 * atan2(half, sw) / half
    return sx * factor, sy * factor


def calm(turn: tuple[float, float], still: float = STILL_TURN) -> tuple[float, float]:
    """Shorten the turn by ``still`` radians (continuously, down to zero)."""
    size = sqrt(turn[0] ** 2 + turn[1] ** 2)
    keep = 0.0 if size <= still else 1.0 - still / size
    return turn[0] * keep, turn[1] * keep


def parallax(points: Floats, turn: tuple[float, float]) -> Floats:
    """Displacement of points in the image by a turn (weak perspective, about the points' own origin).

    Args:
        points: ``(N, 3) float32`` relative to the head's centre, pixels; z smaller is nearer.
        turn: pitch and yaw in radians.

    Returns:
        ``(N, 2) float32`` displacements, pixels.
    """
    change = turn_matrix(turn)[:2].astype(np.float32)
    change[0, 0] -= 1
    change[1, 1] -= 1
    return np.asarray(points @ change.T, dtype=np.float32)


@lru_cache(maxsize=16)
def turn_matrix(turn: tuple[float, float]) -> np.ndarray:
    """``(3, 3)`` rotation of image coordinates (x right, y down, z away) for a turn; read-only.

    A frame asks for that of its turn eight times.
    """
    found = _turn_matrix(turn)
    found.setflags(write=False)
    return found


def _turn_matrix(turn: tuple[float, float]) -> np.ndarray:
    pitch, yaw = turn
    angle = sqrt(pitch * pitch + yaw * yaw)
    if angle < 1e-9:
        return np.eye(3)
    # Camera axes (y up, z near) to image axes (y down, z far): half a turn about x.
    kx, ky = pitch / angle, -yaw / angle
    c, s = cos(angle), sin(angle)
    return np.array(
        [
            [c + kx * kx * (1 - c), kx * ky * (1 - c), ky * s],
            [kx * ky * (1 - c), c + ky * ky * (1 - c), -kx * s],
            [-ky * s, kx * s, c],
        ]
    )


def _rotation(pose: Floats) -> np.ndarray:
    rotation = pose[:3, :3].astype(np.float64)
    return np.asarray(rotation / np.cbrt(determinant(rotation)))


def _quaternion(r: np.ndarray) -> tuple[float, float, float, float]:
    """Unit quaternion (w, x, y, z) of a rotation by less than 180 degrees."""
    w = 0.5 * sqrt(max(1.0 + r[0, 0] + r[1, 1] + r[2, 2], 1e-9))
    return w, (r[2, 1] - r[1, 2]) / (4 * w), (r[0, 2] - r[2, 0]) / (4 * w), (r[1, 0] - r[0, 1]) / (4 * w)
