"""Suitability of a driver's frame as the reference: likeness to the portrait, expression at rest, size."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mien.engine.face.head_pose import turn_between
from mien.engine.landmarks.topology import BLENDSHAPE_NAMES
from mien.engine.types import Face, Frame, Image

SEARCH_S = 4.0
"""Seconds for which a live search for the best reference lasts."""

SMALL_FACE = 60.0
"""Width in pixels below which a driver's face does not show micro-expressions; the user is told."""

FAR_FROM_PORTRAIT = 1.6
"""Pose and expression distance to the portrait above which the user is told."""

DARK_FACE = 30.0
"""Mean level (of 255) of a face below which the camera's noise hides small movements; the user is told.

Of 260 real clips none is darker than 40.  Three of them, darkened to 15 with noise of 2.5 levels: the jitter
is 2 to 3 times as high, at 6 with noise of 2 it is 4 to 5 times as high.
"""

_GAZE = tuple(i for i, name in enumerate(BLENDSHAPE_NAMES) if "eyeLook" in name)
_JAW_OPEN = BLENDSHAPE_NAMES.index("jawOpen")
_EYES_SHUT = tuple(BLENDSHAPE_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right"))


def pose_expression_distance(driver: Face, portrait: Face) -> float:
    """Distance of a driver's expression and head pose from the portrait's; smaller is better.

    Blendshape differences (without the gaze, which is nearly always different) plus the angle
    between the heads in units of 20 degrees.
    """
    weights = np.ones(len(BLENDSHAPE_NAMES), np.float32)
    weights[list(_GAZE)] = 0.2
    expression = float(np.sqrt((weights * np.square(driver.blendshapes - portrait.blendshapes)).sum()))
    pitch, yaw = turn_between(portrait.pose, driver.pose)
    return expression + float(np.hypot(pitch, yaw) / np.radians(20.0))


def reference_problem(face: Face) -> str | None:
    """Why a face makes a poor reference (open mouth, closed eyes), in words; None if it does not."""
    if face.blendshapes[_JAW_OPEN] > 0.25:
        return "the mouth is open"
    if max(face.blendshapes[i] for i in _EYES_SHUT) > 0.55:
        return "the eyes are closed"
    return None


def reference_hint(face: Face | None, portrait: Face) -> str | None:
    """What keeps the driver's face from being a good reference now, in words; None if nothing does."""
    if face is None:
        return "no face is seen"
    odd = reference_problem(face)
    if odd is None and pose_expression_distance(face, portrait) > FAR_FROM_PORTRAIT:
        odd = "look at the camera, face at rest"
    return odd


def poor_view(image: Image, face: Face) -> list[str]:
    """What hides small movements of the face in ``image``, each in words that follow "the face is"."""
    found = []
    if (width := float(np.ptp(face.landmarks[:, 0]))) < SMALL_FACE:
        found.append(f"{width:.0f} pixels wide; small movements cannot be measured")
    if (level := _level(image, face)) < DARK_FACE:
        found.append(f"dark ({level:.0f} of 255); noise hides small movements there")
    return found


def drawback(image: Image, face: Face) -> str | None:
    """What is wrong with this frame as a live run's reference, in words; None if nothing is."""
    faults = [why] if (why := reference_problem(face)) else []
    faults += [f"the face is {fault}" for fault in poor_view(image, face)]
    return ", and ".join(faults) or None


def _level(image: Image, face: Face) -> float:
    low, high = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    left, top = np.maximum(low, 0).astype(int)
    right, bottom = np.maximum(high, 0).astype(int)
    seen = image[top:bottom, left:right]
    return float(seen.mean()) if seen.size else 255.0


class ReferenceSearch:
    """Finds the frame most similar to the portrait, within a few seconds or in a whole clip.

    Args:
        portrait: the face to match.
        until: end of the search, on the clock passed to :meth:`over`.

    Attributes:
        best: the best frame, its image copied, and its face; None before the first face.
    """

    def __init__(self, portrait: Face, until: float = math.inf) -> None:
        self._portrait, self._until = portrait, until
        self._distance = math.inf
        self.best: tuple[Frame, Face] | None = None

    def look(self, frame: Frame, face: Face | None) -> None:
        """Consider a frame."""
        if face is None:
            return
        distance = pose_expression_distance(face, self._portrait)
        if distance < self._distance:
            self._distance, self.best = distance, (replace(frame, image=frame.image.copy()), face)

    def over(self, now: float) -> bool:
        """Whether the time is up."""
        return now >= self._until
