"""Tears in a result's face, measured in the images alone, so that any renderers can be compared.

The portrait and a result frame are both looked at in the canonical layout, each through its own
landmarks: there an opened mouth, a lowered lid and a turned head lie where the portrait's lie, so a
clean cut leaves no trace.  Dense flow lays the portrait on the result; on the face, without the
openings of mouth and eyes and as far as both faces show it,

- *unexplained* is the result's local contrast that the portrait, so laid and locally brightened, does
  not have, over the portrait's contrast: texture that is neither in the portrait nor painted plausibly,
  outlines seen twice, ragged rims.  It is measured in units of what the portrait itself leaves when it is
  turned in the image by a few degrees: canvas and brush strokes that move with a face are no tears;
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

TURNS = ((4.0, 1.03, 2.3), (-5.0, 0.97, -3.4))
"""Degrees, scale and pixels by which the portrait is moved to see what it leaves unexplained of itself."""

USUAL = 0.15
"""What that is for photos, where no face is found then: brush strokes leave up to twice as much."""

SOFTER = 1.6
"""Blur (standard deviation, pixels) of a second look where no face is found: brush strokes hide one."""

PRESSED = 0.3

HIDDEN, SEEN = 0.25, 0.55
"""Area of a place over the median: up to the first a turned head hides it, from the second on it counts."""

LEAST = 1e-3
WEIGHTS = (2.53, 1.39, 5.58)
"""Of log(unexplained + LEAST), log(folded + LEAST) and 1 in the logit; fitted to tests/data/tears.csv."""

LIMIT = 0.5
"""Score from which a frame is torn."""


@dataclass(frozen=True, slots=True)
class Tear:
    """One frame's face.

    Attributes:
        unexplained: contrast that is not the portrait's, over the portrait's, as a multiple of what the
            portrait leaves of itself when it is moved a little.
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
        landmarker: finds the face in the portrait once it is moved a little: what is unexplained then is the
            portrait's own.
    """

    def __init__(self, portrait: Image, face: Face, landmarker: Landmarker) -> None:
        self._portrait, self._seen = _look(portrait, face)
        self._face = _skin()
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setFinestScale(0)
        self._own = 1.0
        moved = [_turned(portrait, *turn) for turn in TURNS]
        own = [self.found(image, landmarker).unexplained for image in moved]
        seen = [value for value in own if np.isfinite(value)]
        self._own = float(np.mean(seen)) if seen else USUAL

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
        unexplained = float((left * weight).sum() / max((contrast * weight).sum(), 1e-6)) / self._own
        folded = float(((_area(flow) < PRESSED) * weight).sum()) / total
        return Tear(unexplained, folded, score_of(unexplained, folded))

    def found(self, image: Image, landmarker: Landmarker) -> Tear:
        """One frame whose face is looked for."""
        return self(image, face_in(image, landmarker))


def _turned(portrait: Image, angle: float, scale: float, shift: float) -> Image:
    """The portrait, turned in the image, enlarged and shifted a little."""
    height, width = portrait.shape[:2]
    matrix: Any = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += shift
    border = cv2.BORDER_REFLECT_101
    found = cv2.warpAffine(portrait, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(found, np.uint8)


def face_in(image: Image, landmarker: Landmarker) -> Face | None:
    """The face in an image, found without its predecessors; a second look softens brush strokes."""
    landmarker.reset()
    face = landmarker.track(image)
    if face is None:
        landmarker.reset()
        face = landmarker.track(np.asarray(cv2.GaussianBlur(image, (0, 0), SOFTER), np.uint8))
    return face


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
