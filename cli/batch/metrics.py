"""Measures of a result against its driver; the only place that calls ``mien.train.metrics``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.engine.face.layout import EXTENT, grow
from mien.engine.face.regions import REGIONS
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Motion
from mien.engine.types import Face, Floats, Image

LOOKS = 16
"""Number of frames of a result, evenly spread, that are checked for tears."""

if TYPE_CHECKING:
    from mien.train.metrics.fidelity import DenseMotion


@dataclass(frozen=True)
class Measured:
    """Measurements of a driver and its result, frame by frame.

    Attributes:
        correlation, gain, jitter: see ``mien.train.metrics.fidelity``.
        ceiling: the correlation that a noiseless copy would get.
        layout_correlation: the correlation by the measure of version 0.1.
        torn: share of the looked-at frames whose face is torn.
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
    ceiling: float = float("nan")
    layout_correlation: float = float("nan")
    torn: float = float("nan")

    def row(self) -> dict[str, Any]:
        """Numbers for the marker; None where there is none."""
        numbers: dict[str, Any] = {name: _number(getattr(self, name)) for name in WHOLE_FACE}
        for name in REGIONS:
            correlation, gain = self.regions.get(name, (float("nan"), float("nan")))
            numbers[f"{name}_correlation"] = _number(correlation)
            numbers[f"{name}_gain"] = _number(gain)
        return numbers


WHOLE_FACE = ("correlation", "ceiling", "gain", "jitter", "layout_correlation", "torn")
"""Measures of the whole face."""

METRICS: tuple[str, ...] = (
    *WHOLE_FACE,
    *(f"{name}_{what}" for name in REGIONS for what in ("correlation", "gain")),
)
"""Columns of metrics.csv that :meth:`Measured.row` fills."""


def measure(
    driver: Sequence[Image], driver_face: Face, result: Sequence[Image], result_face: Face
) -> Measured | None:
    """Compare two clips frame by frame; the faces are those in their first frames.

    None when there are too few frames to compare.
    """
    from mien.train.metrics.fair_motion import ceiling, reliability
    from mien.train.metrics.fidelity import compare, motion_of
    from mien.train.metrics.layout_motion import layout_motion_of

    if len(driver) < 3:
        return None
    theirs = motion_of(driver, driver_face)
    before = compare(layout_motion_of(driver, driver_face), layout_motion_of(result, result_face))
    return replace(
        _held(theirs, motion_of(result, result_face)),
        ceiling=ceiling(reliability(driver, driver_face, theirs)),
        layout_correlation=before.correlation,
    )


def torn_share(result: Sequence[Image], portrait: Image, face: Face, landmarker: Landmarker) -> float:
    """Share of a result's frames, at most :data:`LOOKS`, whose face is torn.

    Args:
        portrait: ``(H, W, 3) uint8`` RGB, what the avatar was made from, and the face in it.
    """
    from mien.train.metrics.image_tears import TearGauge

    gauge = TearGauge(portrait, face, landmarker)
    places = np.unique(np.linspace(0, len(result) - 1, min(LOOKS, len(result))).round().astype(int))
    return float(np.mean([gauge.found(result[k], landmarker).torn for k in places]))


def measure_recorded(motions: Sequence[Motion], result: Sequence[Image], face: Face) -> Measured | None:
    """Compare a result with the recorded motion that it was made from; as :func:`measure`."""
    from mien.train.metrics.fidelity import SIDE, DenseMotion, face_mask, motion_of

    if len(motions) < 3:
        return None
    field = np.stack([grow(motion.dense - motions[0].dense, SIDE) for motion in motions])
    made = DenseMotion(field * np.float32(SIDE / EXTENT), face_mask())
    # Composed motion has no noise to relate the result's to.
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
