"""The reference runtime: the PyTorch module itself.

The engine does not know ``train``; the caller brings the module (``export.reference_runtime`` makes one).
torch is imported only when a runtime is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.runtime.base import FIELD_SIZE, AvatarCode, Field, Runtime, check_points, source_tensor
from engine.types import Floats, Image


class TorchRuntime(Runtime):
    """Runs anything that has ``LiveModel``'s ``encode`` and ``render``, in FP32, on its own device.

    Args:
        module: a ``train.model.LiveModel`` in eval mode.
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
        check_points(source_points)
        check_points(driving_points)
        if dense is None:
            dense = np.zeros((3, FIELD_SIZE, FIELD_SIZE), np.float32)
        with self._torch.inference_mode():
            out = self._module.render(
                self._tensor(code.source),
                self._tensor(code.features),
                self._tensor(source_points[None]),
                self._tensor(driving_points[None]),
                self._tensor(dense[None]),
            )
        flow = out.flow[0].permute(1, 2, 0).contiguous().cpu().numpy()
        paint = out.paint[0].permute(1, 2, 0).contiguous().cpu().numpy()
        return Field(flow, out.occlusion[0, 0].cpu().numpy(), paint)
