"""Search for the first wrong layer: inner values of a TensorRT engine against OpenVINO in FP32."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.runtime.cuda import Cuda
from mien.engine.runtime.graphs import half_convolutions, probe, probe_points
from mien.engine.runtime.graphs.editing import inferred_shapes, load_proto
from mien.engine.runtime.tensorrt.backend import Backend, Profile
from mien.engine.runtime.tensorrt.call import EngineCall
from mien.engine.utils.openvino_core import compile_for_cpu, core

TOLERANCE = 0.05
"""Largest difference attributed to FP16 in a layer, relative to the layer's largest value."""


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """Difference of one layer's values from the reference.

    Attributes:
        layer, kind: its name in the graph, and its operator.
        largest: the reference's largest absolute value.
        maximum, mean: absolute differences.
        finite: whether all values are finite.
    """

    layer: str
    kind: str
    largest: float
    maximum: float
    mean: float
    finite: bool

    @property
    def relative(self) -> float:
        return self.maximum / max(self.largest, 1e-6)

    @property
    def wrong(self) -> bool:
        return not self.finite or not self.relative <= TOLERANCE


def compare_layers(
    backend: Backend, cuda: Cuda, onnx: bytes, inputs: Mapping[str, NDArray[Any]], *, half: bool = True
) -> list[LayerDifference]:
    """Compare all relevant layers, in the order of computation.

    Args:
        onnx: an exported network, FP32, batch 1; ``half`` compares its FP16 form as an engine.
        inputs: one frame's inputs.

    Raises:
        EngineError: the engine with these outputs cannot be built.
    """
    proto = load_proto(onnx)
    names = probe_points(proto)
    expected = _on_cpu(probe(proto, names), inputs)
    candidate = probe(half_convolutions(proto) if half else proto, names)
    shapes = {
        name: tuple(shape) for name, shape in inferred_shapes(proto).items() if name in {*names, *inputs}
    }
    found = _on_gpu(backend, cuda, candidate, inputs, {name: shapes[name] for name in names})
    kinds = {name: node.op_type for node in proto.graph.node for name in node.output}
    return [_difference(name, kinds[name], expected[name], found[name]) for name in names]


def first_wrong(layers: Sequence[LayerDifference]) -> LayerDifference | None:
    """The first wrong layer; later ones inherit its error."""
    return next((layer for layer in layers if layer.wrong), None)


def write_dump(layers: Sequence[LayerDifference], path: Path) -> bool:
    """Write all layers as JSON; returns False if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(layer) for layer in layers], indent=1) + "\n", encoding="utf-8")
    except OSError:
        return False
    return True


def _difference(name: str, kind: str, expected: NDArray[Any], found: NDArray[Any]) -> LayerDifference:
    apart = np.abs(found.astype(np.float64) - expected)
    finite = bool(np.isfinite(found).all())
    return LayerDifference(
        name, kind, float(np.abs(expected).max()), float(apart.max()), float(apart.mean()), finite
    )


def _on_cpu(proto: Any, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    content = proto.SerializeToString()
    compiled = compile_for_cpu(core().read_model(content, b""), threads=2, precision="f32")
    result = compiled(dict(inputs))
    # A value may have several names by now; each is requested by the graph's own.
    return {name: np.array(result[name]) for name in (value.name for value in proto.graph.output)}


def _on_gpu(
    backend: Backend,
    cuda: Cuda,
    proto: Any,
    inputs: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, tuple[int, ...]],
) -> dict[str, NDArray[Any]]:
    profile = Profile({name: (values.shape,) * 3 for name, values in inputs.items()})
    with ExitStack() as stack:
        engine = backend.load(backend.build(proto.SerializeToString(), profile))
        stack.callback(engine.close)
        stream = cuda.create_stream()
        stack.callback(cuda.release_stream, stream)
        shapes = {name: values.shape for name, values in inputs.items()}
        call = EngineCall(cuda, engine, shapes, outputs)
        stack.callback(call.close)
        return {name: values.copy() for name, values in call(stream, inputs).items()}
