"""The canonical face layout: one flat, frontal face in which all motion is measured.

Driver and avatar differ in size, shape and position.  Both are mapped to the same layout, so that
"half a pixel upwards at the inner brow" means the same on both, region by region, instead of one
scale for the whole face.  The layout is MediaPipe's canonical face model (468 points, cm) seen
from the front.

Units: one *face unit* is the distance between the outer eye corners (landmarks 33 and 263) of the
canonical face, 8.89 cm.  A layout position is ``(x, y)`` in face units, x to the image's right, y
down, origin between the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from mien.engine.landmarks import canonical_mesh
from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

N_MESH = 468
"""Landmarks that have a position on the canonical mesh; the ten iris points follow the eyelids."""

GRID = 48
"""Nodes per side of the coarse grid on which smooth fields live."""

COARSE = 24
"""The same at half the resolution, enough for landmarks, which are further apart."""

EXTENT = 2.36
"""Side of the layout square in face units: the face with a margin for the flow's windows."""

CENTRE_Y = 0.36
"""Vertical centre of the layout square, in face units below the eyes' line."""

FOLDED, OPEN = 0.15, 0.45
"""Shares of the face's mean area per layout area: below the first, a node's own map is ignored; from the
second on (a cheek turned away by 45 degrees has 0.6), it counts fully."""

PIECE = 256
"""Positions at which a spline is evaluated at once."""

STIFFNESS = 2e-3
"""Smoothing of the splines: landmark noise of a hundredth of a face unit does not affect their slopes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Constants of the layout; every array is float32 and read-only.

    *Nodes* are the positions at which motion is known: first the 468 landmarks, then the ``GRID * GRID``
    nodes of a regular grid, row by row; ``N`` in all.

    Attributes:
        points: ``(468, 2)`` landmark positions, face units.
        nodes: ``(N, 2)`` node positions, face units.
        to_nodes: ``(N, 468)``; multiplied by values at the landmarks it gives the smooth field at the nodes.
        slope_x, slope_y: ``(N, 468)``; derivatives of that field at the nodes, per face unit.
        to_coarse: ``(COARSE * COARSE, 468)``, as ``to_nodes``, for the pixels of a coarser grid.
    """

    points: Floats
    nodes: Floats
    to_nodes: Floats
    slope_x: Floats
    slope_y: Floats
    to_coarse: Floats


@lru_cache(maxsize=1)
def layout() -> Layout:
    """The layout, computed once per process (about 0.2 s)."""
    mesh = canonical_mesh().astype(np.float64)
    unit = float(mesh[263, 0] - mesh[33, 0])
    eyes = 0.5 * (mesh[33] + mesh[263])
    points = np.stack([mesh[:, 0] - eyes[0], eyes[1] - mesh[:, 1]], axis=1) / unit
    nodes = np.concatenate([points, grid_positions(GRID)])
    solve = spline_solver(points)
    parts = [points, nodes, *(basis @ solve for basis in spline_basis(nodes, points))]
    coarse = spline_values(grid_positions(COARSE), points) @ solve
    return Layout(*(_constant(part) for part in (*parts, coarse)))


def _constant(values: np.ndarray) -> Floats:
    array = np.ascontiguousarray(values, dtype=np.float32)
    array.setflags(write=False)
    return array


def grid_positions(side: int) -> np.ndarray:
    """``(side * side, 2) float64`` pixel centres of a ``side`` x ``side`` layout image, face units."""
    axis = ((np.arange(side) + 0.5) / side - 0.5) * EXTENT
    x, y = np.meshgrid(axis, axis + CENTRE_Y)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def to_pixels(positions: Floats, side: int) -> Floats:
    """Map layout positions ``(..., 2)`` in face units to pixel coordinates of a ``side`` x ``side`` image.

    OpenCV's convention: the centre of the first pixel is 0.
    """
    offset = np.array([0.0, CENTRE_Y], dtype=np.float32)
    return (((positions - offset) / EXTENT + 0.5) * side - 0.5).astype(np.float32)


