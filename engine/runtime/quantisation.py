"""The renderer network in eight-bit integers.

Convolutions take nearly all of its time, and processors multiply bytes two to four times as fast as floats.
Each convolution's input is rounded to 256 levels between two bounds, each output channel's weights to 255
(Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
CVPR 2018, section 2); all else, the landmarks' arithmetic and the warps, stays in FP32.  OpenVINO turns the
roundings into integer kernels.

The bounds belong to the weights: ``mien export`` measures them (:mod:`mien.export.calibration`) and writes
them into the renderer's file.

CPU time of a run, one thread, Xeon without AMX: 20 ms (FP32 48, bfloat16 80); with AVX2 alone 49 (FP32 87).
In opened mouths (22 frames, 16 people not used for the bounds) paint differs by 0.14 grey levels in the mean,
the flow by 0.03 of 256 pixels.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mien.engine.types import Floats
from mien.engine.utils.openvino_core import compile_for_cpu, load_openvino

Bounds = Mapping[str, tuple[float, float]]
"""Least and largest input of each convolution, by its name."""

KEY = "int8_bounds"
"""Name of the bounds in the file's metadata, where they are JSON."""

MARGIN = 1.3
"""By how much the bounds exceed what was measured, on one face: others reach 1.34 times as far in the median
layer, and what exceeds the bounds is cut off."""

WEIGHT_LEVELS, LEVELS = 255, 256


def bounds_of(model: Any) -> Bounds:
    """The bounds in the file that ``model`` (``openvino.Model``) was read from; empty if it has none."""
    try:
        found = json.loads(model.get_rt_info(["framework", KEY]).astype(str))
        return {str(name): (float(low), float(high)) for name, (low, high) in found.items()}
    except (RuntimeError, ValueError, TypeError, AttributeError):
        return {}


def int8_pays() -> bool:
    """Whether integers are faster here: on every x86 processor that OpenVINO runs on."""
    return platform.machine().lower() in ("x86_64", "amd64")


def measured_bounds(model: Any, samples: Iterable[Mapping[str, Floats]]) -> dict[str, tuple[float, float]]:
    """The bounds by running ``model`` in FP32.

    Args:
        model: ``openvino.Model``, unchanged.
        samples: inputs by name; every one of the network's.
    """
    openvino = load_openvino()
    watched = model.clone()
    convolutions = _convolutions(watched)
    inputs = [openvino.opset13.result(node.input_value(0)) for node in convolutions]
    watched = openvino.Model(inputs, watched.get_parameters())
    request = compile_for_cpu(watched, threads=1, precision="f32", name="bounds").create_infer_request()
    found: dict[str, tuple[float, float]] = {}
    for sample in samples:
        request.infer(dict(sample))
        for index, node in enumerate(convolutions):
            values = request.get_output_tensor(index).data
            low, high = found.get(_name(node), (0.0, 0.0))
            found[_name(node)] = min(low, float(values.min())), max(high, float(values.max()))
    # Three digits are the same on every processor.
    return {name: (_rounded(low), _rounded(high)) for name, (low, high) in found.items()}


def quantised(model: Any, bounds: Bounds) -> Any:
    """A copy of ``model`` whose convolutions compute in integers; those without bounds stay as they are."""
    model = model.clone()
    rounded: dict[tuple[str, int], Any] = {}
    for node in _convolutions(model):
        within = bounds.get(_name(node))
        if within is None or within[0] == within[1]:
            continue
        source = node.input_value(0)
        key = source.get_node().get_friendly_name(), source.get_index()
        if key not in rounded:
            rounded[key] = _levels(source, *_with_zero(*within), LEVELS)
        node.input(0).replace_source_output(rounded[key].output(0))
        node.input(1).replace_source_output(_rounded_weights(node.input_value(1)).output(0))
    model.validate_nodes_and_infer_types()
    return model


def _convolutions(model: Any) -> list[Any]:
    return [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]


def _name(node: Any) -> str:
    """The convolution's name in the ONNX file (OpenVINO takes its bias apart from it)."""
    return str(node.get_friendly_name()).partition("/")[0]


def _rounded(value: float) -> float:
    return float(f"{MARGIN * value:.3g}")


def _with_zero(low: float, high: float) -> tuple[float, float]:
    """The bounds moved until one of the levels between them is exactly 0, which padding is filled with."""
    step = (high - low) / (LEVELS - 1)
    zero = round(-low / step)
    return -zero * step, (LEVELS - 1 - zero) * step


def _levels(source: Any, low: Any, high: Any, levels: int) -> Any:
    limits = [np.asarray(limit, np.float32) for limit in (low, high, low, high)]
    return load_openvino().opset13.fake_quantize(source, *limits, levels)


def _rounded_weights(source: Any) -> Any:
    """The weights ``(O, I, h, w)`` as FP32, with levels for each output channel."""
    node = source.get_node()
    while node.get_type_name() == "Convert":  # files hold them in half precision
        node = node.input_value(0).get_node()
    weights = np.asarray(node.data, np.float32)
    limit = np.maximum(np.abs(weights).reshape(len(weights), -1).max(axis=1), 1e-9).reshape(-1, 1, 1, 1)
    constant = load_openvino().opset13.constant(weights)
    return _levels(constant.output(0), -limit, limit, WEIGHT_LEVELS)
