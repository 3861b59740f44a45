"""Building blocks of the published networks.

Attribute names are those of the published state dicts, so a checkpoint's keys match.  Their synchronised
batch norm is ordinary batch norm here: same keys, same result in evaluation and on one device.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Same(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class Down(Same):
    """:class:`Same`, then halved by averaging."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x), 2)


class Up(Same):
    """Doubled by repeating pixels, then :class:`Same`."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Residual(nn.Module):
    """Pre-activation residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))  # type: ignore[no-any-return]


def _channels(width: int, most: int, level: int) -> int:
    return int(min(most, width * 2**level))


class _Encoder(nn.Module):
    def __init__(self, inputs: int, width: int, most: int, blocks: int) -> None:
        super().__init__()
        sizes = [inputs, *(_channels(width, most, level) for level in range(1, blocks + 1))]
        self.down_blocks = nn.ModuleList(Down(i, o) for i, o in pairwise(sizes))

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [x]
        for block in self.down_blocks:
            levels.append(block(levels[-1]))
        return levels


class _Decoder(nn.Module):
    def __init__(self, width: int, most: int, blocks: int) -> None:
        super().__init__()
        ups = []
        for level in reversed(range(blocks)):
            # All levels but the coarsest are concatenated with the encoder's.
            times = 1 if level == blocks - 1 else 2
            ups.append(Up(times * _channels(width, most, level + 1), _channels(width, most, level)))
        self.up_blocks = nn.ModuleList(ups)

    def forward(self, levels: list[Tensor]) -> Tensor:
        x = levels[-1]
        for block, skip in zip(self.up_blocks, reversed(levels[:-1]), strict=True):
            x = torch.cat((block(x), skip), dim=1)
        return x


class Hourglass(nn.Module):
    """U-Net; its result has ``width + inputs`` channels, the input last."""

    def __init__(self, inputs: int, width: int, most: int, blocks: int) -> None:
        super().__init__()
        self.encoder = _Encoder(inputs, width, most, blocks)
        self.decoder = _Decoder(width, most, blocks)
        self.outputs = width + inputs

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))  # type: ignore[no-any-return]


class Reduce(nn.Module):
    """Gaussian blur, then every ``factor``-th pixel, starting with the first.

    The published code blurs all pixels and then drops most of them (nearest ``interpolate``); a stride gives
    the same pixels at ``1 / factor**2`` of the cost.
    """

    weight: Tensor

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        sigma = (factor - 1) / 2
        radius = round(4 * sigma)
        distance = torch.arange(-radius, radius + 1, dtype=torch.float32)
        kernel = torch.exp(-(distance[:, None] ** 2 + distance[None, :] ** 2) / (2 * sigma**2))
        kernel = kernel / kernel.sum()
        self.register_buffer("weight", kernel.expand(channels, 1, -1, -1).clone())
        self.factor, self.radius = factor, radius

    def forward(self, image: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, C, H / factor, W / factor)``."""
        return F.conv2d(
            image, self.weight, stride=self.factor, padding=self.radius, groups=self.weight.shape[0]
        )
