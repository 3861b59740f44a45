"""Automatic choice of the reference frame: a neutral, frontal face at rest; offered anew to another person.

Thresholds were set on 71 frames of real clips, of which a third count as neutral and two thirds as frontal.
The face shapes of two frames differ by 0.028 (median; 95 %: 0.056) within a clip, and by 0.064 (5 %: 0.041)
between two people: enough for an offer, not for a decision.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import radians
from typing import Protocol

import numpy as np

from mien.engine.face.head_pose import turn_between
from mien.engine.face.layout import N_MESH
from mien.engine.face.likeness import reference_problem
from mien.engine.face.regions import region_maps
from mien.engine.landmarks.topology import BLENDSHAPE_NAMES
from mien.engine.types import Face, Floats, Image

FRONTAL = radians(10.0)
"""Largest pitch and yaw of a frontal face."""

COMPARABLE = radians(20.0)
"""Largest pitch and yaw at which a face's shape is compared."""

NEUTRAL = 0.95
"""Largest norm of a neutral face's blendshapes (gaze left out)."""

LIKE_PROFILE = 0.6
"""The same for the difference from a saved neutral face."""

QUIET = 0.02
"""Largest landmark movement within :data:`QUIET_S`, as a share of the face's size, of a face at rest."""

QUIET_S = 0.5
"""Seconds for which a face must be neutral, frontal and at rest."""

SPACING_S = QUIET_S / 20
"""Minimum seconds between stored frames of a resting face; bounds memory at any frame rate."""

BETTER = 0.8
"""An acceptable reference is replaced only by one whose expression is weaker by this factor."""

AWAY_S = 0.5
"""Seconds without a face after which a returning face may be somebody else."""

OTHER_SHAPE = 0.055
"""Difference of face shapes above which another person is assumed."""

LOOKS = 8
"""Frames of a returning face over which the median difference is taken."""

_EXPRESSION = np.array([i for i, name in enumerate(BLENDSHAPE_NAMES) if "eyeLook" not in name])


class Neutral(Protocol):
    """A saved neutral face; see :mod:`mien.engine.tracking.neutral_profile`."""

    @property
    def blendshapes(self) -> Floats: ...


def expression_of(face: Face, neutral: Neutral | None = None) -> float:
    """Strength of a face's expression, 0 for none; relative to ``neutral`` if given."""
    rest = neutral.blendshapes[_EXPRESSION] if neutral is not None else 0.0
    return float(np.sqrt(np.square(face.blendshapes[_EXPRESSION] - rest).sum()))


def is_frontal(face: Face, limit: float = FRONTAL) -> bool:
    """Whether a face looks at the camera, within ``limit`` radians of pitch and yaw."""
    return max(map(abs, turn_between(np.eye(4, dtype=np.float32), face.pose))) <= limit


def is_neutral(face: Face, neutral: Neutral | None = None) -> bool:
    """Whether a face shows hardly any expression (or that of a saved neutral face)."""
    limit = NEUTRAL if neutral is None else LIKE_PROFILE
    return reference_problem(face) is None and expression_of(face, neutral) <= limit


def shape_difference(face: Face, other: Face) -> float:
    """Difference in shape of two faces, whatever their position, size and pose (a share of the face's size).

    The RMS residual of a rigid fit in three dimensions over the points that expressions hardly move.
    """
    weights = region_maps().rigid_points[:, None]
    a, b = (_centred(f.landmarks[:N_MESH].astype(np.float64), weights) for f in (face, other))
    left, _, right = np.linalg.svd((weights * a).T @ b)
    sign = np.sign(np.linalg.det(left @ right))
    turned = a @ (left @ np.diag([1.0, 1.0, sign]) @ right)
    scale = (weights * turned * b).sum() / (weights * turned * turned).sum()
    rest = (weights * np.square(scale * turned - b)).sum()
    return float(np.sqrt(rest / (weights * b * b).sum()))


def _centred(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(points - (weights * points).sum(axis=0) / weights.sum())


@dataclass(frozen=True, slots=True)
class _Look:
    time: float
    landmarks: Floats


class AutoReference:
    """Watches for a good moment to take the reference.

    Args:
        neutral: a saved neutral face to wait for; None accepts any neutral face.

    Attributes:
        done: whether the search has ended.
    """

    def __init__(self, neutral: Neutral | None = None) -> None:
        self._neutral = neutral
        self._looks: deque[_Look] = deque()
        self.done = False

    def look(self, face: Face | None, time: float, reference: Face | None) -> bool:
        """Consider a frame; returns whether it should become the reference.

        Args:
            face: the face in the frame.
            time: of the frame, seconds.
            reference: the face in the current reference frame.
        """
        if self.done:
            return False
        if face is None or not (is_frontal(face) and is_neutral(face, self._neutral)):
            self._looks.clear()
            return False
        if not self._looks or time - self._looks[-1].time >= SPACING_S:
            self._looks.append(_Look(time, face.landmarks))
        while len(self._looks) > 1 and time - self._looks[1].time >= QUIET_S:
            self._looks.popleft()
        if time - self._looks[0].time < QUIET_S or not self._quiet(face.landmarks):
            return False
        self.done = True
        return reference is None or self._improves(face, reference)

    def _quiet(self, now: Floats) -> bool:
        size = float(np.ptp(now[:, :2], axis=0).max())
        moved = max(float(np.abs(now[:, :2] - look.landmarks[:, :2]).mean()) for look in self._looks)
        return moved <= QUIET * size

    def _improves(self, face: Face, reference: Face) -> bool:
        if not (is_frontal(reference) and is_neutral(reference, self._neutral)):
            return True
        return expression_of(face, self._neutral) < BETTER * expression_of(reference, self._neutral)


class Newcomer:
    """Notices when the face was away and one of a different shape returns."""

    def __init__(self) -> None:
        self._seen = float("-inf")
        self._looks: list[float] | None = None

    def look(self, face: Face | None, time: float, reference: Face | None) -> bool:
        """Consider a frame; returns True once, when another person seems to have come."""
        if face is None or reference is None:
            self._looks = None
            return False
        if time - self._seen > AWAY_S and self._seen > float("-inf"):
            self._looks = []
        self._seen = time
        if self._looks is None or not is_frontal(face, COMPARABLE):
            return False
        self._looks.append(shape_difference(face, reference))
        if len(self._looks) < LOOKS:
            return False
        other = float(np.median(self._looks)) > OTHER_SHAPE
        self._looks = None
        return other


@dataclass(frozen=True, slots=True)
class Ghost:
    """The reference as shown to the person in it; kept in memory only.

    Attributes:
        image: ``(H, W, 3) uint8`` RGB, the reference frame's image.
        face: the face in it.
    """

    image: Image
    face: Face
