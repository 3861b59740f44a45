"""The exported ``live`` model in torch on an NVIDIA GPU, in FP16: TensorRT's fallback and baseline.

torch is imported when a runtime is created.  A batch runs as a CUDA graph (or through ``torch.compile``):
launched one by one, the network's hundreds of small kernels would cost more than they compute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from mien.engine.avatar.canvas.canvas import Canvas, device_constants
from mien.engine.avatar.model_io import AvatarCode, Field, point_inputs, source_tensor, to_field
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing, halves
from mien.engine.runtime.cuda import CudaError, OutOfMemory
from mien.engine.runtime.device_cache import DeviceCache
from mien.engine.runtime.graphs import dynamic_batch, half_convolutions
from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.runtime.graphs.image import IMAGE_INPUTS, image_graph
from mien.engine.types import Floats, Image, ModelError

if TYPE_CHECKING:
    import torch

Mode = Literal["eager", "compile", "graph"]
T = TypeVar("T")

KEPT = 16
"""Number of avatars and canvases kept although unused."""


def import_torch() -> Any:
    """Import ``torch`` and check that it has a GPU.

    Raises:
        ModelError: not installed, a build without CUDA, or a CUDA build without a driver; in one line.
    """
    try:
        import torch
    except (ImportError, OSError) as error:
        raise ModelError(f"torch cannot be used: {str(error).splitlines()[0]}") from error
    if torch.version.cuda is None:
        raise ModelError(f"torch {torch.__version__} is a build without CUDA")
    if not torch.cuda.is_available():
        raise ModelError(f"torch {torch.__version__} finds no NVIDIA GPU (is the driver installed?)")
    return torch


def guarded(torch: Any, work: Callable[[], T]) -> T:
    """Run ``work`` in inference mode, translating CUDA errors, so that the next runtime can take over.

    Raises:
        OutOfMemory, CudaError: in one line.
    """
    try:
        with torch.inference_mode():
            return work()
    except torch.OutOfMemoryError as error:
        raise OutOfMemory("the GPU's memory is full: close other programs that use it") from error
    except RuntimeError as error:
        raise CudaError(f"torch failed on the GPU: {str(error).splitlines()[0]}") from error


class Replayed:
    """A function of tensors with fixed shapes as one CUDA graph.

    >>> fast = Replayed(model, example)    # doctest: +SKIP
    >>> outputs = fast(*inputs)            # doctest: +SKIP

    The outputs are the same tensors in every call, valid until the next one.
    """

    def __init__(self, function: Any, example: Sequence[torch.Tensor]) -> None:
        import torch

        self._inputs = [tensor.clone() for tensor in example]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # libraries choose kernels here, not while capturing
            for _ in range(3):
                function(*self._inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = function(*self._inputs)

    def __call__(self, *inputs: torch.Tensor) -> Any:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._outputs


class TorchCudaRuntime(BatchRuntime):
    """Runs the exported files in torch.

    Args:
        encoder, renderer: the ONNX files' contents.
        mode: ``"graph"`` records one CUDA graph for each batch size.
        half: convolutions in FP16, everything else in FP32 (see :mod:`mien.engine.runtime.graphs.precision`).
        device: ``"cpu"`` computes the same, slowly, without CUDA graphs: for tests.
        batch: largest number of drawings in one call.
    """

    name = "torch"

    def __init__(
        self,
        encoder: bytes,
        renderer: bytes,
        *,
        mode: Mode = "graph",
        half: bool = True,
        device: str = "cuda",
        batch: int = 8,
    ) -> None:
        if device == "cuda":
            import_torch()
        import torch

        from mien.engine.runtime.graphs.torch_graph import TorchGraph

        self._torch, self._mode, self._batch = torch, mode, batch
        self._device = torch.device(device)

        def module(proto: Any) -> Any:
            graph = TorchGraph(half_convolutions(proto) if half else proto)
            return self._guarded(lambda: graph.to(self._device).eval())

        self._encoder = module(load_proto(encoder))
        self._renderer = module(dynamic_batch(load_proto(renderer)))
        self._image = self._guarded(lambda: TorchGraph(image_graph()).to(self._device).eval())
        if mode == "compile":
            self._renderer = torch.compile(self._renderer, dynamic=False)
        self._replayed: dict[int, Replayed] = {}
        self._too_large: set[int] = set()  # batch sizes that failed
        self._codes: DeviceCache[AvatarCode, Any] = DeviceCache(self._code_tensors, KEPT)
        self._canvases: DeviceCache[Canvas, Any] = DeviceCache(self._canvas_tensors, KEPT)

    @property
    def batch(self) -> int:
        return self._batch

    def _tensor(self, array: Any) -> Any:
        tensor = self._torch.from_numpy(np.ascontiguousarray(array))
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)

    def _guarded(self, work: Callable[[], T]) -> T:
        return guarded(self._torch, work)

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        (features,) = self._guarded(lambda: self._encoder(self._tensor(tensor)))
        return AvatarCode(tensor, features.float().cpu().numpy())

    def render(
        self,
        code: AvatarCode,
        source_points: Floats,
        driving_points: Floats,
        dense: Floats | None = None,
    ) -> Field:
        drawing = Drawing(code, source_points, driving_points, dense, None, None)  # type: ignore[arg-type]
        return to_field(*self._guarded(lambda: [v.float().cpu().numpy() for v in self._fields([drawing])]))

    def draw(self, drawings: Sequence[Drawing]) -> list[Image]:
        images: list[Image] = []
        starts = range(0, len(drawings), self._batch)
        to_do = deque(list(drawings[start : start + self._batch]) for start in starts)
        while to_do:
            batch = to_do.popleft()
            if len(batch) in self._too_large:
                to_do.extendleft(reversed(halves(batch)))
                continue
            try:
                images += self._guarded(lambda batch=batch: self._draw(batch))  # type: ignore[misc]
            except CudaError:
                if len(batch) == 1:
                    raise
                # Memory for a larger batch or its graph may be missing: smaller batches may work.
                self._too_large.add(len(batch))
                to_do.appendleft(batch)
        return images

    def _draw(self, batch: Sequence[Drawing]) -> list[Image]:
        flow, _, paint = self._fields(batch)
        moved = []
        canvases = self._canvases.all([drawing.canvas for drawing in batch])
        for index, constants in enumerate(canvases):
            warp = {k: self._tensor(v) for k, v in batch[index].warp.device_inputs().items()}
            given = {**constants, **warp, "flow": flow[index : index + 1], "paint": paint[index : index + 1]}
            (image,) = self._image(*(given[name] for name in IMAGE_INPUTS))
            moved.append(image[0].to("cpu", non_blocking=True))
        if self._device.type == "cuda":
            self._torch.cuda.synchronize()
        return [_paste(drawing.canvas, part.numpy()) for drawing, part in zip(batch, moved, strict=True)]

    def _fields(self, batch: Sequence[Drawing]) -> Any:
        """Run the network on a batch: flow, occlusion, paint on the device."""
        moving = [point_inputs(d.source_points, d.driving_points, d.dense) for d in batch]
        codes = self._codes.all([d.code for d in batch])
        inputs = (
            *(self._torch.cat(values) for values in zip(*codes, strict=True)),
            *(self._tensor(np.concatenate(values)) for values in zip(*moving, strict=True)),
        )
        if self._mode != "graph" or self._device.type != "cuda":
            return self._renderer(*inputs)
        if len(batch) not in self._replayed:
            self._replayed[len(batch)] = Replayed(self._renderer, inputs)
        return self._replayed[len(batch)](*inputs)

    def _code_tensors(self, code: AvatarCode) -> Any:
        return self._guarded(lambda: (self._tensor(code.source), self._tensor(code.features)))

    def _canvas_tensors(self, canvas: Canvas) -> Any:
        constants = device_constants(canvas)
        return self._guarded(lambda: {name: self._tensor(values) for name, values in constants.items()})


def _paste(canvas: Canvas, moved: Image) -> Image:
    if not canvas.pasted:
        return moved
    image: Image = canvas.still.copy()
    image[canvas.top : canvas.bottom, canvas.left : canvas.right] = moved
    return image
