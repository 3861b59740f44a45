"""What each ONNX operator of our exports computes, in torch: inputs and attributes to one tensor or several.

In the forms in which they occur in those exports; :mod:`mien.engine.runtime.graphs.torch_graph` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.engine.types import ModelError

Operator = Callable[[Sequence[Any], Mapping[str, Any]], Any]


def _ints(value: Any) -> list[int]:
    return [int(v) for v in (value.tolist() if isinstance(value, Tensor) else value)]


def _conv(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    begin, end = _pads(a.get("pads", (0, 0, 0, 0)))
    data, weight, bias = x[0], x[1], x[2] if len(x) > 2 else None
    if begin != end:  # TensorFlow's asymmetric padding (ImageNet features of a portrait)
        data = F.pad(data, (begin[1], end[1], begin[0], end[0]))
        begin = (0, 0)
    settings = (a.get("strides", (1, 1)), begin, a.get("dilations", (1, 1)), a.get("group", 1))
    if data.dtype == torch.float16 and data.device.type == "cpu":
        # As a GPU does: FP16 in and out, FP32 sums. A CPU's own FP16 convolution is far slower.
        wide = F.conv2d(data.float(), weight.float(), None if bias is None else bias.float(), *settings)
        return wide.half()
    return F.conv2d(data, weight, bias, *settings)


def _pads(pads: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    half = len(pads) // 2
    return tuple(pads[:half]), tuple(pads[half:])


def _pool(function: Callable[..., Tensor]) -> Operator:
    def run(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
        begin, end = _pads(a.get("pads", (0, 0, 0, 0)))
        if begin != end:
            raise ModelError("The graph pools with another margin at its end than at its beginning.")
        return function(x[0], tuple(a["kernel_shape"]), tuple(a.get("strides", (1, 1))), begin)

    return run


def _grid_sample(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    mode = a.get("mode", b"linear").decode()
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    padding = a.get("padding_mode", b"zeros").decode()
    return F.grid_sample(
        x[0], x[1].to(x[0].dtype), mode, padding, align_corners=bool(a.get("align_corners", 0))
    )


def _resize(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    size = _ints(x[3])[2:] if len(x) > 3 and x[3] is not None else None
    if size is None:
        size = [round(n * s) for n, s in zip(x[0].shape[2:], x[2].tolist()[2:], strict=True)]
    mode = a.get("mode", b"nearest")
    if mode == b"nearest":
        return F.interpolate(x[0], size=size, mode="nearest")
    aligned = a.get("coordinate_transformation_mode", b"half_pixel") == b"align_corners"
    return F.interpolate(x[0], size=size, mode="bilinear", align_corners=aligned)


def _slice(x: Sequence[Any], a: Mapping[str, Any]) -> Any:
    starts, ends = _ints(x[1]), _ints(x[2])
    axes = _ints(x[3]) if len(x) > 3 and x[3] is not None else list(range(len(starts)))
    steps = _ints(x[4]) if len(x) > 4 and x[4] is not None else [1] * len(starts)
    where = [slice(None)] * x[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        where[axis] = slice(start, end, step)
    return x[0][tuple(where)]


def _gather(x: Sequence[Any], a: Mapping[str, Any]) -> Any:
    axis = a.get("axis", 0)
    if x[1].ndim == 0:
        return x[0].select(axis, int(x[1]))
    return x[0].index_select(axis, x[1].flatten()).unflatten(axis, tuple(x[1].shape))


def _reshape(x: Sequence[Any], a: Mapping[str, Any]) -> Any:
    shape = [x[0].shape[i] if n == 0 else n for i, n in enumerate(_ints(x[1]))]
    return x[0].reshape(shape)


def _unsqueeze(x: Sequence[Any], a: Mapping[str, Any]) -> Any:
    rank = x[0].ndim + x[1].numel()
    value = x[0]
    for axis in sorted(axis % rank for axis in _ints(x[1])):
        value = value.unsqueeze(axis)
    return value


def _squeeze(x: Sequence[Any], a: Mapping[str, Any]) -> Any:
    return x[0].squeeze(tuple(_ints(x[1]))) if len(x) > 1 else x[0].squeeze()


def _reduced(function: Callable[..., Tensor]) -> Operator:
    def run(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
        axes = _ints(x[1]) if len(x) > 1 and x[1] is not None else list(a.get("axes", range(x[0].ndim)))
        return function(x[0], tuple(axes), keepdim=bool(a.get("keepdims", 1)))

    return run


def _pad(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    begin, end = _pads(_ints(x[1]))
    flat = [n for pair in zip(reversed(begin), reversed(end), strict=True) for n in pair]
    mode = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}[
        a.get("mode", b"constant").decode()
    ]
    if mode != "constant":
        flat = flat[: 2 * (x[0].ndim - 2)]
    return F.pad(x[0], flat, mode)


def _depth_to_space(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    if a.get("mode", b"DCR") != b"CRD":
        raise ModelError("DepthToSpace of the model is not in torch's order")
    return F.pixel_shuffle(x[0], a["blocksize"])


def _clip(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    low, high = (x[i] if len(x) > i else None for i in (1, 2))
    value: Tensor = x[0]
    if low is not None:
        value = torch.maximum(value, low)
    return value if high is None else torch.minimum(value, high)


def _cast(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    from onnx import helper

    kind = np.dtype(helper.tensor_dtype_to_np_dtype(a["to"]))
    return x[0].to(torch.from_numpy(np.zeros(1, kind)).dtype)  # type: ignore[no-any-return]


def _expand(x: Sequence[Any], a: Mapping[str, Any]) -> Any:
    shape = torch.broadcast_shapes(x[0].shape, tuple(_ints(x[1])))  # type: ignore[no-untyped-call]
    return x[0].expand(shape)


def _shape(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    return torch.tensor(x[0].shape[a.get("start", 0) : a.get("end", x[0].ndim)])


def _batch_norm(x: Sequence[Any], a: Mapping[str, Any]) -> Tensor:
    return F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=a.get("epsilon", 1e-5))


def _split(x: Sequence[Any], a: Mapping[str, Any]) -> Any:
    axis = a.get("axis", 0)
    sizes = _ints(x[1]) if len(x) > 1 and x[1] is not None else x[0].shape[axis] // a["num_outputs"]
    return torch.split(x[0], sizes, axis)


OPERATORS: dict[str, Operator] = {
    "Add": lambda x, a: x[0] + x[1],
    "Sub": lambda x, a: x[0] - x[1],
    "Mul": lambda x, a: x[0] * x[1],
    "Div": lambda x, a: x[0] / x[1],
    "Pow": lambda x, a: x[0] ** x[1],
    "Neg": lambda x, a: -x[0],
    "Abs": lambda x, a: x[0].abs(),
    "Exp": lambda x, a: x[0].exp(),
    "Log": lambda x, a: x[0].log(),
    "Sqrt": lambda x, a: x[0].sqrt(),
    "Reciprocal": lambda x, a: x[0].reciprocal(),
    "Tanh": lambda x, a: x[0].tanh(),
    "Sigmoid": lambda x, a: x[0].sigmoid(),
    "Floor": lambda x, a: x[0].floor(),
    "Sin": lambda x, a: x[0].sin(),
    "Cos": lambda x, a: x[0].cos(),
    "Min": lambda x, a: torch.minimum(x[0], x[1]),
    "Max": lambda x, a: torch.maximum(x[0], x[1]),
    "Less": lambda x, a: x[0] < x[1],
    "LessOrEqual": lambda x, a: x[0] <= x[1],
    "Greater": lambda x, a: x[0] > x[1],
    "GreaterOrEqual": lambda x, a: x[0] >= x[1],
    "Equal": lambda x, a: x[0] == x[1],
    "Where": lambda x, a: torch.where(x[0], x[1], x[2]),
    "Relu": lambda x, a: F.relu(x[0]),
    "LeakyRelu": lambda x, a: F.leaky_relu(x[0], a.get("alpha", 0.01)),
    "Softmax": lambda x, a: x[0].softmax(a.get("axis", -1)),
    "MatMul": lambda x, a: x[0] @ x[1],
    "Identity": lambda x, a: x[0],
    "Transpose": lambda x, a: x[0].permute(tuple(a["perm"])),
    "Concat": lambda x, a: torch.cat(tuple(x), a["axis"]),
    "ReduceSum": _reduced(torch.sum),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMin": _reduced(torch.amin),
    "ReduceL2": _reduced(lambda x, axes, keepdim: torch.linalg.vector_norm(x, dim=axes, keepdim=keepdim)),
    "AveragePool": _pool(partial(F.avg_pool2d, count_include_pad=False)),
    "MaxPool": _pool(F.max_pool2d),
    "Conv": _conv,
    "GridSample": _grid_sample,
    "Resize": _resize,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Reshape": _reshape,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "Clip": _clip,
    "Cast": _cast,
    "Expand": _expand,
    "Shape": _shape,
    "BatchNormalization": _batch_norm,
}

#: Inputs that are parameters rather than data: the host reads them, so they stay there unchanged.
HOST_INPUTS: dict[str, tuple[int, ...]] = {
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Unsqueeze": (1,),
    "Squeeze": (1,),
    "Pad": (1,),
    "Expand": (1,),
    "ReduceSum": (1,),
    "ReduceMean": (1,),
    "ReduceMax": (1,),
    "ReduceMin": (1,),
    "ReduceL2": (1,),
    "Split": (1,),
}
