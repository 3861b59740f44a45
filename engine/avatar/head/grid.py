"""A face's geometry on the model's grid over its crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.layout import GRID, N_MESH, layout, splined, to_pixels
from mien.engine.landmarks import topology
from mien.engine.types import Floats
from mien.engine.utils.curves import smoothstep
from mien.engine.utils.images import depth_within
from mien.engine.utils.sampling import sample


@dataclass(frozen=True, slots=True)
class AvatarGrid:
    """The avatar's geometry on the model's ``FIELD_SIZE`` x ``FIELD_SIZE`` grid (``G`` nodes in all).

    Attributes:
        positions: ``(G, 2)`` image positions, pixels.
        lookup: ``(FIELD_SIZE, FIELD_SIZE, 2)`` position of each node on the layout's grid.
        axes: ``(G, 2, 2)`` local maps, pixels per face unit.
        solid: ``(G, 3)`` relative to the head's centre, pixels.
        window: ``(FIELD_SIZE, FIELD_SIZE)`` 1 on the face, fading to 0 around it.
    """

    positions: Floats
    lookup: Floats
    axes: Floats
    solid: Floats
    window: Floats


def avatar_grid(geometry: FaceGeometry, crop: Square) -> AvatarGrid:
    """The geometry of a face on the model's grid over ``crop`` (0.1 s, for fitting a spline)."""
    positions = crop.grid()
    places = _layout_positions(geometry, positions)
    lookup = to_pixels(places, GRID).reshape(FIELD_SIZE, FIELD_SIZE, 2)
    depth = geometry.solid[N_MESH:, 2].reshape(GRID, GRID)
    axes = _axes_at(geometry.axes, lookup)
    depth_here = sample(np.ascontiguousarray(depth), lookup).reshape(-1, 1)
    solid = np.concatenate([positions - geometry.centre, depth_here], axis=1).astype(np.float32)
    return AvatarGrid(positions, lookup, axes, solid, _window(places).reshape(FIELD_SIZE, FIELD_SIZE))


def _axes_at(axes: Floats, lookup: Floats) -> Floats:
    """Interpolate the local maps of the layout's nodes, ``(N, 2, 2)``, at other positions on its grid."""
    maps = np.ascontiguousarray(axes[N_MESH:].reshape(GRID, GRID, 4))
    return sample(maps, lookup).reshape(-1, 2, 2)


def _layout_positions(geometry: FaceGeometry, positions: Floats) -> Floats:
    """Layout positions of image positions, by a spline fitted in the inverse direction."""
    mesh = (geometry.points[:N_MESH] - geometry.centre).astype(np.float64) / geometry.unit
    places = (positions - geometry.centre).astype(np.float64) / geometry.unit
    return np.asarray(splined(places, mesh, layout().points.astype(np.float64)), dtype=np.float32)


def _window(places: Floats) -> Floats:
    """1 on the face, falling smoothly to 0 a sixth of a face unit outside its oval."""
    distance = -depth_within(places, layout().points[list(topology.FACE_OVAL)])
    share = np.clip(distance / 0.17, 0.0, 1.0)
    return (1.0 - smoothstep(share)).astype(np.float32)
