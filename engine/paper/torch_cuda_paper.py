"""The published network's exported parts in torch on an NVIDIA GPU, in FP16: TensorRT's fallback."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from mien.engine.avatar.model_io import AvatarCode, source_tensor
from mien.engine.motion.key_motion import Keys
from mien.engine.paper.parts import Contents, renderer
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.runtime.device_cache import DeviceCache
from mien.engine.runtime.graphs import half_convolutions
from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.runtime.torch_cuda import Replayed, guarded, import_torch
from mien.engine.types import Floats, Image

AVATARS = 8
"""Number of portraits' codes kept after their last use."""


class TorchCudaPaper(PaperRuntime):
    """Runs the exported parts in torch, each as a CUDA graph; threads take turns.

    Args:
        points, given_points: the model's (:class:`PaperRuntime`).
        half: convolutions in FP16, everything else in FP32 (see :mod:`mien.engine.runtime.graphs.precision`).
        device: ``"cpu"`` computes the same, slowly, without CUDA graphs: for tests.

    Raises:
        CudaError: from every method, when the GPU fails.
    """

    name = "torch"

    def __init__(
        self,
        contents: Contents,
        points: int,
        given_points: bool,
        *,
        half: bool = True,
        device: str = "cuda",
    ) -> None:
        if device == "cuda":
            import_torch()
        import torch

        from mien.engine.runtime.graphs.torch_graph import TorchGraph

        self.points, self.given_points = points, given_points
        self._torch, self._device = torch, torch.device(device)
        self._lock = threading.Lock()
        networks = {name: contents[name] for name in ("detector", "encoder")}
        networks["renderer"] = renderer(contents)
        protos = {name: load_proto(content) for name, content in networks.items()}
        self._graphs: dict[str, Any] = guarded(
            torch,
            lambda: {
                name: TorchGraph(half_convolutions(proto) if half else proto).to(self._device).eval()
                for name, proto in protos.items()
            },
        )
        self._replayed: dict[str, Replayed] = {}
        self._codes: DeviceCache[AvatarCode, Any] = DeviceCache(
            lambda code: (self._tensor(code.source), self._tensor(code.features)), AVATARS
        )

    def _tensor(self, array: Floats) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)

    def _run(self, name: str, inputs: Sequence[Any]) -> Any:
        if self._device.type == "cpu" or name == "encoder":  # once per portrait
            return self._graphs[name](*inputs)
        if name not in self._replayed:
            self._replayed[name] = Replayed(self._graphs[name], inputs)
        return self._replayed[name](*inputs)

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        with self._lock:
            (found,) = guarded(self._torch, lambda: self._run("encoder", [self._tensor(tensor)]))
            return AvatarCode(tensor, found.float().cpu().numpy())

    def detect(self, image: Floats, points: Floats | None) -> Keys:
        given = [image]
        if self.given_points:
            if points is None:
                raise ValueError("this model is given its points")
            given.append(points[None])

        def work() -> list[Floats]:
            found = self._run("detector", [self._tensor(array) for array in given])
            return [value[0].float().cpu().numpy() for value in found]

        with self._lock:
            return Keys(*guarded(self._torch, work))

    def animate(self, code: AvatarCode, source: Keys, driving: Keys) -> Floats:
        keys = (source.points, source.jacobians, driving.points, driving.jacobians)

        def work() -> Floats:
            (found,) = self._run(
                "renderer", [*self._codes.get(code), *(self._tensor(array[None]) for array in keys)]
            )
            image: Floats = found[0].permute(1, 2, 0).float().contiguous().cpu().numpy()
            return image

        with self._lock:
            image: Floats = guarded(self._torch, work)
        return image
