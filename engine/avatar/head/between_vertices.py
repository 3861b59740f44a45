"""What a dense field says between the vertices of an avatar's mesh, at the nodes of the model's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.head.grid import AvatarGrid
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.layout import N_MESH, apply2
from mien.engine.face.openings import OPENINGS, around
from mien.engine.mesh.interpolation import MeshInterpolation
from mien.engine.types import Floats
from mien.engine.utils.sampling import sample


@dataclass(frozen=True, slots=True)
class BetweenVertices:
    """An avatar's ``n`` nodes that lie on its face's mesh: a fifth of the grid's.

    Attributes:
        mesh: the mesh there.
        lookup: ``(n, 1, 2)`` their places on the layout's grid.
        axes: ``(n, 2, 2)`` local maps, pixels per face unit; ``at_landmarks`` ``(468, 2, 2)`` the landmarks'.
        window: ``(n,)`` 1 on the face, fading to 0 around it; model units per pixel.
        openings: ``(n,)`` each, 1 in and around right eye, left eye and mouth.
    """

    mesh: MeshInterpolation
    lookup: Floats
    axes: Floats
    at_landmarks: Floats
    window: Floats
    openings: tuple[Floats, ...]

    @staticmethod
    def of(geometry: FaceGeometry, crop: Square, grid: AvatarGrid) -> BetweenVertices:
        """Of a face in its crop."""
        source = crop.normalised(geometry.points)
        places = (source[:N_MESH] + 1) * np.float32((FIELD_SIZE - 1) / 2)
        mesh = MeshInterpolation.of(places, geometry.solid[:N_MESH, 2], FIELD_SIZE)
        window = grid.window.ravel()[mesh.nodes] / np.float32(crop.pixels_per_norm)
        openings = (around(source[list(outline)], FIELD_SIZE).ravel() for outline, _ in OPENINGS)
        return BetweenVertices(
            mesh,
            grid.lookup.reshape(-1, 1, 2)[mesh.nodes],
            grid.axes[mesh.nodes],
            geometry.axes[:N_MESH],
            window,
            tuple(opening[mesh.nodes] for opening in openings),
        )

    def moved(self, dense: Floats, at_landmarks: Floats, shares: Sequence[float]) -> Floats:
        """By how much it moves besides, ``(FIELD_SIZE, FIELD_SIZE, 2)`` model units.

        Args:
            dense: ``(GRID, GRID, 2)`` the field, face units, and ``at_landmarks`` ``(468, 2)`` its values
                there.
            shares: how far it gives way in right eye, left eye and mouth.
        """
        here = apply2(self.axes, sample(dense, self.lookup, cubic=True).reshape(-1, 2))
        found = self.mesh.beyond(here, apply2(self.at_landmarks, at_landmarks))
        window = self.window
        for share, opening in zip(shares, self.openings, strict=True):
            if share > 0.01:
                window = window * (1 - np.float32(share) * opening)
        found *= window[:, None]
        whole = np.zeros((FIELD_SIZE**2, 2), np.float32)
        whole[self.mesh.nodes] = found
        return whole.reshape(FIELD_SIZE, FIELD_SIZE, 2)
