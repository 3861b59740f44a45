"""The reference runtime: the PyTorch module itself.

The engine does not depend on ``train``; the caller provides the module (``export.reference_runtime`` creates
one).  torch is imported only when a runtime is created.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mien.engine.avatar.model_io import AvatarCode, Field, point_inputs, source_tensor, to_field
from mien.engine.runtime.base import Runtime
from mien.engine.types import Floats, Image


class TorchRuntime(Runtime):
    """Runs a module with ``LiveModel``'s ``encode`` and ``render``, in FP32, on its own device.

    Args:
        module: a ``mien.train.model.LiveModel`` in eval mode.
    """

    name = "torch"

    def __init__(self, module: Any) -> None:
        import torch

        self._torch = torch
        self._module = module.eval()
        self._device = next(module.parameters()).device

    def _tensor(self, array: Floats) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        with self._torch.inference_mode():
            features = self._module.encode(self._tensor(tensor))
        return AvatarCode(tensor, features.float().cpu().numpy())

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        inputs = (code.source, code.features, *point_inputs(source_points, driving_points, dense))
        with self._torch.inference_mode():
            out = self._module.render(*map(self._tensor, inputs))
        return to_field(*(value.cpu().numpy() for value in (out.flow, out.occlusion, out.paint)))
