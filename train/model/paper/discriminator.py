"""The discriminator, used only in training: PatchGAN at one or several scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.train.model.paper.geometry import coordinates, gaussians


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """Hyperparameters of the discriminator; the defaults are the paper's.

    Attributes:
        scales: of its input images (1 is the full size), each with its own network.
        width, most, blocks: channels after the first block are twice ``width``; most channels; blocks.
        points: number of key points whose Gaussians are additional inputs (``vox-adv-256``: 10); 0 for none.
        spectral: spectral norm (``vox-256``).
        variance: of the Gaussians.
    """

    scales: tuple[float, ...] = (1.0,)
    width: int = 32
    most: int = 512
    blocks: int = 4
    points: int = 0
    spectral: bool = False
    variance: float = 0.01


class DiscriminatorOutput(NamedTuple):
    """Output of one scale's network.

    Attributes:
        features: after each block.
        score: ``(B, 1, h, w)``; 1 is real, 0 is generated.
    """

    features: list[Tensor]
    score: Tensor


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, norm: bool, pool: bool, spectral: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, 4)
        self.conv = nn.utils.spectral_norm(conv) if spectral else conv
        self.norm = nn.InstanceNorm2d(outputs, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        x = F.leaky_relu(x, 0.2)
        return F.avg_pool2d(x, 2) if self.pool else x


class _Patches(nn.Module):
    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        count, spectral = config.blocks, config.spectral
        sizes = [3 + config.points, *(min(config.most, config.width * 2 ** (k + 1)) for k in range(count))]
        self.down_blocks = nn.ModuleList(
            _Block(sizes[k], sizes[k + 1], norm=k > 0, pool=k < count - 1, spectral=spectral)
            for k in range(count)
        )
        conv = nn.Conv2d(sizes[-1], 1, 1)
        self.conv = nn.utils.spectral_norm(conv) if spectral else conv

    def forward(self, image: Tensor, points: Tensor | None) -> DiscriminatorOutput:
        x = image
        if self.config.points:
            assert points is not None
            grid = coordinates(image.shape[2], image.shape[3], image)
            x = torch.cat((x, gaussians(points, grid, self.config.variance)), dim=1)
        features = []
        for block in self.down_blocks:
            x = block(x)
            features.append(x)
        return DiscriminatorOutput(features, self.conv(x))


class Discriminator(nn.Module):
    """One network per scale."""

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DiscriminatorConfig()
        # Keys as published: "1" and "0-5".
        names = (f"{scale:g}".replace(".", "-") for scale in self.config.scales)
        self.discs = nn.ModuleDict({name: _Patches(self.config) for name in names})

    def forward(self, images: list[Tensor], points: Tensor | None = None) -> list[DiscriminatorOutput]:
        """One output for each of ``images``, which are in the order of the scales."""
        return [net(image, points) for net, image in zip(self.discs.values(), images, strict=True)]
