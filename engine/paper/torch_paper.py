"""The published network by PyTorch: the reference, and what runs a ``.safetensors`` file as it is.

The engine does not know ``train``; the caller brings the module.  torch is imported when a runtime is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mien.engine.avatar.model_io import AvatarCode, source_tensor
from mien.engine.motion.key_motion import Keys
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.types import Floats, Image


class TorchPaper(PaperRuntime):
    """Runs a ``mien.train.model.paper.PaperModel`` in FP32 on its own device.

    Args:
        module: the model in eval mode.
    """

    name = "torch"

    def __init__(self, module: Any) -> None:
        import torch

        self._torch = torch
        self._module = module.eval().requires_grad_(False)
        self._device = next(module.parameters()).device
        self.points, self.given_points = module.config.points, module.config.given_points

    def _tensor(self, array: Floats) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)

    def _keys(self, keys: Keys) -> Any:
        return self._module.keys(self._tensor(keys.points[None]), self._tensor(keys.jacobians[None]))

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        with self._torch.inference_mode():
            return AvatarCode(tensor, self._module.encode(self._tensor(tensor)).cpu().numpy())

    def detect(self, image: Floats, points: Floats | None) -> Keys:
        given = self._tensor(points[None]) if self.given_points and points is not None else None
        with self._torch.inference_mode():
            found = self._module.detect(self._tensor(image), given)
        return Keys(found.points[0].cpu().numpy(), found.jacobians[0].cpu().numpy())

    def animate(self, code: AvatarCode, source: Keys, driving: Keys) -> Floats:
        with self._torch.inference_mode():
            out = self._module.animate(
                self._tensor(code.source),
                self._tensor(code.features),
                self._keys(source),
                self._keys(driving),
            )
            found: Floats = out.prediction[0].permute(1, 2, 0).contiguous().cpu().numpy()
        return found
