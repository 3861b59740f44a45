"""Convolutions without batch statistics, at no extra cost once exported.

Scaled weight standardisation (Brock, De and Smith, "Characterizing signal propagation to close the
performance gap in unnormalized ResNets", ICLR 2021): each filter is normalised to zero mean and a fixed
norm while training, so activations keep their scale at any batch size.  For export the standardised
filters are constants: :func:`fold` replaces them by plain convolutions.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Keeps the variance of zero-mean Gaussian input through ReLU (Brock et al., section 4.2).
RELU_GAIN = math.sqrt(2.0 / (1.0 - 1.0 / math.pi))

#: Added to a filter's variance, so that a zero filter does not become infinite.
STEADY = 1e-6


class Conv(nn.Module):
    """A ``kernel`` x ``kernel`` convolution with standardised weights, stride 1, same size."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.gain = nn.Parameter(torch.full((outputs, 1, 1, 1), gain))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = 1.0 / math.sqrt(inputs * kernel * kernel)

    def standardised(self) -> Tensor:
        """The effective weights: zero mean, unit norm times ``gain`` per filter."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        return (self.weight - mean) * (torch.rsqrt(variance + STEADY) * self.scale * self.gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.standardised(), self.bias, padding=self.weight.shape[-1] // 2)

    def folded(self) -> nn.Conv2d:
        """The same map as a plain convolution."""
        outputs, inputs, kernel, _ = self.weight.shape
        plain = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        with torch.no_grad():
            plain.weight.copy_(self.standardised())
            plain.bias.copy_(self.bias)  # type: ignore[union-attr]
        return plain


class ConvReLU(nn.Module):
    """:class:`Conv` then ReLU, preserving variance."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = Conv(inputs, outputs, kernel, gain=RELU_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class Residual(nn.Module):
    """``relu(x + conv(relu(conv(x))))``: activation last, so runtimes fuse it into the convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvReLU(channels, channels)
        self.second = Conv(channels, channels, gain=0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def zero_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution that returns exactly 0 until it is trained."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def halve(x: Tensor) -> Tensor:
    """Average pooling to half the size."""
    return F.avg_pool2d(x, 2)


def double(x: Tensor) -> Tensor:
    """Bilinear enlargement to twice the size."""
    return F.interpolate(x, size=(x.shape[-2] * 2, x.shape[-1] * 2), mode="bilinear", align_corners=True)


def _fold_children(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Conv):
            setattr(module, name, child.folded())
        else:
            _fold_children(child)


def fold(module: nn.Module) -> nn.Module:
    """A copy of ``module`` with every :class:`Conv` folded into a plain convolution, in eval mode."""
    copied = copy.deepcopy(module)
    _fold_children(copied)
    return copied.eval()
