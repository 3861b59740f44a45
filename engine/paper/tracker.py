"""Tracker of the ``paper`` preset: the tracker's motion, with that of the network's key points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.engine.avatar.crop import Square, crop_around, cut
from mien.engine.avatar.model_io import IMAGE_SIZE, source_tensor
from mien.engine.avatar.transfer import moved_landmarks, similarity_of
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Motion
from mien.engine.motion.key_motion import KeyMotion, Keys
from mien.engine.paper.points import given_points
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Face, Floats, Frame, Image


class PaperTracker(Tracker):
    """A tracker whose motions include that of the network's key points.

    The driver's crop is set at the reference frame and stays, as in the published code, so that head motion
    is in the key points.  Given points follow the landmarks as the tracker refined them: the raw ones
    tremble.

    Args:
        runtime: detects the key points.
    """

    def __init__(
        self,
        runtime: PaperRuntime,
        settings: TrackerSettings | None = None,
        landmarker: Landmarker | None = None,
    ) -> None:
        # Its key points are detected in every frame, around the landmarks of that frame.
        super().__init__(None if settings is None else replace(settings, paced=False), landmarker)
        self._runtime = runtime
        self._square = Square(0.0, 0.0, float(IMAGE_SIZE))
        self._first: Keys | None = None

    def fresh(self) -> Tracker:
        return PaperTracker(self._runtime, self.settings, self.landmarker)

    def set_reference(self, image: Image, face: Face | None = None, parted: float = 0.0) -> bool:
        if not super().set_reference(image, face, parted):
            return False
        assert self.reference is not None
        self._square = crop_around(self.reference.face)
        self._first = self._detected(image, self.reference.geometry.points)
        return True

    def measure(self, frame: Frame, face: Face) -> Motion:
        motion = super().measure(frame, face)
        assert self.reference is not None
        if self._first is None:  # the reference was set from outside
            return motion
        geometry = self.reference.geometry
        head = similarity_of(motion.head, geometry)
        now = self._detected(frame.image, head.apply(moved_landmarks(motion, geometry, motion.head.turn)))
        return replace(motion, keys=KeyMotion.between(self._first, now))

    def _detected(self, image: Image, landmarks: Floats) -> Keys:
        crop = source_tensor(cut(image, self._square, IMAGE_SIZE))
        return self._runtime.detect(crop, crop_points(self._square, landmarks))


def crop_points(square: Square, landmarks: Floats) -> Floats:
    """The 18 points of a face in a crop, ``(18, 2) float32`` pixel indices at 256 x 256.

    Args:
        landmarks: ``(478, 2)`` image positions.
    """
    return np.asarray((square.normalised(given_points(landmarks)) + 1) * ((IMAGE_SIZE - 1) / 2), np.float32)
