"""Tears in a result's face, measured in the images alone, so that any renderers can be compared.

The portrait and a result frame are both looked at in the canonical layout, each through its own
landmarks: there an opened mouth, a lowered lid and a turned head lie where the portrait's lie, so a
clean cut leaves no trace.  Dense flow lays the portrait on the result; on the face, without the
openings of mouth and eyes and as far as both faces show it,

- *unexplained* is the result's local contrast that the portrait, so laid and locally brightened, does
  not have, over the portrait's contrast: texture that is neither in the portrait nor painted plausibly,
  outlines seen twice, ragged rims;
- *folded* is the share of places at which the flow presses the result's area to less than
  :data:`PRESSED`: the result shows the same piece of the portrait again, or skin drawn out.

A logistic function of their logarithms, fitted to frames sorted by eye (``docs/metrics.md``), is the
*score*; a frame above :data:`LIMIT` is torn.  A frame in which no face is found any more is torn as
well.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import GRID, N_MESH, grow, jacobians, layout, to_pixels
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.types import Bools, Face, Floats, Image
from mien.engine.utils.sampling import sample
from mien.train.metrics.motion_field import face_mask
from mien.train.metrics.window import FaceWindow

SIDE = 192
"""Side of the layout image, pixels."""

WINDOW = 2.0
"""Standard deviation of the window in which contrast is compared, layout pixels."""

NOISE = 4.0
"""Variance, grey levels squared, below which the portrait has no texture to be compared with."""

BRIGHTER = 1.3
"""Most local gain of contrast that light and paint may have."""

PRESSED = 0.3

HIDDEN, SEEN = 0.25, 0.55
"""Area of a place over the median: up to the first a turned head hides it, from the second on it counts."""

LEAST = 1e-3
WEIGHTS = (2.31, 1.31, 9.26)
"""Of log(unexplained + LEAST), log(folded + LEAST) and 1 in the logit; fitted to tests/data/tears.csv."""

LIMIT = 0.5
"""Score from which a frame is torn."""


@dataclass(frozen=True, slots=True)
class Tear:
    """One frame's face.

    Attributes:
        unexplained: contrast that is not the portrait's, over the portrait's.
        folded: share of the face, 0..1.
        score: 0..1, how sure it is that the face is torn.
    """

    unexplained: float
    folded: float
    score: float

    @property
    def torn(self) -> bool:
        return self.score > LIMIT


LOST = Tear(float("nan"), float("nan"), 1.0)
"""Result for a frame in which no face is found."""


class TearGauge:
    """Compares the frames of a result with the portrait that they were made from.

    Args:
        portrait: ``(H, W, 3) uint8`` RGB.
        face: the face in it.
    """

    def __init__(self, portrait: Image, face: Face) -> None:
        self._portrait, self._seen = _look(portrait, face)
        self._face = _skin()
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setFinestScale(0)

    def __call__(self, image: Image, face: Face | None) -> Tear:
        """One frame.

        Args:
            image: ``(H, W, 3) uint8`` RGB, of any size.
            face: the face in it, found without its predecessors; None where there is none.
        """
        if face is None:
            return LOST
        result, seen = _look(image, face)
        weight = np.clip((np.minimum(seen, self._seen) - HIDDEN) / (SEEN - HIDDEN), 0, 1) * self._face
        total = float(weight.sum())
        if total < 1:
            return LOST
        flow: Floats = self._flow.calc(result, self._portrait, None)
        left, contrast = _contrast(result, sample(self._portrait, _identity() + flow, cubic=True))
        unexplained = float((left * weight).sum() / max((contrast * weight).sum(), 1e-6))
        folded = float(((_area(flow) < PRESSED) * weight).sum()) / total
        return Tear(unexplained, folded, score_of(unexplained, folded))

    def found(self, image: Image, landmarker: Landmarker) -> Tear:
        """One frame whose face is looked for."""
        landmarker.reset()
        return self(image, landmarker.track(image))


def score_of(unexplained: float, folded: float) -> float:
    """How sure two measured values are that a face is torn, 0..1."""
    texture, fold, constant = WEIGHTS
    return 1 / (1 + exp(-(texture * log(unexplained + LEAST) + fold * log(folded + LEAST) + constant)))


def _look(image: Image, face: Face) -> tuple[NDArray[np.uint8], Floats]:
    """The face in the layout, grey, and the area of each place over the median: ``(SIDE, SIDE)`` each."""
    window = FaceWindow.around(face)
    mesh = np.ascontiguousarray(window.face(face).landmarks[:N_MESH, :2])
    nodes = (layout().to_nodes[N_MESH:] @ mesh - np.float32(0.5)).reshape(GRID, GRID, 2)
    look = sample(window.cut(image), grow(nodes.astype(np.float32), SIDE), cubic=True)
    local = jacobians(mesh)[N_MESH:]
    area = local[:, 0, 0] * local[:, 1, 1] - local[:, 0, 1] * local[:, 1, 0]
    middle = float(np.median(area[area > 0])) if (area > 0).any() else 1.0
    seen = grow((area / middle).astype(np.float32).reshape(GRID, GRID), SIDE)
    return np.asarray(cv2.cvtColor(look, cv2.COLOR_RGB2GRAY), np.uint8), seen


def _skin() -> Bools:
    """``(SIDE, SIDE)``: the face without the openings of mouth and eyes."""
    face = face_mask(0.97, SIDE)
    for ring, margin in ((topo.LIPS_INNER, 3), (topo.LEFT_EYE, 5), (topo.RIGHT_EYE, 5)):
        hole = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(hole, [np.round(to_pixels(layout().points[list(ring)], SIDE)).astype(np.int32)], (1,))
        face &= cv2.dilate(hole, np.ones((margin, margin), np.uint8)) == 0
    return face


def _contrast(result: NDArray[np.uint8], portrait: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Local contrast of the result that the portrait does not explain, and the portrait's; grey levels."""
    r, p = result.astype(np.float32), portrait.astype(np.float32)
    mean_r, mean_p = _blur(r), _blur(p)
    own = np.maximum(_blur(p * p) - mean_p**2, 0)
    theirs = np.maximum(_blur(r * r) - mean_r**2, 0)
    both = _blur(r * p) - mean_r * mean_p
    gain = np.clip(both / (own + NOISE), 0, BRIGHTER)
    left = np.maximum(theirs - 2 * gain * both + gain**2 * own, 0)
    return np.sqrt(left), np.sqrt(own)


def _blur(values: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), WINDOW), np.float32)


def _area(flow: Floats) -> Floats:
    """Determinant of ``x + flow(x)``'s Jacobian."""
    ux_y, ux_x = np.gradient(flow[..., 0])
    uy_y, uy_x = np.gradient(flow[..., 1])
    return np.asarray((1 + ux_x) * (1 + uy_y) - ux_y * uy_x, np.float32)


def _identity() -> Floats:
    return np.stack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 2), axis=2)
