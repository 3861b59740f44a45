"""Where a person is in an image: MediaPipe's Selfie Segmentation, run by OpenVINO.

OpenVINO reads all of the model but its last layer, the custom operation ``Convolution2DTransposeBias``: a
transposed convolution with 2 x 2 weights and stride 2, from 16 channels to one, and a bias, before a sigmoid.
That layer is put in its place when the model is read.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.types import Floats, Image, MienError
from mien.engine.utils.assets import SEGMENTATION
from mien.engine.utils.converted import NetworkText, compile_converted
from mien.engine.utils.openvino_core import load_openvino

SIDE = 256

CONVERSION = 1
"""Another number makes a network that :func:`read_network` converted earlier be converted anew."""

_LAST = "TFFrameworkNode"


def segmented(seen: Image) -> Floats:
    """``(SIDE, SIDE) float32`` in 0..1: where the person is in a ``(SIDE, SIDE, 3) uint8`` image (7 ms)."""
    request = segmentation_network().create_infer_request()
    found = request.infer({0: seen[None].astype(np.float32) / np.float32(255)})[0]
    return np.asarray(found, np.float32).reshape(SIDE, SIDE)


@lru_cache(maxsize=1)
def segmentation_network() -> Any:
    """The compiled network: one for the process (0.2 s), each use has a request of its own."""
    if not SEGMENTATION.is_file():
        raise _missing(SEGMENTATION)

    def convert() -> NetworkText:
        return NetworkText.of(read_network(SEGMENTATION))

    data, how = SEGMENTATION.read_bytes(), f"segmentation, version {CONVERSION}"
    return compile_converted(data, how, convert, threads=1, name="segmentation")


def read_network(path: Path) -> Any:
    """The whole network as an ``openvino.Model``: ``(1, 256, 256, 3)`` RGB in 0..1 to ``(1, 1, 256, 256)``.

    Raises:
        MienError: the file is missing or damaged.
    """
    load_openvino()
    from openvino import Model
    from openvino import opset13 as ops
    from openvino.frontend import FrontEndManager, GeneralFailure

    if not path.is_file():
        raise _missing(path)
    try:
        frontend = FrontEndManager().load_by_framework("tflite")
        nodes = frontend.convert_partially(frontend.load(str(path))).get_ordered_ops()
        (last,) = (node for node in nodes if node.get_type_name() == _LAST)
        (given,) = (node for node in nodes if node.get_type_name() == "Parameter")
    except (RuntimeError, ValueError, GeneralFailure) as error:
        raise MienError(f"{path}: model file is damaged (reinstall mien)") from error
    weights, bias = (_constant(last.input_value(index)) for index in (1, 2))
    planes = ops.transpose(last.input_value(0), np.array([0, 3, 1, 2], np.int64))
    # Weights come as (out, height, width, in), and are wanted as (in, out, height, width).
    enlarged = ops.convolution_backprop_data(
        planes, ops.constant(weights.transpose(3, 0, 1, 2)), strides=[2, 2]
    )
    result = ops.sigmoid(ops.add(enlarged, ops.constant(bias.reshape(1, 1, 1, 1))))
    return Model([result], [given], "selfie_segmentation")


def _missing(path: Path) -> MienError:
    return MienError(f"{path}: model file is missing (reinstall mien)")


def _constant(output: Any) -> Floats:
    node = output.get_node()
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    return np.ascontiguousarray(node.data, np.float32)