def grow(field: Floats, side: int) -> Floats:
    """Enlarge a coarse ``(GRID, GRID, C)`` field to ``side`` x ``side`` pixel centres, cubically."""
    return np.asarray(cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def at_landmarks(field: Floats) -> Floats:
    """A ``(GRID, GRID, C)`` field at the 468 landmarks, ``(468, C)``."""
    return sample(field, _landmark_lookup(), cubic=True).reshape(N_MESH, -1)


@lru_cache(maxsize=1)
def _landmark_lookup() -> Floats:
    return to_pixels(layout().points, GRID).reshape(-1, 1, 2)


def jacobians(image_points: Floats) -> Floats:
    """Local linear maps layout -> image at the nodes.

    Args:
        image_points: ``(468, 2) float32`` landmark positions of a face in an image, pixels.

    Returns:
        ``(N, 2, 2) float32``: pixels per face unit; ``[:, :, 0]`` is the derivative along layout x.
    """
    maps = layout()
    return np.stack([maps.slope_x @ image_points, maps.slope_y @ image_points], axis=2)


def unfolded(local: Floats, image_points: Floats) -> Floats:
    """The same maps, made safe to invert.

    On the far side of a turned face the map is squeezed or folded, and its inverse would turn a pixel of
    noise into a grimace: there the mean map of the whole face (scale and roll) takes over gradually.

    Args:
        local: ``(N, 2, 2)`` result of :func:`jacobians` for ``image_points``.
    """
    points = layout().points
    flat = points - points.mean(axis=0)
    z, w = flat[:, 0] + 1j * flat[:, 1], image_points[:, 0] + 1j * image_points[:, 1]
    slope = complex(np.vdot(z, w - w.mean()) / np.vdot(z, z).real)
    mean = np.array([[slope.real, -slope.imag], [slope.imag, slope.real]], np.float32)
    area = (local[:, 0, 0] * local[:, 1, 1] - local[:, 0, 1] * local[:, 1, 0]) / abs(slope) ** 2
    own = np.clip((area - FOLDED) / (OPEN - FOLDED), 0.0, 1.0)[:, None, None]
    return np.asarray(mean + own * (local - mean), dtype=np.float32)


def inverse2(matrices: Floats) -> Floats:
    """Inverses of ``(..., 2, 2)`` matrices in closed form; a singular one gives a finite result."""
    a, b = matrices[..., 0, 0], matrices[..., 0, 1]
    c, d = matrices[..., 1, 0], matrices[..., 1, 1]
    det = a * d - b * c
    det = np.where(np.abs(det) < 1e-6, np.copysign(1e-6, det), det)
    rows = np.stack([np.stack([d, -b], axis=-1), np.stack([-c, a], axis=-1)], axis=-2)
    return np.asarray(rows / det[..., None, None], dtype=np.float32)


def apply2(matrices: Floats, vectors: Floats) -> Floats:
    """``(N, 2, 2)`` times ``(N, 2)``, one by one (four times faster than ``einsum`` on small axes)."""
    x, y = vectors[:, 0], vectors[:, 1]
    out = np.empty_like(vectors)
    out[:, 0] = matrices[:, 0, 0] * x + matrices[:, 0, 1] * y
    out[:, 1] = matrices[:, 1, 0] * x + matrices[:, 1, 1] * y
    return out


def spline_solver(points: np.ndarray) -> np.ndarray:
    """Matrix from values at the points to coefficients of a smoothing thin-plate spline."""
    return np.asarray(np.linalg.inv(_system(points))[:, : len(points)])


def splined(at: np.ndarray, points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Evaluate the spline through ``values`` ``(len(points), C)`` at other positions: ``(len(at), C)``.

    A fraction of the work of a solver and a basis, in pieces that stay in the processor's cache, since an
    avatar may be prepared while frames are rendered.
    """
    rest = np.zeros((3, values.shape[1]))
    coefficients = np.linalg.solve(_system(points), np.concatenate([values, rest]))
    weights, constant, slope = np.split(coefficients, [len(points), len(points) + 1])
    pieces = np.array_split(at, max(1, len(at) // PIECE))
    return np.concatenate([_kernel(piece, points) @ weights + constant + piece @ slope for piece in pieces])


def _system(points: np.ndarray, stiffness: float = STIFFNESS) -> np.ndarray:
    """The equations of a spline's coefficients."""
    n = len(points)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _kernel(points, points) + stiffness * np.eye(n)
    system[:n, n] = system[n, :n] = 1.0
    system[:n, n + 1 :] = points
    system[n + 1 :, :n] = points.T
    return system


def spline_values(at: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Basis functions of the spline at ``at``: ``(len(at), len(points) + 3)``."""
    return np.hstack([_kernel(at, points), np.ones((len(at), 1)), at])


def spline_basis(at: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Basis functions (value, d/dx, d/dy) of the spline at ``at``; each ``(len(at), len(points) + 3)``."""
    one, zero = np.ones((len(at), 1)), np.zeros((len(at), 1))
    apart = at[:, None, :] - points[None, :, :]
    square = np.einsum("ijk,ijk->ij", apart, apart)
    # d/dx of r^2 log r^2 / 2 is x (log r^2 + 1); at r = 0 both are 0.
    common = np.where(square > 0, np.log(np.maximum(square, 1e-12)) + 1.0, 0.0)
    slope_x = np.hstack([apart[:, :, 0] * common, zero, one, zero])
    slope_y = np.hstack([apart[:, :, 1] * common, zero, zero, one])
    return spline_values(at, points), slope_x, slope_y


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Thin-plate kernel ``r^2 log r`` between two sets of points."""
    square = np.subtract.outer(a[:, 0], b[:, 0]) ** 2
    square += np.subtract.outer(a[:, 1], b[:, 1]) ** 2
    return np.asarray(0.5 * square * np.log(np.maximum(square, 1e-12)))
