"""Frozen ImageNet features of a portrait (EfficientNet-Lite0) as a branch of the encoder.

Hair, ears, collars and walls look alike to a network that has seen 85 people, but must move differently.
The first eleven blocks of EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019; Lite0 as published by
Google, Apache-2.0) have seen a million images.  They run once per avatar and are never trained here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.train.imagenet import MEAN, STD
from mien.train.model.config import LiveConfig
from mien.train.model.layers import Conv, ConvReLU, Residual, double, zero_conv


class Block(NamedTuple):
    """One inverted bottleneck: kernel, stride, channels in, inside and out."""

    kernel: int
    stride: int
    inputs: int
    inside: int
    outputs: int


STEM = 32
BLOCKS = (
    Block(3, 1, 32, 32, 16),
    *(Block(3, 2, 16, 96, 24), Block(3, 1, 24, 144, 24)),
    *(Block(5, 2, 24, 144, 40), Block(5, 1, 40, 240, 40)),
    *(Block(3, 2, 40, 240, 80), Block(3, 1, 80, 480, 80), Block(3, 1, 80, 480, 80)),
    *(Block(5, 1, 80, 480, 112), Block(5, 1, 112, 672, 112), Block(5, 1, 112, 672, 112)),
)
TAPS = (2, 4, 10)
"""Blocks whose outputs are used: 64, 32 and 16 pixels for 256."""


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding: to ``ceil(size / stride)``, the odd pixel at the end."""

    def forward(self, x: Tensor) -> Tensor:
        spare = self.kernel_size[0] - self.stride[0]  # sizes here are multiples of the stride
        first = spare // 2
        return super().forward(F.pad(x, (first, spare - first, first, spare - first)))


class Bottleneck(nn.Module):
    """Expand, depthwise convolution, project; with a residual connection where the shapes agree."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.expand = nn.Conv2d(block.inputs, block.inside, 1) if block.inside > block.inputs else None
        self.depthwise = SameConv(block.inside, block.inside, block.kernel, block.stride, groups=block.inside)
        self.project = nn.Conv2d(block.inside, block.outputs, 1)
        self.adds = block.stride == 1 and block.inputs == block.outputs

    def forward(self, x: Tensor) -> Tensor:
        inside = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(inside)))
        return x + out if self.adds else out


class Trunk(nn.Module):
    """The frozen part: images ``(B, 3, S, S)`` in 0..1, S a multiple of 16, -> features at :data:`TAPS`.

    ``(B, 24, S/4, S/4)``, ``(B, 40, S/8, S/8)`` and ``(B, 112, S/16, S/16)``; batch norms are folded into the
    convolutions.  No gradient flows through it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1), persistent=False)
        self.stem = SameConv(3, STEM, 3, 2)
        self.blocks = nn.ModuleList(Bottleneck(block) for block in BLOCKS)

    def forward(self, source: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            x = F.relu6(self.stem((source - self.mean) / self.std))
            found = []
            for index, block in enumerate(self.blocks):
                x = block(x)
                if index in TAPS:
                    found.append(x)
        return tuple(_even(features) for features in found)

    @torch.no_grad()
    def take(self, published: Any) -> None:
        """Copy the weights of ``efficientnet_lite_pytorch``'s network, its batch norms already folded."""
        pairs: list[tuple[Any, Any]] = [(self.stem, published._conv_stem)]
        for own, its in zip(self.blocks, published._blocks, strict=False):
            assert isinstance(own, Bottleneck)
            names = [("depthwise", "_depthwise_conv"), ("project", "_project_conv")]
            if own.expand is not None:
                names.append(("expand", "_expand_conv"))
            pairs += [(getattr(own, a), getattr(its, b)) for a, b in names]
        for ours, theirs in pairs:
            ours.weight.copy_(theirs.weight)
            ours.bias.copy_(theirs.bias)


def _even(features: Tensor) -> Tensor:
    """Normalise to a mean square of 1 over the channels: layers differ in scale, filters expect about 1."""
    return features * torch.rsqrt(features.square().mean(dim=1, keepdim=True) + 1e-3)


class ImagenetBranch(nn.Module):
    """The trunk and its learned projection: ``(B, features - 3, 64, 64)``, zero when untrained."""

    def __init__(self, config: LiveConfig) -> None:
        super().__init__()
        fine, middle, coarse = (BLOCKS[tap].outputs for tap in TAPS)
        width = config.sight
        self.trunk = Trunk()
        self.from_coarse = ConvReLU(coarse, width)
        self.from_middle = Conv(middle, width, 1, gain=0.7)
        self.middle = Residual(width)
        self.from_fine = Conv(fine, width, 1, gain=0.7)
        self.fine = Residual(width)
        self.leave = zero_conv(width, config.features - 3)

    def forward(self, source: Tensor) -> Tensor:
        fine, middle, coarse = self.trunk(source)
        x = self.middle(F.relu(self.from_middle(middle) + double(self.from_coarse(coarse))))
        x = self.fine(F.relu(self.from_fine(fine) + double(x)))
        return self.leave(x)  # type: ignore[no-any-return]
