"""The weights under test, and none, as runtimes of the engine.

The model is converted to OpenVINO directly from torch (FP32, equal to torch to 1e-6): several times as fast
as torch on a CPU, without an export.  If OpenVINO cannot convert it, torch computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.engine.avatar.model_io import (
    FIELD_SIZE,
    IMAGE_SIZE,
    AvatarCode,
    Field,
    point_inputs,
    source_tensor,
    to_field,
)
from mien.engine.runtime.base import Runtime
from mien.engine.types import N_LANDMARKS, Floats, Image
from mien.train.model import LiveModel

Arrays = tuple[Floats, ...]
Compute = Callable[[Arrays], Arrays]


class ModelRuntime(Runtime):
    """A live model as a runtime of the engine.

    Args:
        model: in eval mode.
        threads: CPU threads; one, because on a busy machine two wait for each other.
    """

    name = "weights under test"

    def __init__(self, model: LiveModel, threads: int = 1) -> None:
        self._model = model
        self._compute: Compute = _compiled(model, threads) or _in_torch(_Renderer(model))

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        with torch.inference_mode():
            features = self._model.encode(torch.from_numpy(tensor))
        return AvatarCode(tensor, np.ascontiguousarray(features.numpy()))

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        points = point_inputs(source_points, driving_points, dense)
        return to_field(*self._compute((code.source, code.features, *points)))


class WarpRuntime(Runtime):
    """No network: the facial prior's flow, without paint.

    Args:
        model: provides the prior (which has no weights).
    """

    name = "without the network"

    def __init__(self, model: LiveModel) -> None:
        self._prior = model.prior
        self._nothing = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)
        self._seen = np.ones((FIELD_SIZE, FIELD_SIZE), np.float32)

    def encode(self, source: Image) -> AvatarCode:
        return AvatarCode(source_tensor(source), np.zeros((1, 0, FIELD_SIZE, FIELD_SIZE), np.float32))

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        points = point_inputs(source_points, driving_points, dense)
        with torch.inference_mode():
            flow = self._prior(*(torch.from_numpy(x) for x in points)).flow
        return Field(np.ascontiguousarray(flow[0].permute(1, 2, 0).numpy()), self._seen, self._nothing)


class _Renderer(nn.Module):
    def __init__(self, model: LiveModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, source: Tensor, features: Tensor, source_points: Tensor, driving_points: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        out = self.model.render(source, features, source_points, driving_points, dense)
        return out.flow, out.occlusion, out.paint


def _in_torch(renderer: nn.Module) -> Compute:
    def compute(inputs: Arrays) -> Arrays:
        with torch.inference_mode():
            return tuple(x.numpy() for x in renderer(*(torch.from_numpy(x) for x in inputs)))

    return compute


def _compiled(model: LiveModel, threads: int) -> Compute | None:
    """The renderer in OpenVINO, or None if its PyTorch frontend cannot convert it."""
    from mien.engine.utils.openvino_core import compile_for_cpu, load_openvino

    openvino = load_openvino()
    size = (1, 3, IMAGE_SIZE, IMAGE_SIZE)
    example = (
        torch.zeros(size),
        torch.zeros(1, model.config.features, FIELD_SIZE, FIELD_SIZE),
        *(torch.zeros(1, N_LANDMARKS, 2) for _ in range(2)),
        torch.zeros(1, 3, FIELD_SIZE, FIELD_SIZE),
    )
    try:
        with torch.no_grad():
            graph = openvino.convert_model(_Renderer(model).eval(), example_input=example)
        request: Any = compile_for_cpu(graph, threads=threads, precision="f32").create_infer_request()
    except (RuntimeError, ValueError, TypeError):  # OpenVINO's own errors are RuntimeErrors
        return None

    def compute(inputs: Arrays) -> Arrays:
        found = request.infer(list(inputs))
        return tuple(found[index] for index in range(3))

    return compute
