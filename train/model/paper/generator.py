"""Expression generation: section 3.4 of the paper, the occlusion-aware generator of FOMM."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.train.model.paper.config import PaperConfig
from mien.train.model.paper.geometry import sample
from mien.train.model.paper.layers import Down, Residual, Same, Up
from mien.train.model.paper.motion import DenseMotion, Warp


class Generator(nn.Module):
    """Encodes the source once, warps its code per frame, and decodes."""

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        self.dense_motion_network = DenseMotion(config)
        levels = config.generator_downs
        sizes = [min(config.generator_most, config.generator_width * 2**k) for k in range(levels + 1)]
        pairs = list(pairwise(sizes))
        self.first = Same(3, config.generator_width, 7)
        self.down_blocks = nn.ModuleList(Down(fine, coarse) for fine, coarse in pairs)
        self.up_blocks = nn.ModuleList(Up(coarse, fine) for fine, coarse in reversed(pairs))
        blocks = {f"r{k}": Residual(sizes[-1]) for k in range(config.generator_blocks)}
        self.bottleneck = nn.Sequential()
        for name, block in blocks.items():
            self.bottleneck.add_module(name, block)
        self.final = nn.Conv2d(config.generator_width, 3, 7, padding=3)

    def encode(self, source: Tensor) -> Tensor:
        """Source ``(B, 3, H, W)`` in 0..1 -> its code ``(B, C, H / 4, W / 4)``; once per portrait."""
        x = self.first(source)
        for block in self.down_blocks:
            x = block(x)
        return x  # type: ignore[no-any-return]

    def warp(self, features: Tensor, warp: Warp) -> Tensor:
        """Warp the code and weight it by the occlusion."""
        deformation, occlusion = warp.deformation, warp.occlusion
        size = features.shape[2:]
        if deformation.shape[1:3] != size:
            deformation = self._resized(deformation.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
        moved = sample(features, deformation, align_corners=self.config.align_corners)
        if occlusion is None:
            return moved
        if occlusion.shape[2:] != size:
            occlusion = self._resized(occlusion, size)
        return moved * occlusion.to(moved.dtype)

    def _resized(self, field: Tensor, size: torch.Size) -> Tensor:
        return F.interpolate(field, tuple(size), mode="bilinear", align_corners=self.config.align_corners)

    def decode(self, warped: Tensor) -> Tensor:
        """Decode a warped code to an image ``(B, 3, H, W)`` in 0..1."""
        x = self.bottleneck(warped)
        for block in self.up_blocks:
            x = block(x)
        return torch.sigmoid(self.final(x))
