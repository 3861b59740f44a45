"""Where the person is in a portrait: MediaPipe's Selfie Segmentation, run by OpenVINO.

OpenVINO reads all of the model but its last layer, the custom operation ``Convolution2DTransposeBias``: a
transposed convolution with 2 x 2 weights and stride 2, from 16 channels to one, and a bias, before a sigmoid.
That layer is put in its place when the model is read.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.avatar.crop import Square, cut
from mien.engine.types import Floats, Image, MienError
from mien.engine.utils.assets import SEGMENTATION
from mien.engine.utils.converted import NetworkText, compile_converted
from mien.engine.utils.openvino_core import load_openvino
from mien.engine.utils.sampling import stretch

SIDE = 256

CONVERSION = 1
"""Another number makes a network that :func:`read_network` converted earlier be converted anew."""

ROOM = 1.3
"""Side of the square that is looked at, in sides of the avatar's crop, where the image has as much."""

_LAST = "TFFrameworkNode"


def looked_at(crop: Square, size: tuple[int, int], room: float = ROOM) -> Square:
    """The square around a crop that is looked at, within an image of this height and width if it has room.

    Beyond an image there is nothing to see: of 81 portraits, most of them close-ups, of which the network
    knew nothing where they filled half of the square, it knows 40 where they fill it.
    """
    side = min(room * crop.side, float(max(size)))
    start = []
    for begin, length in ((crop.x, size[1]), (crop.y, size[0])):
        at = begin + 0.5 * (crop.side - side)
        start.append(0.5 * (length - side) if side > length else min(max(at, 0.0), length - side))
    return Square(start[0], start[1], side)


def person_in(image: Image, crop: Square, room: float = ROOM) -> Floats:
    """``(H, W) float32`` in 0..1: where the person is, as sharp as the model's 256 x 256 pixels are.

    The square around the avatar's crop is looked at; beyond it nothing is the person.

    Args:
        image: ``(H, W, 3) uint8`` RGB.
        crop: the avatar's.
        room: side of the square, in sides of the crop, as far as the image has it.
    """
    square = looked_at(crop, image.shape[:2], room)
    seen = cut(image, square, SIDE)
    request = segmentation_network().create_infer_request()
    found = request.infer({0: seen[None].astype(np.float32) / np.float32(255)})[0].reshape(SIDE, SIDE)
    height, width = image.shape[:2]
    scale = SIDE / square.side
    to_found = [[scale, 0, (0.5 - square.x) * scale - 0.5], [0, scale, (0.5 - square.y) * scale - 0.5]]
    grown = stretch(np.asarray(found, np.float32), (width, height), np.array(to_found, np.float32))
    return np.clip(grown, 0.0, 1.0)


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
