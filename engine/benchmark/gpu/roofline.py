"""Roofline of a network on a GPU: its arithmetic and memory traffic at the GPU's measured rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Layer:
    """Work of one layer for one item.

    Attributes:
        flops: multiplications and additions.
        moved: bytes of activations read and written.
        weights: bytes of weights, read once for a whole batch.
    """

    flops: int
    moved: int
    weights: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured rates of the GPU: FLOP/s of a large FP16 matrix product, bytes/s of a large copy."""

    flops: float
    bytes: float


def layers_of(proto: Any, element: int = 2) -> list[Layer]:
    """The convolutions and matrix products of an ``onnx.ModelProto`` with batch 1 and known shapes.

    Everything between them can be fused into them and adds nothing here: this is a bound, not a forecast.

    Args:
        element: bytes per activation or weight of a convolution; matrix products are FP32.
    """
    from mien.engine.runtime.graphs.editing import inferred_shapes

    shapes = inferred_shapes(proto)
    constants = {tensor.name for tensor in proto.graph.initializer}
    casts = {n.output[0] for n in proto.graph.node if n.op_type == "Cast" and n.input[0] in constants}
    found = []
    for node in proto.graph.node:
        if node.op_type == "Conv":
            weight, out = shapes[node.input[1]], shapes[node.output[0]]
            size = math.prod(weight)
            moved = element * (math.prod(shapes[node.input[0]]) + math.prod(out))
            found.append(Layer(2 * math.prod(out[2:]) * size, moved, element * size))
        elif node.op_type == "MatMul":
            left, out = shapes[node.input[0]], shapes[node.output[0]]
            sizes = [4 * math.prod(shapes[name]) for name in node.input]
            fixed = [name in constants or name in casts for name in node.input]
            weights = sum(size for size, constant in zip(sizes, fixed, strict=True) if constant)
            moved = 4 * math.prod(out) + sum(sizes) - weights
            found.append(Layer(2 * math.prod(out) * left[-1], moved, weights))
    return found


def bound_ms(layers: list[Layer], rates: Rates, batch: int = 1) -> float:
    """Minimum milliseconds per batch: each layer limited by arithmetic or by traffic."""
    return 1e3 * sum(
        max(batch * layer.flops / rates.flops, (batch * layer.moved + layer.weights) / rates.bytes)
        for layer in layers
    )


def gflops(layers: list[Layer]) -> float:
    """Arithmetic of one item, in 10^9 operations."""
    return sum(layer.flops for layer in layers) / 1e9
