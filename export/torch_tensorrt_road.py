"""The other road to TensorRT: torch's exported program through Torch-TensorRT (extra ``tensorrt``).

It starts from the same rewritten graph as the ONNX road (:class:`engine.graphs.torch_graph.TorchGraph`), so
casts and shapes are the same.  It needs an NVIDIA GPU while it builds.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from engine.graphs.editing import load_proto
from engine.runtime.tensorrt.backend import EngineError
from engine.runtime.tensorrt.parts import Part
from engine.runtime.torch_cuda import import_torch


def load_torch_tensorrt() -> Any:
    """The ``torch_tensorrt`` module.

    Raises:
        EngineError: not installed, or installed where it cannot work: with a CUDA build of torch and no
            driver, its import raises whatever its libraries raise.
    """
    try:
        return importlib.import_module("torch_tensorrt")
    except ImportError as error:
        if error.name == "torch_tensorrt":
            raise EngineError(
                'neither tensorrt nor torch_tensorrt is installed: python -m pip install "mien[tensorrt]"'
            ) from error
        raise EngineError(f"torch_tensorrt cannot be used here: {_line(error)}") from error
    except Exception as error:
        raise EngineError(f"torch_tensorrt cannot be used here: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def build(part: Part) -> bytes:
    """The serialized TensorRT engine of ``part``; inputs keep their names, outputs are output0, output1, ...

    Raises:
        MienError: no GPU, no Torch-TensorRT, or it cannot build the part.
    """
    torch_tensorrt = load_torch_tensorrt()
    torch = import_torch()
    from engine.graphs.torch_graph import TorchGraph

    module = TorchGraph(load_proto(part.onnx)).cuda().eval()
    shapes = [part.profile.shapes[name] for name in module.input_names]
    example = tuple(torch.zeros(best, device="cuda") for _, best, _ in shapes)
    ranges = [
        torch_tensorrt.Input(min_shape=low, opt_shape=best, max_shape=high, dtype=torch.float32)
        for low, best, high in shapes
    ]
    convert = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine
    settings: dict[str, Any] = {"arg_inputs": ranges}
    if "use_explicit_typing" in inspect.signature(convert).parameters:
        settings["use_explicit_typing"] = True  # the graph's own types; newer versions know nothing else
    try:
        program = torch.export.export(_named(module), example, dynamic_shapes=_dynamic(torch, shapes))
        return bytes(convert(program, **settings))
    except Exception as error:  # converters raise errors of many kinds
        raise EngineError(f"torch_tensorrt cannot build {part.name}: {_line(error)}") from error


def _named(module: Any) -> Any:
    """``module`` with its inputs' names as arguments: torch names an engine's inputs after them."""
    import torch

    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.graph = module

    names = ", ".join(module.input_names)
    space: dict[str, Any] = {}
    # Names come from our own graphs; torch reads a forward's signature, which *inputs has not.
    exec(f"def forward(self, {names}):\n    return self.graph({names})", space)
    Named.forward = space["forward"]
    return Named()


def _dynamic(torch: Any, shapes: list[Any]) -> Any:
    """One symbol for the batch of all inputs where the profile leaves it open."""
    sizes = {(low[0], high[0]) for low, _, high in shapes}
    if all(low == high for low, high in sizes):
        return None
    low, high = max(sizes)
    batch = torch.export.Dim("batch", min=low, max=high)
    return tuple({0: batch} for _ in shapes)
