"""An exported ONNX graph as a torch module, without the code it was exported from.

Used by the torch runtime on CUDA, for baselines, and to emulate FP16 on a machine without a GPU: torch's CPU
convolutions round to half precision where the graph says so, which OpenVINO's do not.  It supports the
operators of :mod:`mien.engine.runtime.graphs.torch_operators`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.engine.runtime.graphs.torch_operators import HOST_INPUTS, OPERATORS
from mien.engine.types import ModelError


class TorchGraph(nn.Module):
    """Runs an ``onnx.ModelProto``: positional inputs in the graph's order, outputs as a tuple.

    >>> graph = TorchGraph(load_proto(content)).to("cuda")   # doctest: +SKIP
    >>> (features,) = graph(source)                          # doctest: +SKIP

    Raises:
        MienError: an unsupported operator.
    """

    def __init__(self, proto: Any) -> None:
        super().__init__()
        from onnx import helper, numpy_helper

        graph = proto.graph
        self.input_names = tuple(value.name for value in graph.input)
        self.output_names = tuple(value.name for value in graph.output)
        self._host: dict[str, Tensor] = {}
        self._weights: dict[str, str] = {}
        host = {
            name
            for node in graph.node
            for index in HOST_INPUTS.get(node.op_type, ())
            if index < len(node.input)
            for name in [node.input[index]]
        }
        constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                constants[node.output[0]] = helper.get_node_attr_value(node, "value")
        for number, (name, tensor) in enumerate(constants.items()):
            value = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
            if name in host:
                self._host[name] = value
            else:
                self._weights[name] = f"weight_{number}"
                self.register_buffer(f"weight_{number}", value)
        self._steps = []
        for node in graph.node:
            if node.op_type == "Constant":
                continue
            if node.op_type not in OPERATORS:
                raise ModelError(f"the torch runtime does not support the operator {node.op_type}")
            settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            self._steps.append((OPERATORS[node.op_type], tuple(node.input), tuple(node.output), settings))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values: dict[str, Any] = dict(zip(self.input_names, inputs, strict=True))
        values.update(self._host)
        for name, attribute in self._weights.items():
            values[name] = getattr(self, attribute)
        for operator, names, outputs, settings in self._steps:
            found = operator([values[name] if name else None for name in names], settings)
            if len(outputs) == 1:
                values[outputs[0]] = found
            else:
                values.update(zip(outputs, found, strict=True))
        return tuple(values[name] for name in self.output_names)
