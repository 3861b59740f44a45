"""Losses on the finished image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.train.model.grid import warp

LIPS = (61, 291, 0, 17)
RIGHT_EYE = (33, 133)
LEFT_EYE = (362, 263)
EYE_CORNERS = (33, 263)
CROP = 64
"""Side of the mouth and eye crops, pixels."""


def pyramid_distance(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 at 256, 128 and 64 pixels.

    Args:
        image, target: ``(B, 3, 256, 256)``.
        weight: ``(B, 1, 256, 256)``.
    """
    total = image.new_zeros(())
    for level in range(3):
        if level:
            image, target, weight = (F.avg_pool2d(x, 2) for x in (image, target, weight))
        total = total + ((image - target).abs() * weight).sum() / (3.0 * weight.sum() + 1.0)
    return total / 3.0


def square_crop(images: Tensor, centre: Tensor, half: Tensor, side: int) -> Tensor:
    """Resample upright squares.

    Args:
        images: ``(B, C, H, W)``.
        centre: ``(B, 2)`` and ``half``: ``(B,)``, normalised.

    Returns:
        ``(B, C, side, side)``.
    """
    axis = torch.linspace(-1.0, 1.0, side, device=images.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack((x, y))[None] * half[:, None, None, None] + centre[:, :, None, None]
    return warp(images, grid)


def part_squares(points: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Centres and half sides of the mouth and of one eye (right and left alternating over the batch)."""
    unit = torch.linalg.vector_norm(points[:, EYE_CORNERS[0]] - points[:, EYE_CORNERS[1]], dim=1)
    mouth = points[:, list(LIPS)].mean(dim=1)
    right, left = points[:, list(RIGHT_EYE)].mean(dim=1), points[:, list(LEFT_EYE)].mean(dim=1)
    odd = torch.arange(len(points), device=points.device)[:, None] % 2 == 1
    return [(mouth, 0.48 * unit + 0.02), (torch.where(odd, right, left), 0.36 * unit + 0.02)]


def mouth_square(points: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and half side of the square that a mouth fills, lips and all."""
    unit = torch.linalg.vector_norm(points[:, EYE_CORNERS[0]] - points[:, EYE_CORNERS[1]], dim=1)
    return points[:, list(LIPS)].mean(dim=1), 0.42 * unit + 0.02
