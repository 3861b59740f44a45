"""What lies between the mesh's vertices: the difference of a dense field from the mesh's interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import N_MESH
from mien.engine.landmarks import topology as topo
from mien.engine.mesh.rasterizer import Rasterizer
from mien.engine.types import Floats
from mien.engine.utils.vectors import as_numbers, as_vectors


@dataclass(frozen=True, slots=True)
class MeshInterpolation:
    """A mesh's linear interpolation at the nodes of a grid, as far as they lie on the mesh.

    Attributes:
        nodes: ``(n,)`` the grid's nodes that lie on the mesh.
        corners: ``(3, n)`` the landmarks around each.
        weights: ``(3, n) float32`` what each counts.
    """

    nodes: NDArray[np.intp]
    corners: NDArray[np.intp]
    weights: Floats

    @staticmethod
    def of(points: Floats, depth: Floats, side: int) -> MeshInterpolation:
        """Of a mesh on a ``side`` x ``side`` grid; ``points`` ``(468, 2)`` are the grid's indices."""
        triangles = np.asarray(topo.TRIANGLES)
        count = len(triangles)
        corners = triangles.ravel()
        own = np.arange(3 * count, dtype=np.int32).reshape(count, 3)
        colours = np.zeros((count, 3, 3), np.float32)
        colours[:, :, 0] = np.arange(1, count + 1)[:, None]
        colours[:, 0, 1] = colours[:, 1, 2] = 1.0
        seen = Rasterizer(side, side).draw(points[corners], depth[corners], colours.reshape(-1, 3), own)
        seen = seen.reshape(-1, 3)
        nodes = np.flatnonzero(seen[:, 0] > 0.5)
        first = seen[nodes, 1:]
        weights = np.concatenate([first, 1 - first.sum(axis=1, keepdims=True)], axis=1).T
        which = np.round(seen[nodes, 0]).astype(np.intp) - 1
        around = np.ascontiguousarray(triangles[which].T, np.intp)
        return MeshInterpolation(nodes, around, np.ascontiguousarray(weights, np.float32))

    def beyond(self, field: Floats, at_landmarks: Floats) -> Floats:
        """What a field has that the mesh's interpolation of it has not, ``(n, 2)``.

        Args:
            field: ``(n, 2)`` at the nodes that lie on the mesh.
            at_landmarks: ``(468, 2)`` the same field at the landmarks.
        """
        values = as_numbers(at_landmarks[:N_MESH])
        corners = values[self.corners]
        corners *= self.weights
        inner = corners[0]
        inner += corners[1]
        inner += corners[2]
        return as_vectors(as_numbers(field) - inner)
