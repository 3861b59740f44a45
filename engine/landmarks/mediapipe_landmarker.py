"""Adapter for the ``mediapipe`` package (extra ``mediapipe``); the reference for the OpenVINO landmarker."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.landmarks.base import MAX_FACES, Landmarker, check_image
from mien.engine.landmarks.bundle import BUNDLE_PATH, load_bundle
from mien.engine.landmarks.crops import crop_of_landmarks
from mien.engine.types import Face, Image, ModelError, UsageError

_FRAME_MS = 33
_log = logging.getLogger(__name__)


class MediaPipeLandmarker(Landmarker):
    """Google's package.  It reports usage metrics to Google; a warning is logged when it starts.

    It runs with up to four faces, so its video mode does not smooth, and its detector runs on every frame
    that shows fewer.  It publishes no confidence; ``confidence`` is 1 for every face.

    Args:
        bundle: path of ``face_landmarker.task``.

    Raises:
        MienError: the package is not installed, or the bundle is missing or damaged.
    """

    name = "mediapipe"

    def __init__(self, bundle: Path = BUNDLE_PATH) -> None:
        load_bundle(bundle)
        try:
            import mediapipe
            from mediapipe.tasks.python import vision
            from mediapipe.tasks.python.core.base_options import BaseOptions
        except ImportError as error:
            raise ModelError(
                'The mediapipe tracker needs the mediapipe package: pip install "mien[mediapipe]"'
            ) from error
        _log.warning(
            "The mediapipe package sends usage metrics to Google; the openvino tracker sends nothing."
        )
        self._mediapipe: Any = mediapipe
        self._vision: Any = vision
        self._base: Any = BaseOptions(model_asset_path=str(bundle))
        self._single: Any = None
        self._video: Any = None
        self._closed = False
        self._time_ms = 0
        self._followed: Face | None = None
        self.faces_seen = 0

    def track(self, image: Image) -> Face | None:
        check_image(image)
        self._check_open()
        if self._video is None:
            self._video = self._make(self._vision.RunningMode.VIDEO)
        self._time_ms += _FRAME_MS
        faces = _faces(self._video.detect_for_video(self._wrap(image), self._time_ms), image)
        self.faces_seen = len(faces)
        near = [face for face in faces if self._followed and _near(face, self._followed)]
        self._followed = max(near or faces, key=_size, default=None)
        return self._followed

    def detect(self, image: Image) -> list[Face]:
        check_image(image)
        self._check_open()
        if self._single is None:
            self._single = self._make(self._vision.RunningMode.IMAGE)
        faces = _faces(self._single.detect(self._wrap(image)), image)
        self.faces_seen = len(faces)
        return sorted(faces, key=_size, reverse=True)

    def follow(self, face: Face) -> None:
        self._followed = face

    def reset(self) -> None:
        self._followed = None
        if self._video is not None:
            self._video.close()
            self._video = None

    def close(self) -> None:
        self.reset()
        if self._single is not None:
            self._single.close()
            self._single = None
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("The landmarker is closed; create a new one.")

    def _make(self, mode: Any) -> Any:
        options = self._vision.FaceLandmarkerOptions(
            base_options=self._base,
            running_mode=mode,
            num_faces=MAX_FACES,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        return self._vision.FaceLandmarker.create_from_options(options)

    def _wrap(self, image: Image) -> Any:
        data = np.ascontiguousarray(image)
        return self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=data)


def _faces(result: Any, image: Image) -> list[Face]:
    height, width = image.shape[:2]
    size = np.array([width, height, width], np.float32)
    faces = []
    for points, shapes, pose in zip(
        result.face_landmarks, result.face_blendshapes, result.facial_transformation_matrixes, strict=True
    ):
        landmarks = np.array([(p.x, p.y, p.z) for p in points], np.float32) * size
        faces.append(
            Face(
                landmarks=landmarks,
                pose=np.asarray(pose, np.float32),
                blendshapes=np.array([shape.score for shape in shapes], np.float32),
                confidence=1.0,
                crop=crop_of_landmarks(landmarks),
            )
        )
    return faces


def _size(face: Face) -> float:
    """The face's area in square pixels."""
    width, height = np.ptp(face.landmarks[:, :2], axis=0)
    return float(width * height)


def _near(face: Face, followed: Face) -> bool:
    """Whether ``face`` can be the followed face, one frame later."""
    distance = math.hypot(face.crop.x - followed.crop.x, face.crop.y - followed.crop.y)
    return distance < followed.crop.size / 3
