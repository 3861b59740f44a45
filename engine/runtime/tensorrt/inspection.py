"""Verification that TensorRT read a graph as written; applied to every network before it is built.

Opset 20's ``linear`` is silently read as NEAREST by some versions (NVIDIA/TensorRT#4646), and one lost type
would turn a half-precision engine into a single-precision one, or vice versa.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.types import ModelError

_MODES = {
    b"bilinear": "LINEAR",
    b"linear": "LINEAR",
    b"bicubic": "CUBIC",
    b"cubic": "CUBIC",
    b"nearest": "NEAREST",
}


@dataclass(frozen=True, slots=True)
class NetworkTypes:
    """Counts of types and modes in a network.

    Attributes:
        convolutions, grids: element types (``"HALF"``, ``"FLOAT"``) of convolution results and of
            ``GridSample``'s grids, with their counts.
        modes: interpolation modes of the ``GridSample`` layers, likewise.
    """

    convolutions: Counter[str]
    grids: Counter[str]
    modes: Counter[str]


def network_types(trt: Any, network: Any) -> NetworkTypes:
    """Count types and modes in a parsed network."""
    found = NetworkTypes(Counter(), Counter(), Counter())
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type in (trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION):
            found.convolutions[layer.get_output(0).dtype.name] += 1
        if layer.type == trt.LayerType.GRID_SAMPLE:
            layer.__class__ = trt.IGridSampleLayer
            found.grids[layer.get_input(1).dtype.name] += 1
            found.modes[layer.interpolation_mode.name] += 1
    return found


def check_network(trt: Any, network: Any, onnx: bytes) -> None:
    """Raise :class:`MienError` unless modes and types in ``network`` are those written in ``onnx``."""
    from onnx import helper

    proto = load_proto(onnx)
    found = network_types(trt, network)
    samplers = [node for node in proto.graph.node if node.op_type == "GridSample"]
    modes = Counter(
        _MODES[next((helper.get_attribute_value(a) for a in node.attribute if a.name == "mode"), b"linear")]
        for node in samplers
    )
    if found.modes != modes:
        raise ModelError(
            f"this TensorRT reads GridSample as {dict(found.modes)}, the model has {dict(modes)}: "
            "use another version"
        )
    if set(found.grids) - {"FLOAT"}:
        raise ModelError(f"GridSample's grids are {dict(found.grids)} in TensorRT's network, not all FP32")
    halves = sum(
        node.op_type in ("Conv", "ConvTranspose") and _is_half(proto, node) for node in proto.graph.node
    )
    if found.convolutions["HALF"] != halves:
        raise ModelError(
            f"{found.convolutions['HALF']} convolutions are FP16 in TensorRT's network, {halves} in the model"
        )


def _is_half(proto: Any, node: Any) -> bool:
    from onnx import TensorProto

    weights = {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
    return weights.get(node.input[1]) == TensorProto.FLOAT16
