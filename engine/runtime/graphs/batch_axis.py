"""Conversion of a graph exported at batch 1 to a free batch size, so that several sessions share a call.

Torch writes the batch into constants: ``Reshape`` and ``Resize`` targets, and constants concatenated with
data.  These are found by their dependence on the graph's inputs and made to follow the first input's batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.engine.runtime.graphs.editing import Graph, inferred_shapes, tainted
from mien.engine.types import ModelError

BATCH = "batch"
_COUNT = "batch.count"


def dynamic_batch(proto: Any) -> Any:
    """Copy the ``onnx.ModelProto`` with a free leading dimension ``batch`` in its inputs and outputs.

    Raises:
        ModelError: an input has no leading dimension of 1, so there is no batch to free.
    """
    copied = type(proto)()
    copied.CopyFrom(proto)
    shapes = inferred_shapes(copied)
    for value in copied.graph.input:
        if not shapes[value.name] or shapes[value.name][0] != 1:
            raise ModelError(f"input {value.name!r} of the model has no batch of 1, but {shapes[value.name]}")
    _Freeing(copied, shapes).run()
    for value in (*copied.graph.input, *copied.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    return copied


class _Freeing:
    def __init__(self, proto: Any, shapes: Mapping[str, Sequence[int]]) -> None:
        self.graph = Graph(proto)
        self.shapes = shapes
        self.data = tainted(proto, (value.name for value in proto.graph.input))
        self.counted = False
        self.spread: set[str] = set()

    def run(self) -> None:
        for node in list(self.graph.proto.graph.node):
            if any(name in self.data for name in node.input):
                if node.op_type == "Reshape":
                    self._reshape(node)
                elif node.op_type == "Resize":
                    self._resize(node)
                elif (node.op_type == "Concat" and self._axis(node) != 0) or node.op_type == "GridSample":
                    for index, name in enumerate(node.input):
                        if name not in self.data:
                            node.input[index] = self._spread(name)
            self.graph.nodes.append(node)
        self.graph.finish()

    def _axis(self, node: Any) -> int:
        axis = next(a.i for a in node.attribute if a.name == "axis")
        return int(axis) % len(self.shapes[node.output[0]])

    def _reshape(self, node: Any) -> None:
        """Infer the leading dimension, which contains the batch (alone or as a factor), from the others."""
        target = self.graph.constant(node.input[1])
        if node.input[0] not in self.data or target is None:
            return
        shape = [int(size) for size in self.shapes[node.output[0]]]
        if 0 in shape:
            raise ModelError(f"the shape of {node.output[0]!r} in the model is not known")
        shape[0] = -1
        name = "reshape." + "x".join(map(str, shape))
        node.input[1] = self.graph.add_constant(name, np.array(shape, np.int64))

    def _resize(self, node: Any) -> None:
        """Replace target sizes, which contain the batch, by ratios, which do not."""
        if len(node.input) < 4 or not node.input[3]:
            return
        before, after = self.shapes[node.input[0]], self.shapes[node.output[0]]
        ratios = [new / old for new, old in zip(after, before, strict=True)]
        name = "resize." + "x".join(f"{ratio:g}" for ratio in ratios)
        node.input[2] = self.graph.add_constant(name, np.array(ratios, np.float32))
        del node.input[3:]

    def _spread(self, name: str) -> str:
        """Repeat a constant with a leading 1 for every item of the batch."""
        shape = self.shapes[name]
        if shape[0] != 1:
            return name
        if name not in self.spread:
            ones = self.graph.add_constant(f"ones.{len(shape) - 1}", np.ones(len(shape) - 1, np.int64))
            target = self.graph.add("Concat", (self._count(), ones), f"{name}.shape", axis=0)
            self.graph.add("Expand", (name, target), f"{name}.spread")
            self.spread.add(name)
        return f"{name}.spread"

    def _count(self) -> str:
        if not self.counted:
            first = self.graph.proto.graph.input[0].name
            self.graph.add("Shape", (first,), _COUNT, start=0, end=1)
            self.counted = True
        return _COUNT
