"""Facial motion of a clip, fair to faces of any proportions: each frame seen through its own head similarity.

A smooth map ``P`` leads from the layout (:mod:`mien.engine.face.layout`) to the face in the clip's
first frame.  Frame t is looked at through ``s_t(P(x))``, where ``s_t`` is the head's similarity *in the
face's own image*: dense flow between the two looks says where the face's points are, a similarity
fitted to them (Cauchy weights) corrects ``s_t``, and the frame is looked at again, three times in all.
What the last look leaves, carried back by the inverse of P's Jacobian, is the facial motion.  A head
that only shifts, turns in the image plane and grows leaves nothing, whatever the face's proportions; in
the layout of :mod:`mien.train.metrics.layout_motion` the same head seems to move its face.

Flow is DIS (Kroeger et al., ECCV 2016) down to single pixels with 50 descent iterations and 15 rounds
of variational refinement: OpenCV's medium preset stops at half resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import EXTENT, GRID, N_MESH, grow, inverse2, jacobians, layout
from mien.engine.types import Face, Floats, Image
from mien.engine.utils.sampling import sample
from mien.train.metrics.motion_field import SIDE, DenseMotion, face_mask, robust_similarity

LOOKS = 3
"""How often a frame is looked at: twice to find the head's similarity, once to measure."""

REPEATED = 0.05
"""Mean difference, grey levels, up to which a frame is the one before it again."""

SHIFTS = (1, 2)
"""Reliability compares the motion from frame 0 with that from these frames on."""

_GRAY = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FaceView:
    """A face's image as the layout sees it.

    Attributes:
        places: ``(SIDE, SIDE, 2) float32`` pixel indices in the image.
        to_layout: ``(SIDE, SIDE, 2, 2) float32`` layout pixels per image pixel.
    """

    places: Floats
    to_layout: Floats

    @staticmethod
    def of(face: Face) -> FaceView:
        """The view of the face in a clip's first frame."""
        mesh = np.ascontiguousarray(face.landmarks[:N_MESH, :2])
        nodes = layout().to_nodes[N_MESH:] @ mesh - np.float32(0.5)
        local = _bounded(jacobians(mesh)[N_MESH:]) * np.float32(EXTENT / SIDE)
        back = inverse2(local).reshape(GRID, GRID, 4)
        return FaceView(
            grow(nodes.astype(np.float32).reshape(GRID, GRID, 2), SIDE),
            grow(back, SIDE).reshape(SIDE, SIDE, 2, 2),
        )


class FairFlow:
    """Measures one clip's frames, in order.

    Args:
        face: the face in the first frame.
    """

    def __init__(self, face: Face) -> None:
        self.mask = face_mask()
        self._view = FaceView.of(face)
        self._rows, self._columns = np.nonzero(self.mask)
        self._place = _complex(self._view.places[self.mask])
        self._identity = np.stack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 2), axis=2)
        self._equal: Any = cv2.createCLAHE(2.0, (4, 4))
        self._coarse: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._fine = fine_flow()
        self._first: _GRAY | None = None
        self._head = (1 + 0j, 0j)

    def __call__(self, image: Image) -> Floats:
        """``(SIDE, SIDE, 2) float32`` facial motion since the first frame, layout pixels; 0 off the face."""
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        if self._first is None:
            self._first = self._look(gray, (1 + 0j, 0j))
            return np.zeros((SIDE, SIDE, 2), np.float32)
        head = self._start(gray)
        for _ in range(LOOKS - 1):  # the preset, a tenth of the time, is enough to find the head
            moved = self._moved(self._look(gray, head), self._coarse) - self._place
            slope, shift = robust_similarity(self._place[::3], moved[::3])
            head = (head[0] * (1 + slope), head[0] * shift + head[1])
        self._head = head
        moved = self._moved(self._look(gray, head), self._fine) - self._place
        slope, shift = robust_similarity(self._place[::3], moved[::3])
        left = moved - slope * self._place - shift
        back = self._view.to_layout[self.mask]
        field = np.zeros((SIDE, SIDE, 2), np.float32)
        field[self.mask] = np.einsum("pij,pj->pi", back, np.stack([left.real, left.imag], 1))
        return field

    def _start(self, gray: _GRAY) -> tuple[complex, complex]:
        """The last frame's similarity, unless the frame fits the first better without any."""
        assert self._first is not None
        still = (1 + 0j, 0j)
        apart = [
            cv2.absdiff(self._look(gray, head), self._first)[self.mask].mean() for head in (still, self._head)
        ]
        return still if apart[0] <= apart[1] else self._head

    def _look(self, gray: _GRAY, head: tuple[complex, complex]) -> _GRAY:
        """The face in the layout through a head similarity, local contrast equalised."""
        slope, shift = head
        x, y = self._view.places[..., 0], self._view.places[..., 1]
        lookup = np.stack(
            [slope.real * x - slope.imag * y + shift.real, slope.imag * x + slope.real * y + shift.imag],
            axis=2,
        ).astype(np.float32)
        return np.asarray(self._equal.apply(sample(gray, lookup, cubic=True)), np.uint8)

    def _moved(self, look: _GRAY, flow: Any) -> NDArray[np.complex128]:
        """Where the face's points are, in the first frame's pixels seen through the similarity."""
        field = flow.calc(self._first, look, None)
        return _complex(sample(self._view.places, self._identity + field)[self.mask])


