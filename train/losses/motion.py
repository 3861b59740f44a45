"""Losses of flow and occlusion against the teacher (all at 64 x 64)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PIXELS = 127.5
"""Pixels of the 256-pixel image per normalised unit."""


def flow_distance(flow: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """Robust distance in pixels, averaged where the teacher is valid.

    It grows like the square root beyond a few pixels: the teacher's own outliers must not dominate, but a
    background that the prior drags along by twenty pixels must still count (a distance that saturates at
    3 px learned nothing there).

    Args:
        flow: ``(B, 2, 64, 64)``, normalised units.
        teacher: ``(B, 3, 64, 64)`` flow and visibility.
        weight: ``(B, 1, 64, 64)``.
    """
    apart = ((flow - teacher[:, :2]) * PIXELS).square().sum(dim=1, keepdim=True)
    distance = (apart + 0.01).sqrt()
    robust = 6.0 * ((1.0 + distance / 3.0).sqrt() - 1.0)
    mask = weight * teacher[:, 2:]
    return torch.div((robust * mask).sum(), mask.sum() + 1.0)


def flow_error(flow: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """Plain end point error in pixels where the teacher is visible (a metric)."""
    apart = torch.linalg.vector_norm((flow - teacher[:, :2]) * PIXELS, dim=1, keepdim=True)
    mask = weight * teacher[:, 2:]
    return torch.div((apart * mask).sum(), mask.sum() + 1.0)


@torch.no_grad()
def explained(warped: Tensor, driving: Tensor) -> Tensor:
    """Where a warped image agrees with its target: ``(B, 1, 64, 64)`` in 0..1.

    The teacher's mask alone keeps the painter out of mouths and eyes: flow between two images finds some
    match nearly everywhere, but the warp that the landmarks allow does not show it.

    Args:
        warped, driving: ``(B, 3, 256, 256)`` in 0..1.
    """
    apart = F.avg_pool2d((warped - driving).abs().mean(dim=1, keepdim=True), 4)
    apart = F.avg_pool2d(apart, 3, stride=1, padding=1, count_include_pad=False)
    return (1.5 - apart / 0.05).clamp(0.0, 1.0)


def occlusion_distance(logits: Tensor, visible: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy of the occlusion with a visibility in 0..1, both ``(B, 1, 64, 64)``."""
    visible = visible.clamp(0.0, 1.0)
    each = F.binary_cross_entropy_with_logits(logits, visible, reduction="none")
    return torch.div((each * weight).sum(), weight.sum() + 1.0)


def roughness(step: Tensor, weight: Tensor) -> Tensor:
    """Total variation, in pixels per node, of the addition to the prior where nothing guides it."""
    step = step * PIXELS
    x = (step[..., :, 1:] - step[..., :, :-1]).abs() * weight[..., :, 1:]
    y = (step[..., 1:, :] - step[..., :-1, :]).abs() * weight[..., 1:, :]
    return torch.add(x.mean(), y.mean())
