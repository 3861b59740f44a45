"""Geometry of one face in an image, as needed for motion transfer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mien.engine.face.iris import iris_axes
from mien.engine.face.layout import N_MESH, jacobians, layout
from mien.engine.types import Face, Floats

EYE_CORNERS = [33, 133, 263, 362]

DEPTH = 1.2
"""Factor on the landmarks' depth: with it, a turned face lies where the turn puts it.  On ten clips of turns
by 14 to 44 degrees the places missed least at factors of 1.1 to 1.4."""


@dataclass(frozen=True)
class FaceGeometry:
    """A face's own geometry, as needed for motion transfer.

    ``N`` nodes as in :class:`mien.engine.face.layout.Layout`; image pixels.

    Attributes:
        points: ``(478, 2)`` landmarks.
        nodes: ``(N, 2)`` image positions of the nodes.
        solid: ``(N, 3)`` the same relative to the head's centre, with depth, on which turns act.
        axes: ``(N, 2, 2)`` local maps, pixels per face unit.
        centre: ``(2,)`` the head's centre.
        unit: pixels per face unit, over the whole face.
    """

    points: Floats
    nodes: Floats
    solid: Floats
    axes: Floats
    centre: Floats
    unit: float

    @cached_property
    def iris_axes(self) -> Floats:
        """``(10, 2, 2)`` local maps at the iris points."""
        return np.repeat(iris_axes(self.axes), 5, axis=0)

    @cached_property
    def iris_solid(self) -> Floats:
        """``(10, 3) float32`` the iris points as :attr:`solid`, as deep as the corners of their eyes."""
        depth = np.repeat(self.solid[EYE_CORNERS, 2].reshape(2, 2).mean(axis=1), 5)
        return np.column_stack([self.points[N_MESH:] - self.centre, depth]).astype(np.float32)

    @staticmethod
    def of(face: Face) -> FaceGeometry:
        """Compute the geometry of a face in an image."""
        mesh = face.landmarks[:N_MESH]
        maps = layout()
        nodes = maps.to_nodes @ mesh
        centre = mesh.mean(axis=0)
        solid = nodes - centre
        solid[:, 2] *= DEPTH
        return FaceGeometry(
            points=np.ascontiguousarray(face.landmarks[:, :2]),
            nodes=np.ascontiguousarray(nodes[:, :2]),
            solid=solid,
            axes=jacobians(np.ascontiguousarray(mesh[:, :2])),
            centre=centre[:2].copy(),
            unit=unit_of(mesh),
        )

    def shown_area(self) -> Floats:
        """``(468,)`` how much of its frontal area the image shows at each landmark; negative from behind."""
        return area_of(self.axes[:N_MESH], self.unit)


def unit_of(mesh: Floats) -> float:
    """Pixels per face unit of a face with landmarks ``(468, 2+)``."""
    flat = layout().points
    spread, usual = (points - points.mean(axis=0) for points in (mesh[:, :2], flat))
    return float(np.sqrt((spread**2).sum() / (usual**2).sum()))


def area_of(axes: Floats, unit: float) -> Floats:
    """``(N,)`` area over the frontal one; local maps ``(N, 2, 2)`` and ``unit`` in pixels per face unit."""
    found = axes[:, 0, 0] * axes[:, 1, 1] - axes[:, 0, 1] * axes[:, 1, 0]
    return np.asarray(found / np.float32(unit**2), np.float32)
