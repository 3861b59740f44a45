"""Distance between the landmarks of an image and those of its target.

The facial prior as a loss: the tracker's own landmark network (Apache-2.0, shipped with Mien) runs on both.
Lids and lips move its points by pixels, but hardly change an L1 distance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.engine.landmarks.bundle import load_bundle
from mien.engine.landmarks.crops import CROP_SCALE
from mien.engine.landmarks.networks import LANDMARK_SIDE, read_tflite
from mien.engine.types import ModelError
from mien.train.losses.image import EYE_CORNERS
from mien.train.model.grid import full_precision, warp

_Operator = Callable[[Sequence[Tensor], Mapping[str, Any]], Tensor]
_SLACK = 0.1
"""Pixels below which a distance counts by its square, since it is within the network's own noise."""


class LandmarkDistance(nn.Module):
    """Distance of landmarks in pixels of a 256 x 256 image; frozen, differentiable in the image."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Graph(load_bundle().landmarks)
        self.requires_grad_(False)

    def forward(self, image: Tensor, target: Tensor, points: Tensor) -> Tensor:
        """Mean distance over landmarks and images.

        Args:
            image, target: ``(B, 3, 256, 256)`` in 0..1.
            points: ``(B, 478, 2)``, approximate landmarks of the target, normalised: both images are cropped
                to the same square around them.
        """
        # In bf16 the network's points are wrong by half a pixel.
        with full_precision(points.device):
            return self._measure(image.float(), target.float(), points.float())

    def _measure(self, image: Tensor, target: Tensor, points: Tensor) -> Tensor:
        grid, size = _square(points)
        with torch.no_grad():
            wanted = self.landmarks(warp(target, grid))
        found = self.landmarks(warp(image, grid))
        unit = size[:, None] * ((image.shape[-1] - 1) / 2.0 / LANDMARK_SIDE)
        square = ((found - wanted) * unit[..., None]).square().sum(dim=2)
        return (torch.sqrt(square + _SLACK**2) - _SLACK).mean()

    def landmarks(self, crops: Tensor) -> Tensor:
        """``(B, 478, 2)`` pixels of the crops ``(B, 3, 256, 256)``."""
        points: Tensor = self.net(crops.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1))
        return points.reshape(len(crops), -1, 3)[..., :2]


def _square(points: Tensor) -> tuple[Tensor, Tensor]:
    """The tracker's crop around ``(B, N, 2)`` points: its grid ``(B, 2, 256, 256)``, its side ``(B,)``."""
    low, high = points.amin(dim=1), points.amax(dim=1)
    size = (high - low).amax(dim=1) * CROP_SCALE
    along = points[:, EYE_CORNERS[1]] - points[:, EYE_CORNERS[0]]
    along = along / torch.linalg.vector_norm(along, dim=1, keepdim=True).clamp(min=1e-6)
    # Array indices serve as coordinates on both sides, as in mien.engine.landmarks.crops.
    axis = torch.arange(LANDMARK_SIDE, device=points.device) / LANDMARK_SIDE - 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    cos, sin = (along[:, k, None, None] * size[:, None, None] for k in (0, 1))
    centre = (low + high)[..., None, None] / 2.0
    return torch.stack((cos * x - sin * y, sin * x + cos * y), dim=1) + centre, size


class _Step(NamedTuple):
    """One operator with the indices of its inputs and of its result."""

    run: Callable[[Sequence[Tensor]], Tensor]
    inputs: tuple[int, ...]
    output: int


