"""A further photo of the avatar's person: its pixels around the face, and what the face does in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.face.head_pose import turn_between
from mien.engine.face.layout import N_MESH, layout
from mien.engine.face.lips import mouth_gap
from mien.engine.face.openings import LIDS, lid_gaps
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats, Image

_EYES = (
    (topo.RIGHT_EYE_OUTER_CORNER, topo.RIGHT_EYE_INNER_CORNER),
    (topo.LEFT_EYE_OUTER_CORNER, topo.LEFT_EYE_INNER_CORNER),
)


MOUTH_SHAPES = [i for i, name in enumerate(topo.BLENDSHAPE_NAMES) if name.startswith(("mouth", "jaw"))]
"""Blendshapes of jaw and mouth."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a face does, as photos are compared by it.

    Attributes:
        gap: between the lips, face units.
        lips: ``(40, 2) float32`` both edges of the lips, upright and centred, face units.
        eyes: gap of the lids over the eye's width: right eye, left eye.
        turn: pitch and yaw from the front, radians.
        shapes: ``(n,)`` blendshapes of jaw and mouth; None where they are not known.
    """

    gap: float
    lips: Floats
    eyes: tuple[float, float]
    turn: tuple[float, float]
    shapes: Floats | None = None

    @staticmethod
    def of(points: Floats, turn: tuple[float, float], blendshapes: Floats | None = None) -> Traits:
        """Measure a face.

        Args:
            points: ``(468+, 2)`` landmarks, any unit.
            turn: pitch and yaw, radians.
            blendshapes: ``(52,)`` if known; zeros, as of composed motion, count as not known.
        """
        unit = face_unit(points)
        right, left = (
            gap / max(_apart(points, *ends), 1e-6)
            for gap, ends in zip(lid_gaps(points[LIDS]), _EYES, strict=True)
        )
        known = blendshapes is not None and bool(blendshapes.any())
        shapes = blendshapes[MOUTH_SHAPES] if known and blendshapes is not None else None
        return Traits(mouth_gap(points) / unit, _upright_lips(points, unit), (right, left), turn, shapes)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo, cut around its face.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB.
        landmarks: ``(478, 3) float32`` pixels of ``image``.
        pose: ``(4, 4) float32`` head pose, as :class:`~mien.engine.types.Face` has it.
        blendshapes: ``(52,) float32``.
        name: of the file or the frame it came from.
    """

    image: Image
    landmarks: Floats
    pose: Floats
    blendshapes: Floats
    name: str = ""

    @property
    def unit(self) -> float:
        """Pixels per face unit."""
        return face_unit(self.landmarks)

    @property
    def traits(self) -> Traits:
        """What its face does."""
        turn = turn_between(np.eye(4, dtype=np.float32), self.pose)
        return Traits.of(self.landmarks[:, :2], turn, self.blendshapes)


def face_unit(points: Floats) -> float:
    """Length of a face unit in the unit of landmarks ``(468+, 2+)``, over the whole face."""
    flat = layout().points - layout().points.mean(axis=0)
    spread = points[:N_MESH, :2] - points[:N_MESH, :2].mean(axis=0)
    return float(np.sqrt((spread**2).sum() / (flat**2).sum()))


def _upright_lips(points: Floats, unit: float) -> Floats:
    across = points[topo.LEFT_EYE_OUTER_CORNER, :2] - points[topo.RIGHT_EYE_OUTER_CORNER, :2]
    cos, sin = across / max(float(np.hypot(*across)), 1e-6)
    ring = points[list(topo.LIPS_INNER + topo.LIPS_OUTER), :2]
    upright = (ring - ring.mean(axis=0)) @ np.array([[cos, -sin], [sin, cos]], np.float32)
    return np.asarray(upright / np.float32(unit), np.float32)


def _apart(points: Floats, a: int, b: int) -> float:
    return float(np.linalg.norm(points[a, :2] - points[b, :2]))
