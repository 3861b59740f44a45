"""Key points, their grids and maps.  Positions are normalised: -1 and 1 are the outermost pixels' centres."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class KeyPoints(NamedTuple):
    """The key points of one image.

    Attributes:
        points: ``(B, K, 2)`` normalised positions.
        jacobians: ``(B, K, 2, 2)`` local affine frames.
        located: ``(B, K, 2)`` positions of the heat maps (equal to ``points`` unless those are given).
    """

    points: Tensor
    jacobians: Tensor
    located: Tensor


def coordinates(height: int, width: int, like: Tensor) -> Tensor:
    """``(height, width, 2)``: every node's own position (x, y)."""
    x = 2.0 * (torch.arange(width, dtype=like.dtype, device=like.device) / (width - 1)) - 1.0
    y = 2.0 * (torch.arange(height, dtype=like.dtype, device=like.device) / (height - 1)) - 1.0
    return torch.stack((x[None, :].expand(height, width), y[:, None].expand(height, width)), dim=2)


def gaussians(points: Tensor, grid: Tensor, variance: float) -> Tensor:
    """``(B, K, h, w)``: a Gaussian around each of ``points`` on ``grid`` ``(h, w, 2)``."""
    away = grid - points[:, :, None, None]
    return torch.exp(-0.5 * away.square().sum(dim=-1) / variance)


def inverse(matrices: Tensor) -> Tensor:
    """Inverses of ``(..., 2, 2)`` in closed form (no exporter supports ``torch.inverse``).

    A singular matrix gives large numbers, not infinite ones.
    """
    a, b, c, d = (matrices[..., i, j] for i in (0, 1) for j in (0, 1))
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < 1e-6, torch.full_like(determinant, 1e-6), determinant)
    scale = 1.0 / determinant
    rows = (torch.stack((d, -b), dim=-1), torch.stack((-c, a), dim=-1))
    return torch.stack(rows, dim=-2) * scale[..., None, None]


def sample(image: Tensor, positions: Tensor, *, align_corners: bool) -> Tensor:
    """Sample ``image`` ``(B, C, H, W)`` at ``positions`` ``(B, h, w, 2)``, bilinear, zero outside, FP32."""
    found = F.grid_sample(
        image.float(),
        positions.float(),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=align_corners,
    )
    return found.to(image.dtype)


def region_mask(points: Tensor, image_size: int, size: int, sigma: float) -> Tensor:
    """The paper's facial prior as an additional channel for the detector: the regions of interest.

    Per point ``exp(-sqrt(L1 distance) / (2 sigma^2))`` on a grid whose first node is 1, divided by its
    maximum, set to 0 below its own mean; summed over the points and divided by the maximum.

    Args:
        points: ``(B, K, 2)`` pixel indices (x, y) in the image.
        image_size: side of the image, pixels.
        size: side of the mask.

    Returns:
        ``(B, 1, size, size) float32`` in 0..1; without gradient.
    """
    # In double precision if available: in single, the threshold at the mean flips nodes.
    single = torch.compiler.is_exporting() or points.device.type == "mps"
    at = points.detach().float() * (size / image_size)
    at = at if single else at.double()
    axis = torch.arange(1, size + 1, dtype=at.dtype, device=at.device)
    x, y = (axis - at[:, :, i, None] for i in (0, 1))
    distance = y.abs()[:, :, :, None] + x.abs()[:, :, None, :]
    near = torch.exp(distance.sqrt() * (-0.5 / sigma**2))
    near = near / near.amax(dim=(2, 3), keepdim=True)
    near = near * (near >= near.mean(dim=(2, 3), keepdim=True)).to(near.dtype)
    mask = near.sum(dim=1, keepdim=True)
    return (mask / mask.amax(dim=(2, 3), keepdim=True)).float()
