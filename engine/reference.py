"""The driver's reference frame: what all motion is relative to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.alignment import LIVE_SIDE, Aligner, sample_layout
from engine.iris import Irises
from engine.layout import N_MESH, inverse2, jacobians, layout, unfolded
from engine.motion import Shape
from engine.types import Face, Floats, Image


@dataclass(frozen=True, slots=True)
class FaceGeometry:
    """A face's own geometry, as far as the carrying over of motion needs it.

    ``N`` nodes as in :class:`engine.layout.Layout`; image pixels.

    Attributes:
        points: ``(478, 2)`` landmarks.
        nodes: ``(N, 2)`` image positions of the nodes.
        solid: ``(N, 3)`` the same relative to the head's centre, with depth: what a turn acts on.
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

    @staticmethod
    def of(face: Face) -> FaceGeometry:
        """The geometry of a face in an image."""
        mesh = face.landmarks[:N_MESH]
        maps = layout()
        nodes = maps.to_nodes @ mesh
        centre = mesh.mean(axis=0)
        flat = maps.points - maps.points.mean(axis=0)
        spread = mesh[:, :2] - centre[:2]
        return FaceGeometry(
            points=np.ascontiguousarray(face.landmarks[:, :2]),
            nodes=np.ascontiguousarray(nodes[:, :2]),
            solid=nodes - centre,
            axes=jacobians(np.ascontiguousarray(mesh[:, :2])),
            centre=centre[:2].copy(),
            unit=float(np.sqrt((spread**2).sum() / (flat**2).sum())),
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference frame, prepared.

    Attributes:
        face: the face in it.
        geometry: its geometry.
        to_layout: ``(N, 2, 2)`` inverses of the geometry's local maps, face units per pixel.
        shape: the same geometry without its scale, for the motions.
        irises: its irises.
        aligner: the reference picture in the layout.
    """

    face: Face
    geometry: FaceGeometry
    to_layout: Floats
    shape: Shape
    irises: Irises
    aligner: Aligner

    @staticmethod
    def of(image: Image, face: Face, side: int = LIVE_SIDE) -> Reference:
        """Prepare ``image`` (``(H, W, 3) uint8`` RGB) with ``face`` in it as the reference.

        ``side`` is the resolution at which later frames are aligned with it, pixels.
        """
        geometry = FaceGeometry.of(face)
        mesh = np.ascontiguousarray(face.landmarks[:N_MESH, :2])
        geometry = replace(geometry, axes=unfolded(geometry.axes, mesh))
        picture = sample_layout(image, geometry.nodes[N_MESH:], geometry.unit, side)
        to_layout = inverse2(geometry.axes)
        nodes = (geometry.nodes - geometry.centre) / np.float32(geometry.unit)
        shape = Shape(nodes, to_layout * np.float32(geometry.unit))
        irises = Irises.of(geometry.points, geometry.solid, geometry.axes)
        return Reference(face, geometry, to_layout, shape, irises, Aligner(picture))
