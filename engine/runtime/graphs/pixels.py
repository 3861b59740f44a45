"""The encoder with the portrait's bytes as input: no conversion on the host, a quarter of the upload."""

from __future__ import annotations

from typing import Any

PIXELS = "pixels"


def uint8_source(proto: Any, source: str = "source") -> Any:
    """Copy the ``onnx.ModelProto``, with input ``source`` ``(1, 3, H, W)`` in 0..1 computed from bytes.

    The new input is ``pixels`` ``(1, H, W, 3) uint8`` RGB; ``source`` becomes an output, because the renderer
    needs it, too.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    copied = type(proto)()
    copied.CopyFrom(proto)
    graph = copied.graph
    old = next(value for value in graph.input if value.name == source)
    batch, channels, height, width = (dim.dim_value for dim in old.type.tensor_type.shape.dim)
    inputs = [value for value in graph.input if value.name != source]
    pixels = helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, (batch, height, width, channels))
    graph.output.add().CopyFrom(old)
    del graph.input[:]
    graph.input.extend([pixels, *inputs])
    graph.initializer.append(numpy_helper.from_array(np.array(255, np.float32), f"{PIXELS}.white"))
    nodes = [
        helper.make_node("Cast", [PIXELS], [f"{PIXELS}.float"], f"{PIXELS}.float", to=TensorProto.FLOAT),
        helper.make_node(
            "Transpose", [f"{PIXELS}.float"], [f"{PIXELS}.planes"], f"{PIXELS}.planes", perm=[0, 3, 1, 2]
        ),
        helper.make_node("Div", [f"{PIXELS}.planes", f"{PIXELS}.white"], [source], source),
    ]
    for node in reversed(nodes):
        graph.node.insert(0, node)
    return copied
