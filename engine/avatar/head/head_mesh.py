"""An avatar's mesh, prepared once: the head around its face, and the face's mesh on the model's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.avatar.crop import Square
from mien.engine.avatar.head.between_vertices import BetweenVertices
from mien.engine.avatar.head.grid import AvatarGrid
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.avatar.person.bars import Box
from mien.engine.face.geometry import FaceGeometry
from mien.engine.mesh.back_of_head import BackOfHead
from mien.engine.mesh.borders import Borders
from mien.engine.mesh.drawn_out import DrawnOut
from mien.engine.mesh.following import INSIDE
from mien.engine.mesh.head_sheet import HeadMotion, HeadSheet
from mien.engine.mesh.sheet_grid import NODES
from mien.engine.mesh.uncovered import FarSide
from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

OVERLAP = 0.02
"""How far the sheet's grid goes beyond the crop, as a share of its side."""


@dataclass(frozen=True, slots=True)
class HeadMesh:
    """An avatar's mesh: the face's vertices are its landmarks.

    Attributes:
        sheet: the head around the face.
        borders: where the portrait's borders cut the person; None where they do not.
        between: what lies between the vertices.
        backs: what a turn uncovers behind the face on the left of the image, and on the right; None where it
            is not made up.
        far: what the portrait hardly shows of its face.
        drawn: how skin slides over the face's mesh where a turn draws it out.
    """

    sheet: HeadSheet
    borders: Borders | None
    backs: tuple[BackOfHead | None, BackOfHead | None]
    between: BetweenVertices
    far: FarSide
    drawn: DrawnOut

    @staticmethod
    def of(
        geometry: FaceGeometry,
        crop: Square,
        grid: AvatarGrid,
        person: Floats | None,
        seen: Box | None = None,
    ) -> HeadMesh:
        """The mesh of a face in its crop (10 ms).

        Args:
            geometry, person: as in :meth:`HeadSheet.of`.
            crop, grid: the avatar's.
            seen: what bars leave free of the portrait; None where that is all.
        """
        axis = np.linspace(-OVERLAP, 1 + OVERLAP, NODES) * crop.side
        x, y = np.meshgrid(axis + crop.x, axis + crop.y)
        positions = np.stack([x, y], axis=2).astype(np.float32)
        half = np.float32((FIELD_SIZE - 1) / 2)
        depth = grid.solid[:, 2].reshape(FIELD_SIZE, FIELD_SIZE)
        there = sample(np.ascontiguousarray(depth), (crop.normalised(positions) + 1) * half).ravel()
        sheet = HeadSheet.of(geometry, positions.reshape(-1, 2), there, person)
        far = FarSide.of(geometry.points, geometry.axes, geometry.unit, person)
        borders = None
        if person is not None and sheet.known is not None:
            beside, step = np.maximum(-sheet.known[:, INSIDE], 0.0), float(axis[1] - axis[0])
            left, top, right, bottom = seen or (0, 0, *person.shape[::-1])
            places, inner = (
                sheet.positions - np.array([left, top], np.float32),
                person[top:bottom, left:right],
            )
            borders = Borders.of(places, beside, geometry.unit, step, inner)
        backs = (
            None if person is None else BackOfHead.of(geometry, -1, sheet.neck, person),
            None if person is None else BackOfHead.of(geometry, 1, sheet.neck, person),
        )
        between, drawn = BetweenVertices.of(geometry, crop, grid), DrawnOut.of(geometry)
        return HeadMesh(sheet, borders, backs, between, far, drawn)

    def moved(self, motion: HeadMotion) -> tuple[Floats, Floats]:
        """Where the sheet's nodes go, ``(G, 2)``, and their depth, ``(G,)``; pixels."""
        moved, depth = self.sheet.moved(motion)
        if self.borders is not None:
            self.borders.hold(moved, self.sheet.positions)
        return moved, depth
