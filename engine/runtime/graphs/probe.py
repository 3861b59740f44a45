"""Inner values of a graph as outputs, for comparing two runtimes layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Operators worth comparing: where sums are formed, functions applied, images sampled.
_TELLING = {
    "Conv", "ConvTranspose", "GridSample", "MatMul", "Gemm", "Resize", "Exp", "Softmax", "Tanh", "Sigmoid",
    "BatchNormalization", "Div", "Sqrt", "ReduceSum", "ReduceL2",
}  # fmt: skip


def probe_points(proto: Any) -> tuple[str, ...]:
    """Names of the FP32 values worth comparing, in the order of computation."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(proto).graph
    floats = {
        value.name
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    return tuple(
        name
        for node in proto.graph.node
        if node.op_type in _TELLING
        for name in node.output
        if name in floats
    )


def probe(proto: Any, names: Sequence[str]) -> Any:
    """Copy the ``onnx.ModelProto`` with exactly these values as its outputs."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(proto)
    known = {value.name: value for value in (*inferred.graph.value_info, *inferred.graph.output)}
    copied = type(proto)()
    copied.CopyFrom(proto)
    del copied.graph.output[:]
    copied.graph.output.extend(known[name] for name in names)
    return copied