def fine_flow() -> Any:
    """OpenCV's DIS optical flow as fine as it goes."""
    flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    flow.setGradientDescentIterations(50)
    flow.setVariationalRefinementIterations(15)
    return flow


def motion_of(frames: Iterable[Image], face: Face) -> DenseMotion:
    """The facial motion of a clip.

    Args:
        frames: ``(H, W, 3) uint8`` RGB, all of one size; the first is what all motion is relative to.
        face: the face in the first frame.
    """
    measure = FairFlow(face)
    fields = [measure(image) for image in frames]
    if not fields:
        raise ValueError("a clip without frames has no motion")
    return DenseMotion(np.stack(fields), measure.mask)


def reliability(frames: Sequence[Image], face: Face, motion: DenseMotion | None = None) -> float:
    """How far a clip's measured motion agrees with itself, -1..1; NaN for fewer than six different frames.

    The motion from frame 0 to t and that from frame k to t + k have independent references and frames;
    their correlation is the share of the measured motion that is no noise, its root the correlation that a
    noiseless copy would get: see :func:`ceiling`.  Motion that changes within k frames makes it a lower
    bound.

    Args:
        motion: what :func:`motion_of` gave for the same arguments, if it is known.
    """
    kept = distinct(frames)
    if len(kept) < 6:
        return float("nan")
    images = [frames[i] for i in kept]
    own = (motion.field[kept] if motion is not None else motion_of(images, face).field)[:, face_mask()]
    found = []
    for step in SHIFTS:
        other = motion_of(images[step:], face).vectors()[step : len(images) - step]
        found.append(np.corrcoef(own[step : len(images) - step].ravel(), other.ravel())[0, 1])
    return float(np.mean(found))


def ceiling(reliable: float) -> float:
    """The correlation that a noiseless copy of a driver of this reliability would get."""
    return float(np.sqrt(max(reliable, 0.0)))


def distinct(frames: Sequence[Image]) -> list[int]:
    """Indices of the frames that are not the one before again, as in clips that came from animated GIFs."""
    changed = [float(cv2.absdiff(now, before).mean()) > REPEATED for before, now in pairwise(frames)]
    return [0, *(i + 1 for i, new in enumerate(changed) if new)]


def _bounded(local: Floats) -> Floats:
    """``(N, 2, 2)`` maps with singular values within half and twice their median: safe to invert."""
    left, size, right = np.linalg.svd(local.astype(np.float64))
    middle = np.median(size)
    bounded = (left * np.clip(size, middle / 2, middle * 2)[..., None, :]) @ right
    return np.asarray(bounded, dtype=np.float32)


def _complex(points: Floats) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1].astype(np.float64), np.complex128)
