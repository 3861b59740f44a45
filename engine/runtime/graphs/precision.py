"""Conversion of an FP32 graph to FP16 with FP32 islands, with the casts written into the graph.

TensorRT is strongly typed (TensorRT for RTX exclusively): a layer computes in the type of its inputs, and
there is no FP16 flag, so precision is a property of the graph.  The rule:

* learned convolutions have FP16 inputs and outputs;
* operators that only move or mix their results (:data:`_PASSING`) stay in FP16 while all their inputs do;
* everything else is FP32: landmark and grid arithmetic, exponentials, softmax, sigmoid, reductions, matrix
  products, ``GridSample`` (image and grid), fixed blurs (grouped convolutions), the graph's inputs and
  outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mien.engine.runtime.graphs.editing import Graph

_CONVOLUTIONS = ("Conv", "ConvTranspose")

#: Operators that neither sum over many values nor amplify errors, with those of their inputs that carry data.
_PASSING: dict[str, slice] = {
    "Relu": slice(0, 1),
    "LeakyRelu": slice(0, 1),
    "AveragePool": slice(0, 1),
    "MaxPool": slice(0, 1),
    "Resize": slice(0, 1),
    "DepthToSpace": slice(0, 1),
    "SpaceToDepth": slice(0, 1),
    "Reshape": slice(0, 1),
    "Transpose": slice(0, 1),
    "Slice": slice(0, 1),
    "Pad": slice(0, 1),
    "Concat": slice(None),
    "Add": slice(None),
    "Identity": slice(0, 1),
}


def half_convolutions(proto: Any) -> Any:
    """Copy the ``onnx.ModelProto`` with learned convolutions in FP16 (see the rule above).

    Values keep their names; the graph's inputs and outputs keep their types.
    """
    copied = type(proto)()
    copied.CopyFrom(proto)
    _Halving(copied).run()
    return copied


class _Halving:
    def __init__(self, proto: Any) -> None:
        self.graph = Graph(proto)
        self.half: set[str] = set()  # values in FP16 under their own name
        self.made: set[str] = set()  # casts that exist already
        self.floats = self._float_values(proto)

    @staticmethod
    def _float_values(proto: Any) -> set[str]:
        """Values of type FP32; integers and booleans are left alone."""
        import onnx

        inferred = onnx.shape_inference.infer_shapes(proto).graph
        values = (*inferred.input, *inferred.value_info, *inferred.output)
        return {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}

    def run(self) -> None:
        for node in list(self.graph.proto.graph.node):
            if _learned(node):
                self._convolution(node)
            elif node.op_type == "BatchNormalization" and node.input[0] in self.half:
                self._normalisation(node)
            elif node.op_type in _PASSING and self._stays_half(node):
                data = range(len(node.input))[_PASSING[node.op_type]]
                for index in data:
                    node.input[index] = self._as_half(node.input[index])
                self._emit_half(node)
            else:
                for index, name in enumerate(node.input):
                    if name in self.half:
                        node.input[index] = self._as_float(name)
                self.graph.nodes.append(node)
        self.graph.finish()

    def _stays_half(self, node: Any) -> bool:
        data = list(node.input)[_PASSING[node.op_type]]
        if node.op_type == "Concat" and any(name in self.half for name in data):
            # The input of a following convolution would be rounded anyway.
            readers = [r for name in node.output for r in self.graph.readers[name]]
            if readers and all(_learned(reader) for reader in readers):
                return all(name in self.half or name in self.floats for name in data)
        return all(name in self.half for name in data)

    def _convolution(self, node: Any) -> None:
        node.input[0] = self._as_half(node.input[0])
        for index in range(1, len(node.input)):
            name = node.input[index]
            value = self.graph.constant(name)
            if value is None:  # computed weights
                node.input[index] = self._as_half(name)
                continue
            node.input[index] = self.graph.add_constant(f"{name}.fp16", value.astype(np.float16))
        self._emit_half(node)

    def _normalisation(self, node: Any) -> None:
        """In inference a scale and a shift per channel: both FP16, computed in FP64."""
        from onnx import helper

        values = [self.graph.constant(name) for name in list(node.input)[1:5]]
        if any(value is None for value in values):
            node.input[0] = self._as_float(node.input[0])
            self.graph.nodes.append(node)
            return
        scale, shift, mean, variance = (np.asarray(v, np.float64) for v in values)
        epsilons = [a.f for a in node.attribute if a.name == "epsilon"]
        factor = scale / np.sqrt(variance + (epsilons[0] if epsilons else 1e-5))
        name = node.output[0]
        pair = (("scale", factor), ("shift", shift - mean * factor))
        made = [
            self.graph.add_constant(f"{name}.{part}.fp16", value.astype(np.float16)[None, :, None, None])
            for part, value in pair
        ]
        scaled = self.graph.add("Mul", (node.input[0], made[0]), f"{name}.scaled")
        self._emit_half(helper.make_node("Add", [scaled, made[1]], [name], f"{name}.shifted"))

    def _emit_half(self, node: Any) -> None:
        """Append a node with FP16 results; the graph's outputs stay FP32 under their names."""
        name = node.output[0]
        if name in self.graph.outputs:
            node.output[0] = f"{name}.half"
            self.made.add(f"{name}.half")
            self.graph.nodes.append(node)
            self._cast(f"{name}.half", name, half=False)
            return
        self.graph.nodes.append(node)
        self.half.add(name)

    def _as_half(self, name: str) -> str:
        if name in self.half:
            return name
        if f"{name}.half" not in self.made:
            self.made.add(self._cast(name, f"{name}.half", half=True))
        return f"{name}.half"

    def _as_float(self, name: str) -> str:
        if f"{name}.float" not in self.made:
            self.made.add(self._cast(name, f"{name}.float", half=False))
        return f"{name}.float"

    def _cast(self, name: str, to: str, *, half: bool) -> str:
        from onnx import TensorProto

        return self.graph.add("Cast", (name,), to, to=TensorProto.FLOAT16 if half else TensorProto.FLOAT)


def _learned(node: Any) -> bool:
    """Whether a convolution is over channels; a grouped one is a fixed blur, which stays exact."""
    if node.op_type not in _CONVOLUTIONS:
        return False
    return all(a.i == 1 for a in node.attribute if a.name == "group")
