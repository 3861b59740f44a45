"""Motion fidelity: does the result move as the driver does, where, how strongly, and when?

Both clips are seen in the canonical face layout (:mod:`mien.engine.face.layout`), mapped there once by the
landmarks of their *first* frame.  In the layout, dense optical flow ``F_t(x)`` leads from frame 0 to
frame t (DIS, medium preset).  A similarity fitted robustly to the face's flow (Cauchy weights) is the
head's motion; what is left, ``m_t(x)``, is the facial motion.  Over all face pixels x, frames t >= 1 and
both components, with d the driver's m and r the result's, means removed:

- *correlation* (fidelity)  ``sum(d r) / sqrt(sum(d d) sum(r r))``, Pearson's, -1..1;
- *gain*  ``sum(d r) / sum(d d)``, the least-squares strength of the driver's motion in the result;
- *jitter*  mean over x, t of ``|r_{t+1} - 2 r_t + r_{t-1}|``, divided by the same of d.

Time courses are the means of m over the facial regions' soft maps, in face units.  The measure follows
the evaluation of micro-expression generation by optical flow (MEGC 2021's task: the generated clip must
show the source's motion on the target's face).  It looks only at motion; identity and picture quality
have measures of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import EXTENT, GRID, N_MESH, grow, layout, to_pixels
from mien.engine.face.regions import REGIONS, region_maps
from mien.engine.landmarks.topology import FACE_OVAL
from mien.engine.types import Bools, Face, Floats, Image
from mien.engine.utils.sampling import sample

SIDE = 128
"""Side of the layout picture, pixels: about the 128 px faces of the published results."""

ROUNDS = 8


@dataclass(frozen=True)
class DenseMotion:
    """A clip's facial motion in the layout, relative to its first frame.

    Attributes:
        field: ``(T, SIDE, SIDE, 2) float32`` displacement in layout pixels, the head's similarity removed.
        mask: ``(SIDE, SIDE) bool``, the face.
    """

    field: Floats
    mask: Bools

    def vectors(self) -> Floats:
        """``(T, P, 2)``: the field on the face's P pixels."""
        return np.asarray(self.field[:, self.mask], dtype=np.float32)

    def courses(self) -> Floats:
        """``(T, K, 2) float32`` time course of every region (``REGIONS``), face units."""
        weights = _region_weights(self.mask)
        means = np.einsum("kp,tpc->tkc", weights, self.vectors())
        return np.asarray(means * np.float32(EXTENT / SIDE), dtype=np.float32)

    def strength(self) -> Floats:
        """``(T,) float32`` mean length of the motion over the face, layout pixels."""
        return np.asarray(np.linalg.norm(self.vectors(), axis=2).mean(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class Fidelity:
    """How faithfully a result moves; see the module's text.

    Attributes:
        correlation: Pearson's correlation with the driver's motion, -1..1.
        gain: strength relative to the driver's; 1 is equal.
        jitter: roughness over time relative to the driver's; 1 is equal, more is shimmer.
        regions: correlation and gain of each region's time course.
    """

    correlation: float
    gain: float
    jitter: float
    regions: dict[str, tuple[float, float]]


def motion_of(frames: Iterable[Image], face: Face) -> DenseMotion:
    """The facial motion of a clip.

    Args:
        frames: ``(H, W, 3) uint8`` RGB, all of one size; the first is what all motion is relative to.
        face: the face in the first frame.
    """
    flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    mask = face_mask()
    lookup = _lookup(face)
    first: NDArray[np.uint8] | None = None
    fields: list[Floats] = []
    for image in frames:
        gray = np.asarray(cv2.cvtColor(sample(image, lookup, cubic=True), cv2.COLOR_RGB2GRAY), np.uint8)
        if first is None:
            first = gray
            fields.append(np.zeros((SIDE, SIDE, 2), np.float32))
        else:
            fields.append(without_similarity(flow.calc(first, gray, None), mask))
    if first is None:
        raise ValueError("a clip without frames has no motion")
    return DenseMotion(np.stack(fields), mask)


def compare(driver: DenseMotion, result: DenseMotion) -> Fidelity:
    """How faithfully ``result`` moves as ``driver`` does.

    Raises:
        ValueError: when the clips have different numbers of frames, or fewer than three.
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


def face_mask(shrink: float = 0.95) -> Bools:
    """``(SIDE, SIDE) bool``: inside the face's oval, drawn in a little to keep hair out."""
    oval = layout().points[list(FACE_OVAL)]
    centre = oval.mean(axis=0)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    corners = np.round(to_pixels((oval - centre) * np.float32(shrink) + centre, SIDE)).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,))
    return mask.astype(bool)


def without_similarity(field: Floats, mask: Bools) -> Floats:
    """The field minus the similarity that fits the face's motion best (robustly), ``(SIDE, SIDE, 2)``."""
    rows, columns = np.nonzero(mask)
    place = (columns + 1j * rows)[::3]
    moved = field[rows[::3], columns[::3]].astype(np.float64)
    value = moved[:, 0] + 1j * moved[:, 1]
    weights = np.ones(len(place))
    slope, shift = 0j, 0j
    for _ in range(ROUNDS):
        share = weights / weights.sum()
        middle, mean = share @ place, share @ value
        spread = place - middle
        slope = (share * np.conj(spread)) @ (value - mean) / ((share * np.abs(spread) ** 2).sum() + 1e-12)
        shift = mean - slope * middle
        error = np.abs(value - slope * place - shift)
        weights = 1.0 / (1.0 + (error / (1.5 * np.median(error) + 1e-6)) ** 2)
    y, x = np.mgrid[: field.shape[0], : field.shape[1]]
    head = slope * (x + 1j * y) + shift
    return np.asarray(field - np.stack([head.real, head.imag], axis=2), dtype=np.float32)


def _lookup(face: Face) -> Floats:
    """``(SIDE, SIDE, 2)`` pixel indices of the layout's pixels in the face's picture."""
    mesh = np.ascontiguousarray(face.landmarks[:N_MESH, :2])
    nodes = layout().to_nodes[N_MESH:] @ mesh
    return grow((nodes - 0.5).astype(np.float32).reshape(GRID, GRID, 2), SIDE)


def _region_weights(mask: Bools) -> Floats:
    """``(K, P)``: weights of the face's pixels in every region's mean; rows add up to 1."""
    maps = region_maps().at_grid.T.reshape(GRID, GRID, -1)
    large = np.asarray(cv2.resize(maps, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)
    weights = large[mask].T
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _agreement(theirs: Floats, ours: Floats) -> tuple[float, float]:
    """Pearson's correlation and least-squares gain of two arrays of the same shape; NaN without motion."""
    d = theirs.astype(np.float64).ravel()
    r = ours.astype(np.float64).ravel()
    d, r = d - d.mean(), r - r.mean()
    power, both = float(d @ d), float(d @ r)
    if power == 0.0:
        return float("nan"), float("nan")
    other = float(r @ r)
    return (both / np.sqrt(power * other) if other > 0 else 0.0), both / power


def _roughness(vectors: Floats) -> float:
    """Mean length of the second difference in time of ``(T, P, 2)``."""
    second = vectors[2:] - 2 * vectors[1:-1] + vectors[:-2]
    return float(np.linalg.norm(second, axis=2).mean())
