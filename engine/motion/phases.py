"""Phases of an expression: onset, apex and offset found in displacements over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.types import Floats

SHARE = 0.2
"""Share of the peak that bounds an expression: onset and offset lie where the movement is last (first)
below it."""

CALM_SECONDS = 0.04
"""Seconds over which courses are averaged before the search, so that one noisy frame is not taken for the
apex."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Frame indices of an expression's onset, apex and offset, in this order."""

    onset: int
    apex: int
    offset: int


def amplitude(courses: Floats) -> Floats:
    """``(T,)`` summed lengths of the regions' displacements ``(T, K, 2)``, in their unit."""
    return np.asarray(np.hypot(courses[..., 0], courses[..., 1]).sum(axis=1), dtype=np.float32)


def find_phases(times: Sequence[float], courses: Floats, apex: int | None = None) -> Phases:
    """Find onset, apex and offset of the strongest movement.

    Args:
        times: ``(T,)`` seconds, increasing.
        courses: ``(T, K, 2)`` displacements of K regions; NaN where nothing was measured.
        apex: the apex frame if known.
    """
    strength = _calmed(np.nan_to_num(amplitude(courses)), times)
    top = int(np.argmax(strength)) if apex is None else apex
    low = np.flatnonzero(strength < SHARE * strength[top])
    before, after = low[low < top], low[low > top]
    return Phases(
        onset=int(before[-1]) if before.size else 0,
        apex=top,
        offset=int(after[0]) if after.size else len(strength) - 1,
    )


def _calmed(course: Floats, times: Sequence[float]) -> Floats:
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    half = round(0.5 * CALM_SECONDS / max(step, 1e-6))
    if half == 0:
        return course
    window = np.ones(2 * half + 1, np.float32) / (2 * half + 1)
    return np.convolve(np.pad(course, half, mode="edge"), window, mode="valid").astype(np.float32)
