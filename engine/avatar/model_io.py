"""Data contract of the ``live`` model: inputs and outputs of its networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.engine.types import N_LANDMARKS, Floats, Image, UsageError

if TYPE_CHECKING:
    pass


IMAGE_SIZE = 256


FIELD_SIZE = 64


POINT_INPUTS = ("source_points", "driving_points", "dense")
"""The renderer's inputs that change from frame to frame."""


PointInputs = tuple[Floats, Floats, Floats]


_NO_DENSE: Floats = np.zeros((1, 3, FIELD_SIZE, FIELD_SIZE), np.float32)


@dataclass(frozen=True, slots=True)
class AvatarCode:
    """A runtime's representation of an avatar; created once, when the portrait is chosen.

    Attributes:
        source: ``(1, 3, 256, 256) float32``, the crop, RGB in 0..1.
        features: ``(1, C, 64, 64) float32``, the encoder's result.
    """

    source: Floats
    features: Floats


@dataclass(frozen=True, slots=True)
class Field:
    """Difference of one frame from the portrait.

    The image is ``portrait sampled at (y + flow(y))  +  paint``, in the avatar's crop, at any resolution:
    flow and paint are enlarged bilinearly with ``align_corners`` (position -1 and 1 are the centres of the
    first and last pixel on every grid, x right, y down).

    The arrays are buffers of the runtime, valid until its next ``render``; copy them to keep them.

    Attributes:
        flow: ``(64, 64, 2) float32``, backward displacement (x, y) in normalised units (2 = the crop's side).
        occlusion: ``(64, 64) float32`` in 0..1; 1 where the warp is correct.
        paint: ``(256, 256, 3) float32`` RGB, added to the warped image in 0..1 (so +-1).
    """

    flow: Floats
    occlusion: Floats
    paint: Floats


def check_source(source: Image) -> None:
    """Raise :class:`MienError` unless ``source`` is ``(256, 256, 3) uint8``."""
    if source.shape != (IMAGE_SIZE, IMAGE_SIZE, 3) or source.dtype != np.uint8:
        raise UsageError(f"avatar crop must be (256, 256, 3) uint8, not {source.shape} {source.dtype}")


def source_tensor(source: Image) -> Floats:
    """Convert ``(256, 256, 3) uint8`` RGB to ``(1, 3, 256, 256) float32`` in 0..1."""
    check_source(source)
    planes = source.transpose(2, 0, 1)[None].astype(np.float32)
    planes /= 255.0
    return np.ascontiguousarray(planes)


def point_inputs(source_points: Floats, driving_points: Floats, dense: Floats | None) -> PointInputs:
    """The network's inputs that change from frame to frame: the last three arguments of ``render``.

    Returns:
        By :data:`POINT_INPUTS`' names: ``(1, 478, 2)`` twice and ``(1, 3, 64, 64)``, C-contiguous
        ``float32``.  They are read-only views of the arguments if those already have this form.

    Raises:
        ValueError: points of another shape.
    """
    check_points(source_points)
    check_points(driving_points)
    measured = _NO_DENSE if dense is None else dense[None]
    source, driving, flow = (
        np.ascontiguousarray(array, np.float32)
        for array in (source_points[None], driving_points[None], measured)
    )
    return source, driving, flow


def to_field(flow: Floats, occlusion: Floats, paint: Floats) -> Field:
    """Convert the network's batch of one (channels first) to a field with its own arrays."""
    return Field(
        np.ascontiguousarray(flow[0].transpose(1, 2, 0)),
        np.array(occlusion[0, 0]),
        np.ascontiguousarray(paint[0].transpose(1, 2, 0)),
    )


def check_points(points: Floats) -> None:
    """Raise ``ValueError`` unless ``points`` has the shape of a face's landmarks."""
    if points.shape != (N_LANDMARKS, 2):
        raise ValueError(f"points must be ({N_LANDMARKS}, 2), not {points.shape}")
