"""The alternative TensorRT backend: torch's exported program through Torch-TensorRT (extra ``tensorrt``).

It starts from the same rewritten graph as the ONNX path
(:class:`mien.engine.runtime.graphs.torch_graph.TorchGraph`), so casts and shapes are the same.  It needs an
NVIDIA GPU while it builds.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np

from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.runtime.tensorrt.backend import EngineError
from mien.engine.runtime.tensorrt.parts import Part
from mien.engine.runtime.torch_cuda import import_torch


def load_torch_tensorrt() -> Any:
    """Import ``torch_tensorrt``.

    Raises:
        EngineError: not installed, or unusable: with a CUDA build of torch and no driver, its import raises
            whatever its libraries raise.
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
    """Build the serialized TensorRT engine of ``part``; inputs keep their names, outputs are output0, ...

    Raises:
        MienError: no GPU, no Torch-TensorRT, or it cannot build the part.
    """
    torch_tensorrt = load_torch_tensorrt()
    import_torch()
    ranges = [
        torch_tensorrt.Input(min_shape=low, opt_shape=best, max_shape=high, dtype=kind)
        for (low, best, high), kind in _inputs(part)
    ]
    convert = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine
    settings: dict[str, Any] = {"arg_inputs": ranges}
    if "use_explicit_typing" in inspect.signature(convert).parameters:
        settings["use_explicit_typing"] = True  # the graph's own types; newer versions support nothing else
    try:
        return bytes(convert(program_of(part, "cuda"), **settings))
    except Exception as error:  # converters raise many kinds of errors
        raise EngineError(
            f"torch_tensorrt cannot build {part.name}: {_line(error)}. Use another backend: "
            "--to tensorrt-rtx, or --to tensorrt with the tensorrt package installed"
        ) from error


def program_of(part: Part, device: str) -> Any:
    """``part`` as a ``torch.export.ExportedProgram`` on ``device``, with its free dimensions."""
    import torch

    from mien.engine.runtime.graphs.torch_graph import TorchGraph

    proto = load_proto(part.onnx)
    module = TorchGraph(proto).to(device).eval()
    example = tuple(torch.zeros(best, dtype=kind, device=device) for (_, best, _), kind in _inputs(part))
    return torch.export.export(_named(module), example, dynamic_shapes=_dynamic(proto, part))


def _inputs(part: Part) -> list[tuple[Any, Any]]:
    """Shapes (smallest, best, largest) and torch dtype of each input, in the graph's order."""
    import torch
    from onnx import helper

    return [
        (
            part.profile.shapes[value.name],
            torch.from_numpy(
                np.zeros(1, helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
            ).dtype,
        )
        for value in load_proto(part.onnx).graph.input
    ]


def _named(module: Any) -> Any:
    """``module`` with its inputs' names as parameters: torch names an engine's inputs after them."""
    import torch

    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module  # not "graph", an attribute of every torch.fx module

    names = ", ".join(module.input_names)
    space: dict[str, Any] = {}
    # Names come from our own graphs; torch reads the signature of forward, and *inputs has no names.
    exec(f"def forward(self, {names}):\n    return self.network({names})", space)
    Named.forward = space["forward"]
    return Named()


def _dynamic(proto: Any, part: Part) -> Any:
    """A symbol for each dimension left open by graph and profile; equal names share one."""
    import torch

    symbols: dict[str, Any] = {}
    found = []
    for value in proto.graph.input:
        low, _, high = part.profile.shapes[value.name]
        free = {}
        for index, size in enumerate(value.type.tensor_type.shape.dim):
            if size.dim_param and low[index] < high[index]:
                symbol = torch.export.Dim(size.dim_param, min=low[index], max=high[index])
                free[index] = symbols.setdefault(size.dim_param, symbol)
        found.append(free or None)
    return tuple(found) if symbols else None
