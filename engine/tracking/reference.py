"""The driver's reference frame, relative to which all motion is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.iris import Irises
from mien.engine.face.layout import N_MESH, inverse2, unfolded
from mien.engine.motion import Shape
from mien.engine.tracking.alignment import LIVE_SIDE, Aligner, sample_layout
from mien.engine.tracking.skin_light import SkinLight
from mien.engine.types import Face, Floats, Image


@dataclass(frozen=True, slots=True)
class Reference:
    """The prepared reference frame.

    Attributes:
        face: the face in it.
        geometry: its geometry.
        to_layout: ``(N, 2, 2)`` inverses of the geometry's local maps, face units per pixel.
        shape: the same geometry without its scale, for the motions.
        irises: its irises.
        aligner: aligns later frames with the reference image in the layout.
        skin: measures the light on later frames' skin.
    """

    face: Face
    geometry: FaceGeometry
    to_layout: Floats
    shape: Shape
    irises: Irises
    aligner: Aligner
    skin: SkinLight

    @staticmethod
    def of(image: Image, face: Face, side: int = LIVE_SIDE) -> Reference:
        """Prepare ``image`` (``(H, W, 3) uint8`` RGB) with ``face`` in it as the reference.

        ``side`` is the resolution at which later frames are aligned with it, pixels.
        """
        geometry = FaceGeometry.of(face)
        mesh = np.ascontiguousarray(face.landmarks[:N_MESH, :2])
        geometry = replace(geometry, axes=unfolded(geometry.axes, mesh))
        resampled = sample_layout(image, geometry.nodes[N_MESH:], geometry.unit, side)
        to_layout = inverse2(geometry.axes)
        # The smooth nodes have the layout's lids: an eye that is half shut has its own.
        nodes = np.concatenate([mesh, geometry.nodes[N_MESH:]])
        nodes = (nodes - geometry.centre) / np.float32(geometry.unit)
        shape = Shape(nodes, to_layout * np.float32(geometry.unit))
        irises = Irises.of(geometry.points, geometry.solid, geometry.axes)
        skin = SkinLight.of(resampled)
        return Reference(face, geometry, to_layout, shape, irises, Aligner(resampled), skin)
