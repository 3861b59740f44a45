"""Grids, warps and resizing; ``align_corners=True`` everywhere, 4-D ``grid_sample`` only.

Positions are normalised: -1 and 1 are the centres of the first and last pixel, x right, y down.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional as F


def base_grid(size: int) -> Tensor:
    """``(1, 2, size, size)``: every pixel's own position, channels x then y."""
    axis = torch.linspace(-1.0, 1.0, size)
    return torch.stack((axis[None, :].expand(size, size), axis[:, None].expand(size, size)))[None].clone()


def warp(image: Tensor, positions: Tensor, *, padding: str = "border") -> Tensor:
    """Sample ``image`` ``(B, C, H, W)`` bilinearly at ``positions`` ``(B, 2, h, w)``: ``(B, C, h, w)``.

    Positions and sampling are FP32 regardless of autocast: half a pixel of error in bf16 is as large as a
    whole micro-expression.
    """
    grid = positions.float().permute(0, 2, 3, 1)
    sampled = F.grid_sample(image.float(), grid, mode="bilinear", padding_mode=padding, align_corners=True)
    return sampled.to(image.dtype)


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast off if it is on; otherwise a null context, because exporters cannot handle the real one."""
    # Nothing is computed on "meta" (used for counting sizes and costs), and autocast does not support it.
    if device.type != "meta" and torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


class Enlarge(torch.nn.Module):
    """Bilinear enlargement of a square field, ``align_corners``, in FP32.

    Two matrix products: OpenVINO's ``Interpolate`` takes 0.6 ms for a flow, these take 0.1.
    """

    weights: Tensor

    def __init__(self, small: int, large: int) -> None:
        super().__init__()
        position = torch.arange(large, dtype=torch.float64) * (small - 1) / (large - 1)
        distance = (position[:, None] - torch.arange(small)[None, :]).abs()
        self.register_buffer("weights", (1.0 - distance).clamp(min=0.0).float(), persistent=False)

    def forward(self, field: Tensor) -> Tensor:
        """``(B, C, small, small)`` -> ``(B, C, large, large)``."""
        with full_precision(field.device):
            return self.weights @ field.float() @ self.weights.T


class Reduce(torch.nn.Module):
    """Reduction of an image to a smaller grid: a fixed binomial blur, then samples at the grid's positions.

    A blur and a warp instead of ``interpolate(antialias=True)``, which no exporter supports; and the small
    pixels lie exactly where ``align_corners`` puts them, unlike those of average pooling.
    """

    blur: Tensor
    positions: Tensor

    def __init__(self, size: int, channels: int = 3) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 6.0, 15.0, 20.0, 15.0, 6.0, 1.0])  # sigma 1.2 px: right for 4 : 1
        kernel = torch.outer(taps, taps) / taps.sum() ** 2
        self.channels = channels
        self.register_buffer("blur", kernel.expand(channels, 1, 7, 7).clone(), persistent=False)
        self.register_buffer("positions", base_grid(size), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """``(B, channels, H, W)`` -> ``(B, channels, size, size)``."""
        blurred = F.conv2d(F.pad(image, (3, 3, 3, 3), mode="replicate"), self.blur, groups=self.channels)
        return warp(blurred, self.positions.expand(image.shape[0], -1, -1, -1))
