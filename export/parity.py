"""Parity check of the exported ONNX files against torch, run by OpenVINO, the runtime that ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mien.engine.runtime.torch_runtime import TorchRuntime
from mien.engine.types import Floats, ModelError
from mien.engine.utils.openvino_core import compile_for_cpu, core
from mien.export.onnx_export import (
    RENDERER_INPUTS,
    RENDERER_OUTPUTS,
    RendererGraph,
    deployable,
    example_inputs,
    untrained_model,
)
from mien.train.model import LiveModel
from mien.train.model.weights import load_live

#: Largest accepted absolute difference, FP32 against FP32, per output.
TOLERANCE = {"features": 1e-3, "flow": 2e-5, "occlusion": 1e-4, "paint": 1e-3}


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest absolute difference per output, OpenVINO FP32 against torch."""

    differences: Mapping[str, float]

    def check(self) -> None:
        """Raise :class:`MienError` if an output differs by more than :data:`TOLERANCE`."""
        for name, difference in self.differences.items():
            if not difference <= TOLERANCE[name]:  # also catches NaN
                raise ModelError(
                    f"exported {name} differs from torch by {difference:.2g} (> {TOLERANCE[name]:.0e})"
                )


def _infer(content: bytes, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
    compiled = compile_for_cpu(core().read_model(content, b""), threads=1, precision="f32")
    result = compiled(dict(inputs))
    return {output.get_any_name(): np.array(result[output]) for output in compiled.outputs}


def measure(model: LiveModel, encoder: bytes, renderer: bytes) -> Parity:
    """Compare the two files with the deployable model (``onnx_export``) from which they were made."""
    args = example_inputs(model.config)
    with torch.no_grad():
        features = model.encode(args[0])
        outputs = RendererGraph(model)(*args)[: len(RENDERER_OUTPUTS)]
    found = _infer(encoder, {"source": args[0].numpy()})
    found |= _infer(renderer, {k: v.numpy() for k, v in zip(RENDERER_INPUTS, args, strict=True)})
    expected = {"features": features, **dict(zip(RENDERER_OUTPUTS, outputs, strict=True))}
    return Parity({k: float(np.abs(found[k] - v.numpy()).max()) for k, v in expected.items()})


def reference_runtime(weights: Path | None = None) -> TorchRuntime:
    """Create a :class:`TorchRuntime` equivalent to the export of ``weights`` (None: untrained)."""
    return TorchRuntime(deployable(untrained_model() if weights is None else load_live(weights)))
