"""Dense motion from key points: section 3.3 of the paper, equations 4 to 7 of FOMM."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mien.train.model.grid import full_precision
from mien.train.model.paper.config import PaperConfig
from mien.train.model.paper.geometry import KeyPoints, coordinates, gaussians, inverse, sample
from mien.train.model.paper.layers import Hourglass, Reduce


class Warp(NamedTuple):
    """Destination of the source's pixels.

    Attributes:
        deformation: ``(B, h, w, 2)`` source position of each place of the result, normalised.
        occlusion: ``(B, 1, h, w)`` in 0..1 (0: not to be taken from the source), or None if not modelled.
        mask: ``(B, K + 1, h, w)`` share of each candidate motion (the background first).
    """

    deformation: Tensor
    occlusion: Tensor | None
    mask: Tensor


class DenseMotion(nn.Module):
    """Mixes the background's and the key points' affine motions."""

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        candidates = config.points + 1
        self.hourglass = Hourglass(
            4 * candidates, config.motion_width, config.motion_most, config.motion_blocks
        )
        self.mask = nn.Conv2d(self.hourglass.outputs, candidates, 7, padding=3)
        if config.occlusion:
            self.occlusion = nn.Conv2d(self.hourglass.outputs, 1, 7, padding=3)
        if config.reduction > 1:
            self.down = Reduce(3, config.reduction)

    def forward(self, source: Tensor, source_keys: KeyPoints, driving_keys: KeyPoints) -> Warp:
        """The warp from ``source`` ``(B, 3, H, W)`` to the driving key points."""
        small = self.down(source) if self.config.reduction > 1 else source
        with full_precision(source.device):
            seen, candidates = self._observe(small.float(), source_keys, driving_keys)
        features = self.hourglass(seen)
        logits = self.mask(features)
        hidden = self.occlusion(features) if self.config.occlusion else None
        with full_precision(source.device):
            mask = torch.softmax(logits.float(), dim=1)
            deformation = (candidates * mask[..., None]).sum(dim=1)
            return Warp(deformation, None if hidden is None else torch.sigmoid(hidden.float()), mask)

    def _observe(self, small: Tensor, source: KeyPoints, driving: KeyPoints) -> tuple[Tensor, Tensor]:
        """Input of the hourglass, ``(B, 4 (K + 1), h, w)``, and the candidates ``(B, K + 1, h, w, 2)``."""
        batch, _, height, width = small.shape
        grid = coordinates(height, width, small)
        heat = gaussians(driving.points, grid, self.config.variance)
        heat = heat - gaussians(source.points, grid, self.config.variance)
        heat = torch.cat((torch.zeros_like(heat[:, :1]), heat), dim=1)
        local = source.jacobians @ inverse(driving.jacobians)
        away = grid.reshape(1, 1, -1, 2) - driving.points[:, :, None]
        moved = away @ local.transpose(2, 3) + source.points[:, :, None]
        still = grid.reshape(1, 1, -1, 2).expand(batch, 1, -1, -1)
        candidates = torch.cat((still, moved), dim=1)
        # One 4-D grid_sample for all candidates, with their grids stacked vertically.
        stacked = candidates.reshape(batch, -1, width, 2)
        shown = sample(small, stacked, align_corners=self.config.align_corners)
        shown = shown.reshape(batch, 3, -1, height, width).transpose(1, 2)
        seen = torch.cat((heat[:, :, None], shown), dim=2).flatten(1, 2)
        return seen, candidates.reshape(batch, -1, height, width, 2)
