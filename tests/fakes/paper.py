"""The parts of a tiny paper model that computes in a moment: real networks with random weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from mien.engine.paper.openvino_paper import part_file
from mien.engine.paper.points import N_POINTS

KEYS = {"points": (1, N_POINTS, 2), "jacobians": (1, N_POINTS, 2, 2)}
IMAGE, FEATURES = (1, 3, 256, 256), (1, 8, 64, 64)


def tiny_parts() -> dict[str, bytes]:
    """Detector, encoder, motion and decoder with the real ones' inputs and outputs."""
    random = np.random.default_rng(5)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    node = helper.make_node
    axis = np.linspace(-1, 1, 64, dtype=np.float32)
    eyes = np.tile(np.eye(2, dtype=np.float32), (1, N_POINTS, 1, 1))
    detector = _part(
        "detector",
        [
            node("Mul", ["points", "scale"], ["scaled"]),
            node("Sub", ["scaled", "one"], ["key_points"]),
            node("Conv", ["image", "w"], ["looked"], strides=[8, 8]),
            node("ReduceMean", ["looked", "plane"], ["mean"]),
            node("Reshape", ["mean", "square"], ["frame"]),
            node("Add", ["frame", "eyes"], ["jacobians"]),
        ],
        {"image": IMAGE, "points": KEYS["points"]},
        {"key_points": KEYS["points"], "jacobians": KEYS["jacobians"]},
        {
            "scale": np.float32(2 / 256),
            "one": np.float32(1),
            "w": 0.1 * weights(4, 3, 8, 8),
            "plane": np.array([2, 3]),
            "square": np.array([1, 1, 2, 2]),
            "eyes": eyes,
        },
    )
    encoder = _part(
        "encoder",
        [node("Conv", ["source", "w"], ["features"], strides=[4, 4])],
        {"source": IMAGE},
        {"features": FEATURES},
        {"w": 3 * weights(8, 3, 4, 4)},
    )
    moved = {f"{who}_{what}": shape for who in ("source", "driving") for what, shape in KEYS.items()}
    motion = _part(
        "motion",
        [
            node("Sub", ["source_points", "driving_points"], ["back"]),
            node("ReduceMean", ["back", "second"], ["shift"]),
            node("Reshape", ["shift", "everywhere"], ["moved"]),
            node("Add", ["grid", "moved"], ["lookup"]),
            node("GridSample", ["features", "lookup"], ["sampled"], padding_mode="border", align_corners=1),
            node("Sub", ["driving_jacobians", "source_jacobians"], ["bent"]),
            node("ReduceMean", ["bent"], ["bend"]),
            node("ReduceMean", ["source"], ["light"]),
            node("Add", ["sampled", "bend"], ["brighter"]),
            node("Mul", ["brighter", "light"], ["warped"]),
        ],
        {"source": IMAGE, "features": FEATURES, **moved},
        {"warped": FEATURES},
        {
            "second": np.array([1]),
            "everywhere": np.array([1, 1, 1, 2]),
            "grid": np.stack(np.meshgrid(axis, axis), axis=2)[None],
        },
    )
    decoder = _part(
        "decoder",
        [
            node("Conv", ["warped", "w"], ["drawn"], pads=[1, 1, 1, 1]),
            node("Resize", ["drawn", "", "four"], ["large"], mode="linear"),
            node("Sigmoid", ["large"], ["picture"]),
        ],
        {"warped": FEATURES},
        {"picture": IMAGE},
        {"w": weights(3, 8, 3, 3), "four": np.array([1, 1, 4, 4], np.float32)},
    )
    return {"detector": detector, "encoder": encoder, "motion": motion, "decoder": decoder}


def write_parts(folder: Path) -> Path:
    """An exported folder with them."""
    for part, content in tiny_parts().items():
        part_file(folder, part).write_bytes(content)
    return folder


def _part(
    name: str,
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, Any],
) -> bytes:
    for node in nodes:
        node.name = node.output[0]
    values = [
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, shape) for k, shape in each.items()]
        for each in (inputs, outputs)
    ]
    stored = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, *values, stored)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    config = json.dumps({"points": N_POINTS, "given_points": True, "image_size": 256})
    metadata = {"name": "mien-paper", "version": "1", "part": name, "weights_sha256": "0", "config": config}
    helper.set_model_props(proto, metadata)
    checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString())