class Graph(nn.Module):
    """A TFLite network with one input as a torch module for any batch size; returns its first output.

    OpenVINO reads the file, so that no parser is needed; its graph uses few operators here.

    Raises:
        MienError: the network has an unsupported operator.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__()
        model = read_tflite(data)
        self._steps: list[_Step] = []
        self._constants: dict[int, str] = {}
        places: dict[str, int] = {}
        for index, op in enumerate(model.get_ordered_ops()):
            places[op.get_friendly_name()] = index
            kind = op.get_type_name()
            if kind == "Parameter":
                self._input = index
            elif kind == "Constant":
                self._keep(index, torch.from_numpy(np.array(op.data)))
            elif kind != "Result":
                inputs = tuple(places[_source(port)] for port in op.inputs())
                self._add(_Step(_operator(op, kind), inputs, index))
        self._output = places[_source(model.outputs[0].get_node().input(0))]

    def _keep(self, index: int, value: Tensor) -> None:
        self._constants[index] = f"constant_{index}"
        # Filters stored as transposed views would be copied at every step, a third of the time.
        self.register_buffer(self._constants[index], value.contiguous(), persistent=False)

    def _add(self, step: _Step) -> None:
        if all(place in self._constants for place in step.inputs):
            self._keep(step.output, step.run([self._constant(place) for place in step.inputs]))
        else:
            self._steps.append(step)

    def _constant(self, place: int) -> Tensor:
        value: Tensor = getattr(self, self._constants[place])
        return value

    def forward(self, x: Tensor) -> Tensor:
        """Run the network on an input in its own layout."""
        values = {place: self._constant(place) for place in self._constants}
        values[self._input] = x
        for step in self._steps:
            values[step.output] = step.run([values[place] for place in step.inputs])
        return values[self._output]


def _source(port: Any) -> str:
    """Name of the operator that produces an input."""
    return str(port.get_source_output().get_node().get_friendly_name())


def _operator(op: Any, kind: str) -> Callable[[Sequence[Tensor]], Tensor]:
    if kind not in _OPERATORS:
        raise ModelError(f"the landmark network has an unsupported operator {kind}. Reinstall mien.")
    return partial(_apply, _OPERATORS[kind], op.get_attributes())


def _apply(operator: _Operator, attributes: Mapping[str, Any], x: Sequence[Tensor]) -> Tensor:
    return operator(x, attributes)


def _ints(values: Tensor) -> list[int]:
    return [int(v) for v in values.reshape(-1).tolist()]


def _convolution(x: Sequence[Tensor], a: Mapping[str, Any]) -> Tensor:
    filters, groups = x[1], 1
    if filters.dim() == 5:
        groups, filters = len(filters), filters.flatten(0, 1)
    (top, left), (bottom, right) = a["pads_begin"], a["pads_end"]
    data, pad = x[0], (top, left)
    if (top, left) != (bottom, right):
        data, pad = F.pad(data, (left, right, top, bottom)), (0, 0)
    return F.conv2d(data, filters, None, tuple(a["strides"]), pad, tuple(a["dilations"]), groups)


def _pad(x: Sequence[Tensor], a: Mapping[str, Any]) -> Tensor:
    pairs = list(zip(_ints(x[1]), _ints(x[2]), strict=True))
    return F.pad(x[0], [side for pair in reversed(pairs) for side in pair])


def _reshape(x: Sequence[Tensor], a: Mapping[str, Any]) -> Tensor:
    shape = _ints(x[1])
    if a["special_zero"]:
        shape = [x[0].shape[k] if side == 0 else side for k, side in enumerate(shape)]
    return x[0].reshape(shape)


def _unsqueeze(x: Sequence[Tensor], a: Mapping[str, Any]) -> Tensor:
    result = x[0]
    for axis in sorted(_ints(x[1])):
        result = result.unsqueeze(axis)
    return result


_OPERATORS: dict[str, _Operator] = {
    "Add": lambda x, a: x[0] + x[1],
    "Convert": lambda x, a: x[0].float(),
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "MaxPool": lambda x, a: F.max_pool2d(x[0], tuple(a["kernel"]), tuple(a["strides"])),
    "Pad": _pad,
    "PRelu": lambda x, a: F.prelu(x[0], x[1].flatten()),
    "Reshape": _reshape,
    "Sigmoid": lambda x, a: x[0].sigmoid(),
    "Transpose": lambda x, a: x[0].permute(_ints(x[1])),
    "Unsqueeze": _unsqueeze,
}
