"""Shared helpers of the rewrites: producers and consumers of values, constants, node replacement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import ModelError


def load_proto(content: bytes) -> Any:
    """Parse the ``onnx.ModelProto`` in ``content``.

    Raises:
        ModelError: the ``onnx`` package is missing, or ``content`` is not a valid ONNX file.
    """
    try:
        import onnx
    except ImportError as error:
        raise ModelError(
            'building GPU engines needs the package "onnx". '
            'Install it: python -m pip install "mien[tensorrt]"'
        ) from error
    try:
        proto = onnx.load_from_string(content)
        onnx.checker.check_model(proto)
    except Exception as error:  # protobuf's and the checker's errors share no base class
        raise ModelError(f"not a valid ONNX model: {str(error).splitlines()[0][:200]}") from error
    return proto


def inferred_shapes(proto: Any) -> dict[str, list[int]]:
    """Static shapes of all values for which they can be inferred."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(proto).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return shapes


class Graph:
    """A graph being rewritten in place: nodes are appended to :attr:`nodes` in their new order."""

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.constants: dict[str, Any] = {tensor.name: tensor for tensor in proto.graph.initializer}
        self.producers = {name: node for node in proto.graph.node for name in node.output}
        self.readers: dict[str, list[Any]] = defaultdict(list)
        for node in proto.graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.outputs = {value.name for value in proto.graph.output}
        self.nodes: list[Any] = []

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value of ``name`` if it is a constant of the graph, or a cast of one."""
        from onnx import helper, numpy_helper

        if name in self.constants:
            return np.asarray(numpy_helper.to_array(self.constants[name]))
        node = self.producers.get(name)
        if node is None:
            return None
        if node.op_type == "Constant":
            return np.asarray(numpy_helper.to_array(helper.get_node_attr_value(node, "value")))
        if node.op_type == "Cast" and node.input[0] in self.constants:
            kind = helper.tensor_dtype_to_np_dtype(helper.get_node_attr_value(node, "to"))
            return np.asarray(numpy_helper.to_array(self.constants[node.input[0]])).astype(kind)
        return None

    def add_constant(self, name: str, value: NDArray[Any]) -> str:
        """Store ``value`` under ``name`` (once per name) and return the name."""
        from onnx import numpy_helper

        if name not in self.constants:
            tensor = numpy_helper.from_array(np.ascontiguousarray(value), name)
            self.proto.graph.initializer.append(tensor)
            self.constants[name] = tensor
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append a node that produces ``output`` and return that name."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [output], output, **attributes))
        return output

    def finish(self) -> None:
        """Replace the old nodes by the new ones, and drop constants without readers."""
        graph = self.proto.graph
        # Nodes that produce a value without readers (a weight's cast, say) are dropped.
        needed = set(self.outputs)
        kept = []
        for node in reversed(self.nodes):
            if any(name in needed for name in node.output):
                needed.update(node.input)
                kept.append(node)
        del graph.node[:]
        graph.node.extend(reversed(kept))
        unread = [tensor for tensor in graph.initializer if tensor.name not in needed]
        for tensor in unread:
            graph.initializer.remove(tensor)
        del graph.value_info[:]


def tainted(proto: Any, sources: Iterable[str]) -> set[str]:
    """All values that depend on ``sources``."""
    found = set(sources)
    for node in proto.graph.node:
        if any(name in found for name in node.input):
            found.update(node.output)
    return found
