"""The motion that a frame's measurements make: landmarks, field, lids, lips and gaze put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.face.head_pose import Similarity
from mien.engine.face.layout import N_MESH, apply2, at_landmarks
from mien.engine.face.openings import add_detail, lid_change, lip_share
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.motion.region_fit import RegionFits
from mien.engine.tracking import landmark_field
from mien.engine.tracking.head_motion import head_motion
from mien.engine.tracking.reference import Reference
from mien.engine.types import Face, Floats, Frame

BLINK_LEFT, BLINK_RIGHT = (topo.BLENDSHAPE_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right"))


@dataclass(frozen=True, slots=True)
class Field:
    """A frame's measured displacements, face units.

    Attributes:
        grid: ``(GRID, GRID, 2)``.
        trust: ``(GRID, GRID)``.
        points: ``(468, 2)`` at the landmarks; None to sample ``grid``.
        rounds: number of re-weightings in the regions' fits.
    """

    grid: Floats
    trust: Floats
    points: Floats | None
    rounds: int


def measured_motion(
    frame: Frame,
    face: Face,
    reference: Reference,
    head: Similarity,
    turn: tuple[float, float],
    turned: Floats,
    field: Field,
) -> Motion:
    """The motion of a face in a frame, relative to a reference.

    Args:
        face: in the frame, its landmarks at the reference's size.
        head: from the reference's pixels, turned, to the frame's.
        turn: pitch and yaw since the reference, radians.
        turned: ``(N, 2)`` the reference's nodes after that turn, pixels.
        field: what was measured besides.
    """
    grid = field.grid
    smooth = at_landmarks(grid) if field.points is None else field.points
    back = head.inverse().apply(face.landmarks[:N_MESH, :2])
    then = reference.geometry.points[:N_MESH] + (turned - reference.geometry.nodes)[:N_MESH]
    seen = apply2(reference.to_layout[:N_MESH], back - then)
    lips = lip_share(then, back, reference.geometry.unit)
    trust = at_landmarks(field.trust[..., None])[:, 0]
    points = add_detail(smooth, seen, lid_change(then, back), lips, trust)
    if reference.opened is not None:
        points = points + reference.opened
    eyes, gaze = reference.irises.motion(face.landmarks[:, :2], head, turn, grid, landmark_field.NOISE)
    return Motion(
        index=frame.index,
        captured_ns=frame.captured_ns,
        time=frame.time,
        head=head_motion(reference, head, turn),
        points=np.concatenate([points, eyes]),
        dense=grid,
        trust=field.trust,
        fits=RegionFits.of(grid, field.trust, field.rounds),
        gaze=gaze,
        blink=face.blendshapes[[BLINK_RIGHT, BLINK_LEFT]],
        blendshapes=face.blendshapes,
        confidence=face.confidence,
        shape=reference.shape,
    )
