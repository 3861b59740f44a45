"""Measures of a result against its driver; the only place that calls ``mien.train.metrics``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.engine.face.layout import EXTENT, grow
from mien.engine.face.regions import REGIONS
from mien.engine.motion import Motion
from mien.engine.types import Face, Floats, Image

if TYPE_CHECKING:
    from mien.train.metrics.fidelity import DenseMotion


@dataclass(frozen=True)
class Measured:
    """What was measured on a driver and its result, frame by frame.

    Attributes:
        correlation, gain, jitter: see ``mien.train.metrics.fidelity``.
        regions: correlation and gain by region.
        driver, result: ``(T, K, 2)`` time courses, face units.
        driver_field, result_field: ``(T, S, S, 2)`` motion in the layout, face units.
    """

    correlation: float
    gain: float
    jitter: float
    regions: dict[str, tuple[float, float]]
    driver: Floats
    result: Floats
    driver_field: Floats
    result_field: Floats

    def row(self) -> dict[str, Any]:
        """The numbers as they go into the marker; None where there is none."""
        numbers: dict[str, Any] = {
            name: _number(getattr(self, name)) for name in ("correlation", "gain", "jitter")
        }
        for name in REGIONS:
            correlation, gain = self.regions.get(name, (float("nan"), float("nan")))
            numbers[f"{name}_correlation"] = _number(correlation)
            numbers[f"{name}_gain"] = _number(gain)
        return numbers


METRICS: tuple[str, ...] = (
    "correlation",
    "gain",
    "jitter",
    *(f"{name}_{what}" for name in REGIONS for what in ("correlation", "gain")),
)
"""Columns of metrics.csv that :meth:`Measured.row` fills."""


def measure(
    driver: Sequence[Image], driver_face: Face, result: Sequence[Image], result_face: Face
) -> Measured | None:
    """Compare two clips frame by frame; the faces are those in their first frames.

    None when there are too few frames to compare.
    """
    from mien.train.metrics.fidelity import motion_of

    if len(driver) < 3:
        return None
    return _held(motion_of(driver, driver_face), motion_of(result, result_face))


def measure_recorded(motions: Sequence[Motion], result: Sequence[Image], face: Face) -> Measured | None:
    """Compare a result with the recorded motion that it was made from; as :func:`measure`."""
    from mien.train.metrics.fidelity import SIDE, DenseMotion, face_mask, motion_of

    if len(motions) < 3:
        return None
    field = np.stack([grow(motion.dense - motions[0].dense, SIDE) for motion in motions])
    made = DenseMotion(field * np.float32(SIDE / EXTENT), face_mask())
    # Motion that was composed has no noise to divide the result's by.
    return replace(_held(made, motion_of(result, face)), jitter=float("nan"))


def _held(theirs: DenseMotion, ours: DenseMotion) -> Measured:
    from mien.train.metrics.fidelity import SIDE, compare

    found = compare(theirs, ours)
    unit = np.float32(EXTENT / SIDE)
    return Measured(
        correlation=found.correlation,
        gain=found.gain,
        jitter=found.jitter,
        regions=dict(found.regions),
        driver=theirs.courses(),
        result=ours.courses(),
        driver_field=theirs.field * unit,
        result_field=ours.field * unit,
    )


def _number(value: float) -> float | None:
    return round(float(value), 4) if isfinite(value) else None
