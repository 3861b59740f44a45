"""Motion transfer to an avatar: from face units to this face's own pixels, region by region."""

from __future__ import annotations

from cmath import rect
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.avatar.eyes.brows import hold_brows, limit_rise
from mien.engine.avatar.eyes.eyelids import shut_eyes
from mien.engine.avatar.eyes.lids import set_lids
from mien.engine.avatar.head.carried_body import carried_body
from mien.engine.avatar.head.mesh_motion import MeshMotion, Placed, mesh_motion
from mien.engine.avatar.lips.lip_limits import limit_lips
from mien.engine.avatar.lips.lip_shape import Rest, set_lips
from mien.engine.avatar.lips.pursing import purse_lips
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.avatar.person.covered import without_mouth
from mien.engine.avatar.pose_limits import held_motion, held_scale, held_turn, within
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.head_pose import Similarity, parallax
from mien.engine.face.layout import N_MESH, apply2, at_landmarks
from mien.engine.face.lips import lips_alike
from mien.engine.face.openings import OPENINGS, around, detail_shares
from mien.engine.face.stiff_nose import (
    nose_found,
    nose_stiffness,
    with_held_nose,
    with_stiff_nose,
)
from mien.engine.face.turn_residue import without_residue
from mien.engine.motion import Head, Motion
from mien.engine.types import Floats
from mien.engine.utils.sampling import sample

FREE_SHIFT = 0.35
MOST_SHIFT = 0.60
"""Head shifts up to the first value (face units) are transferred unchanged; larger ones approach the second:
further out the portrait would have to show what it does not contain."""

INVERSE_ROUNDS = 5


@dataclass(frozen=True)
class Driving:
    """One frame's motion, ready for the renderer, in the model's coordinates (-1..1 over the crop).

    Attributes:
        points: ``(478, 2) float32`` where the avatar's landmarks go.
        mesh: where the avatar's mesh goes.
        motion, avatar, head, turn, shares: what they were made of: the motion with the sway, on whom, the
            head's motion, and how far the dense field gives way in right eye, left eye and mouth.
    """

    points: Floats
    mesh: MeshMotion
    motion: Motion
    avatar: Avatar
    head: Similarity
    turn: tuple[float, float]
    shares: tuple[float, ...]

    @cached_property
    def dense(self) -> Floats:
        """``(3, FIELD_SIZE, FIELD_SIZE) float32`` the network's measured flow, made when it is asked for.

        A backward displacement (output position y shows the portrait's y + dense(y)): x, y, and in 0..1 how
        far it is to be believed.
        """
        dense = _dense(self.motion, self.avatar, self.head, self.turn)
        for share, (outline, _) in zip(self.shares, OPENINGS, strict=True):
            if share > 0.01:
                dense[2] *= 1.0 - share * around(self.points[list(outline)], FIELD_SIZE)
        shut_eyes(dense, self.avatar.source_points, self.points)
        return dense


def carry_over(motion: Motion, avatar: Avatar) -> Driving:
    """Transfer a driver's motion to the avatar."""
    # The head moves rigidly in the avatar's own image, sub-pixel motion included.  Carried over place by
    # place, as it looked on a driver of other proportions, sway would distort the avatar's face.
    held = held_head(motion.head, avatar)
    head = similarity_of(held, avatar.geometry)
    body = carried_body(motion.body, motion.head, held, avatar.geometry)
    seen, motion = motion, _held(_freed(_with_lips(motion, avatar)), avatar)
    turn = held_turn(motion.head.turn, avatar.facing)
    aside = parallax(avatar.geometry.solid[:N_MESH], turn)
    points = avatar.crop.normalised(head.apply(moved_landmarks(motion, avatar.geometry, turn, aside)))
    limit_rise(points, avatar.source_points, motion)
    set_lids(points, avatar.source_points, motion)
    hold_brows(points, avatar.source_points, abs(head.a))
    if avatar.shows_mouth:
        set_lips(points, avatar.source_points, seen, abs(head.a))
        turned = avatar.source_points[:N_MESH] + aside / np.float32(avatar.crop.pixels_per_norm)
        limit_lips(points, avatar.source_points, turned, seen, abs(head.a))
        purse_lips(points, avatar.source_points, seen, abs(head.a))
    smooth = at_landmarks(motion.dense)
    shares = detail_shares(smooth, motion.points[:N_MESH])
    between = avatar.mesh.between.moved(motion.dense, smooth, shares)
    mesh = mesh_motion(placed(avatar), head, turn, points, between, body)
    return Driving(points, mesh, motion, avatar, head, turn, shares)


def placed(avatar: Avatar) -> Placed:
    """What :func:`mien.engine.avatar.head.mesh_motion.mesh_motion` needs of an avatar."""
    return Placed(
        avatar.mesh,
        avatar.geometry,
        avatar.crop,
        avatar.source_points,
        avatar.facing,
        avatar.cavity.edges,
    )


def _with_lips(motion: Motion, avatar: Avatar) -> Motion:
    """The motion with its lips as pieces, where the driver's mouth was open in the reference."""
    shape = motion.shape
    if shape is None:
        return motion
    at_nodes = np.concatenate([motion.points[:N_MESH], motion.dense.reshape(-1, 2)])
    found = shape.lips.as_pieces(at_nodes, lips_alike(shape.nodes, avatar.source_points))
    if found is at_nodes:
        return motion
    points = np.concatenate([found[:N_MESH], motion.points[N_MESH:]])
    return replace(motion, points=points, dense=found[N_MESH:].reshape(motion.dense.shape))


