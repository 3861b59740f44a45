"""Motion fidelity: agreement of the result's motion with the driver's in place, strength and time.

Motion is measured by :mod:`mien.train.metrics.fair_motion`: ``m_t(x)``, dense, in one face layout, the
head's similarity removed in each face's own image.  Over all face pixels x, frames t >= 1 and both
components, with d the driver's m and r the result's, means removed:

- *correlation* (fidelity)  ``sum(d r) / sqrt(sum(d d) sum(r r))``, Pearson's, -1..1;
- *gain*  ``sum(d r) / sum(d d)``, the least-squares strength of the driver's motion in the result;
- *jitter*  mean over x, t of ``|r_{t+1} - 2 r_t + r_{t-1}|``, divided by the same of d.

Time courses are the means of m over the facial regions' soft maps, in face units.  The measure follows
the evaluation of micro-expression generation by optical flow (MEGC 2021's task: the generated clip must
show the source's motion on the target's face).  It looks only at motion; identity and image quality
have measures of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.engine.face.regions import REGIONS
from mien.engine.types import Floats
from mien.train.metrics.fair_motion import motion_of
from mien.train.metrics.motion_field import SIDE, DenseMotion, face_mask

__all__ = ["SIDE", "DenseMotion", "Fidelity", "compare", "face_mask", "motion_of"]


@dataclass(frozen=True)
class Fidelity:
    """Fidelity of a result's motion; definitions in the module's docstring.

    Attributes:
        correlation: Pearson's correlation with the driver's motion, -1..1.
        gain: strength relative to the driver's; 1 is equal.
        jitter: roughness over time relative to the driver's; 1 is equal, more is shimmering.
        regions: correlation and gain of each region's time course.
    """

    correlation: float
    gain: float
    jitter: float
    regions: dict[str, tuple[float, float]]


def compare(driver: DenseMotion, result: DenseMotion) -> Fidelity:
    """Compare the motion of ``result`` with that of ``driver``.

    Raises:
        ValueError: the clips have different numbers of frames, or fewer than three.
    """
    if len(driver.field) != len(result.field):
        raise ValueError(f"the clips have {len(driver.field)} and {len(result.field)} frames")
    if len(driver.field) < 3:
        raise ValueError("fidelity needs at least three frames")
    theirs, ours = driver.vectors(), result.vectors()
    correlation, gain = _agreement(theirs[1:], ours[1:])
    rough = _roughness(theirs)
    courses = zip(
        REGIONS, driver.courses()[1:].transpose(1, 0, 2), result.courses()[1:].transpose(1, 0, 2), strict=True
    )
    return Fidelity(
        correlation=correlation,
        gain=gain,
        jitter=_roughness(ours) / rough if rough > 0 else float("nan"),
        regions={name: _agreement(a, b) for name, a, b in courses},
    )


def _agreement(theirs: Floats, ours: Floats) -> tuple[float, float]:
    """Pearson's correlation and least-squares gain of two arrays of the same shape; NaN without motion."""
    d = theirs.astype(np.float64).ravel()
    r = ours.astype(np.float64).ravel()
    d, r = d - d.mean(), r - r.mean()
    power, both = float(d @ d), float(d @ r)
    if power == 0.0:
        return float("nan"), float("nan")
    other = float(r @ r)
    return (both / float(np.sqrt(power * other)) if other > 0 else 0.0), both / power


def _roughness(vectors: Floats) -> float:
    """Mean length of the second difference in time of ``(T, P, 2)``."""
    second = vectors[2:] - 2 * vectors[1:-1] + vectors[:-2]
    return float(np.linalg.norm(second, axis=2).mean())
