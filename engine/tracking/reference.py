"""The driver's reference frame, relative to which all motion is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.iris import Irises
from mien.engine.face.layout import N_MESH, apply2, inverse2, unfolded
from mien.engine.face.lips import at_rest, brought_together, lip_axes, mouth_gap, near_lips
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Shape
from mien.engine.tracking.alignment import LIVE_SIDE, Aligner, sample_layout
from mien.engine.tracking.shoulders import Shoulders
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
        shoulders: finds the shoulders in later frames; None where it shows too little of them.
        opened: ``(468, 2)`` displacements by which its mouth counts as opened, face units; None where it
            is at rest.
    """

    face: Face
    geometry: FaceGeometry
    to_layout: Floats
    shape: Shape
    irises: Irises
    aligner: Aligner
    skin: SkinLight
    shoulders: Shoulders | None = None
    opened: Floats | None = None

    @staticmethod
    def of(image: Image, face: Face, side: int = LIVE_SIDE, parted: float = 0.0) -> Reference:
        """Prepare ``image`` with ``face`` in it as the reference.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            face: in it.
            side: resolution at which later frames are aligned with it, pixels.
            parted: how far its lips count as opened, as a share of the mouth's width.
        """
        geometry = FaceGeometry.of(face)
        mesh = np.ascontiguousarray(face.landmarks[:N_MESH, :2])
        axes = unfolded(geometry.axes, mesh)
        if parted > 0.0:
            # Across the gap the lower lip's inner edge came two thirds less far than its outer one.
            axes = lip_axes(axes, mesh, geometry.unit)
        geometry = replace(geometry, axes=axes)
        resampled = sample_layout(image, geometry.nodes[N_MESH:], geometry.unit, side)
        to_layout = inverse2(geometry.axes)
        # The smooth nodes have the layout's lids: an eye that is half shut has its own.
        nodes = np.concatenate([mesh, geometry.nodes[N_MESH:]])
        nodes = (nodes - geometry.centre) / np.float32(geometry.unit)
        maps = to_layout * np.float32(geometry.unit)
        opened = None
        if parted > 0.0:
            shut = shut_by(nodes[:N_MESH], parted)
            opened = apply2(maps[:N_MESH], nodes[:N_MESH] - shut)
            nodes = np.concatenate([shut, nodes[N_MESH:]])
        shape = Shape(nodes, maps)
        irises = Irises.of(geometry.points, geometry.solid, geometry.axes)
        skin = SkinLight.of(resampled)
        aligner, shoulders = Aligner(resampled), Shoulders.of(image, geometry)
        return Reference(face, geometry, to_layout, shape, irises, aligner, skin, shoulders, opened)


def shut_by(mesh: Floats, parted: float) -> Floats:
    """Landmarks ``(468, 2)`` whose lips are nearer to each other by ``parted`` widths of the mouth.

    A laugh's are as much less wide as its gap has become smaller.
    """
    ends = mesh[list(topo.MOUTH_CORNERS)]
    across = ends[1] - ends[0]
    width = max(float(np.hypot(*across)), 1e-6)
    together = brought_together(mesh, 1.0)
    most = max(mouth_gap(mesh) - mouth_gap(together), 1e-6)
    share = min(parted * width / most, 1.0)
    found = mesh + np.float32(share) * (together - mesh)
    axis = across / np.float32(width)
    along = (found - ends.mean(axis=0)) @ axis * near_lips()[:N_MESH]
    smile = share * (1 - at_rest(width, mesh) / width)
    return np.asarray(found - np.float32(smile) * along[:, None] * axis, np.float32)
