"""Distances between an image and its target."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.engine.landmarks import Landmarker
from mien.engine.types import Floats, Image


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal to noise ratio in dB of ``(B, 3, H, W)`` in 0..1: ``(B,)``."""
    error = (image - target).square().mean(dim=(1, 2, 3))
    return -10.0 * torch.log10(error.clamp(min=1e-10))


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al., 2004: Gaussian window of 11 pixels, sigma 1.5): ``(B,)``."""
    axis = torch.arange(11, dtype=torch.float32) - 5
    kernel = torch.exp(-(axis**2) / (2 * 1.5**2))
    window = torch.outer(kernel, kernel) / kernel.sum() ** 2
    channels = image.shape[1]
    weights = window.expand(channels, 1, 11, 11)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(x, weights, groups=channels)

    a, b = mean(image), mean(target)
    var_a, var_b = mean(image * image) - a * a, mean(target * target) - b * b
    both = mean(image * target) - a * b
    c1, c2 = 0.01**2, 0.03**2
    similar = ((2 * a * b + c1) * (2 * both + c2)) / ((a * a + b * b + c1) * (var_a + var_b + c2))
    return similar.mean(dim=(1, 2, 3))


def landmarks_of(image: Image, landmarker: Landmarker) -> Floats | None:
    """``(478, 2)`` settled landmarks of a single image in pixels, or None without a face."""
    landmarker.reset()
    face = landmarker.track(image)
    return None if face is None else face.landmarks[:, :2]


def keypoint_distance(found: Floats | None, wanted: Floats | None) -> float:
    """Mean distance of the landmarks in pixels; NaN if a face was not found."""
    if found is None or wanted is None:
        return float("nan")
    return float(np.linalg.norm(found - wanted, axis=1).mean())


def sharpness(image: Tensor) -> Tensor:
    """Mean absolute Laplacian of the grey image, ``(B,)``; lower for blurred images."""
    grey = image.mean(dim=1, keepdim=True)
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]).reshape(1, 1, 3, 3)
    return F.conv2d(grey, kernel).abs().mean(dim=(1, 2, 3))