def _freed(motion: Motion) -> Motion:
    """The motion without what the head's turn has left in it."""
    points, dense = without_residue(motion.points[:N_MESH], motion.dense, motion.head.turn)
    if dense is motion.dense:
        return motion
    return replace(motion, points=np.concatenate([points, motion.points[N_MESH:]]), dense=dense)


def _held(motion: Motion, avatar: Avatar) -> Motion:
    """The motion kept within what a face seen nearly from the side, or with a covered mouth, can show."""
    points, dense = held_motion(motion.points, avatar.facing), motion.dense
    if points is not motion.points:
        dense = held_motion(dense, avatar.facing)
    stiffness = nose_stiffness(avatar.facing, motion.head.turn, _nose_found(motion, avatar))
    points = with_held_nose(with_stiff_nose(points, stiffness))
    if not avatar.shows_mouth:
        points, dense = without_mouth(points, dense)
    return motion if points is motion.points else replace(motion, points=points, dense=dense)


def _nose_found(motion: Motion, avatar: Avatar) -> float:
    """See :func:`mien.engine.face.stiff_nose.nose_found`; 0 where the driver's shape is not known."""
    if motion.shape is None:
        return 0.0
    apart = Rest.of(avatar.source_points).yaw - Rest.of(motion.shape.nodes).yaw
    return nose_found(motion.trust, apart)


def held_head(head: Head, avatar: Avatar) -> Head:
    """The head's motion, limited to what the portrait and its crop can show."""
    shift = within(head.shift, FREE_SHIFT, MOST_SHIFT)
    shift, scale = avatar.room.kept(shift, held_scale(head.scale))
    return replace(head, shift=shift, scale=scale)


def similarity_of(head: Head, geometry: FaceGeometry) -> Similarity:
    """A head motion in a face's own image: shifts scale with the face, roll is about its centre."""
    centre = complex(float(geometry.centre[0]), float(geometry.centre[1]))
    shift = complex(*head.shift) * geometry.unit
    return Similarity(rect(head.scale, head.roll), shift).about(centre)


def moved_landmarks(
    motion: Motion, geometry: FaceGeometry, turn: tuple[float, float], aside: Floats | None = None
) -> Floats:
    """``(478, 2)`` a face's landmarks after the motion, before the head's similarity; image pixels.

    Args:
        aside: ``(468, 2)`` by how much the turn moves those of its mesh, where that is known.
    """
    moved: Floats = geometry.points.copy()
    moved[:N_MESH] += apply2(geometry.axes[:N_MESH], motion.points[:N_MESH])
    moved[:N_MESH] += parallax(geometry.solid[:N_MESH], turn) if aside is None else aside
    moved[N_MESH:] += apply2(geometry.iris_axes, motion.points[N_MESH:])
    moved[N_MESH:] += parallax(geometry.iris_solid, turn)
    return moved


def _dense(motion: Motion, avatar: Avatar, head: Similarity, turn: tuple[float, float]) -> Floats:
    """Backward displacement field and its weight on the model's grid, ``(3, FIELD_SIZE, FIELD_SIZE)``."""
    grid = avatar.grid
    expression = sample(motion.dense, grid.lookup, cubic=True).reshape(-1, 2)
    moved = grid.positions + parallax(grid.solid, turn) + apply2(grid.axes, expression)
    per_norm = avatar.crop.pixels_per_norm
    forward = ((head.apply(moved) - grid.positions) / per_norm).reshape(FIELD_SIZE, FIELD_SIZE, 2)
    start = (head.inverse().apply(grid.positions) - grid.positions) / per_norm
    backward, error = inverted(forward, start.reshape(FIELD_SIZE, FIELD_SIZE, 2).astype(np.float32))
    sound = np.clip(1.5 - error / 0.008, 0.0, 1.0).astype(np.float32)
    weight = _at(grid.window, backward) * cv2.erode(sound, np.ones((3, 3), np.uint8))
    dense = np.empty((3, FIELD_SIZE, FIELD_SIZE), np.float32)
    dense[:2] = backward.transpose(2, 0, 1)
    # Softened inwards only: places without an inverse must not show through.
    dense[2] = np.minimum(weight, cv2.blur(weight, (3, 3)))
    return dense


def inverted(forward: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Backward displacements of a forward field, by fixed-point iteration ``x <- y - D(x)``.

    Args:
        forward: ``(FIELD_SIZE, FIELD_SIZE, 2)`` displacement at source positions, model coordinates.
        start: a first guess of the result.

    Returns:
        The backward field, and ``(FIELD_SIZE, FIELD_SIZE)`` its error (where the motion tears, as between
        opening lips, no inverse exists).
    """
    backward = start
    for _ in range(INVERSE_ROUNDS):
        backward = -_at(forward, backward)
    miss = backward + _at(forward, backward)
    return backward, np.hypot(miss[..., 0], miss[..., 1])


def _at(field: Floats, displacement: Floats) -> Floats:
    """``field`` sampled at ``y + displacement(y)``; its border repeats outside."""
    lookup = _identity_lookup() + displacement * np.float32((FIELD_SIZE - 1) / 2)
    return sample(field, lookup)


def _identity_lookup() -> Floats:
    axis = np.arange(FIELD_SIZE, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis), axis=2)
