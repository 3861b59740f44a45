"""The last step of a frame as a graph: the mesh's warp of the portrait, the mouth's inside, uint8.

The ``live`` network works at 256 x 256 whatever the portrait's size; this part works at the portrait's size.
It computes the same as :func:`mien.engine.avatar.canvas.composition.compose`: bilinear paint, a cubic kernel
for flow and portrait; where the mesh moves skin, at :func:`mien.engine.utils.sampling.line_fraction`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mien.engine.avatar.mouth import CLOSING, PAINTED
from mien.engine.utils.sampling import FIFTH, FIRST, THIRD

#: Inputs, in order, with dimensions: H, W are the portrait's, h, w those of the moving part.
IMAGE_INPUTS: dict[str, tuple[int | str, ...]] = {
    "flow": (1, 2, 64, 64),
    "paint": (1, 3, 256, 256),
    "amount": (1, 2, 64, 64),
    "grid": (1, "height", "width", 2),
    "place": (1, "height", "width", 2),
    "person": (1, 4, "still_height", "still_width"),
    "behind": (1, 3, "height", "width"),
    "scale": (1, 2, 1, 1),
    "shift": (1, 2, "height", "width"),
    "front": (1, "height", "width", 4),
}
IMAGE_OUTPUT = "picture"


def image_graph() -> Any:
    """Build the ``onnx.ModelProto``: mesh, flow and paint -> ``picture`` ``(1, h, w, 3) uint8`` RGB.

    Inputs (FP32 except ``front``): ``flow`` and ``paint`` as returned by the renderer; ``amount``, the
    factor that makes the flow a displacement in the portrait's normalised units; ``grid`` and ``place``, the
    position of each pixel of the moving part in the model's crop and in the portrait, both normalised (-1 and
    1 are the centres of the first and last pixel); ``person``, the portrait's front layer, RGB planes times
    opacity and opacity, 0..255, and ``behind``, the background of the moving part; ``shift``, the mesh's
    displacement in the portrait's pixels, and ``scale``, normalised units per pixel; ``front``, bytes:
    colours of the mouth's inside, and how far it covers the rest.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    def sample(values: str, grid: str, output: str, mode: str, padding: str) -> Any:
        return helper.make_node(
            "GridSample", [values, grid], [output], output, mode=mode, padding_mode=padding, align_corners=1
        )

    nodes = [
        helper.make_node("Mul", ["flow", "amount"], ["scaled"], "scaled"),
        sample("scaled", "grid", "enlarged", "bicubic", "border"),
        helper.make_node("Transpose", ["enlarged"], ["displacement"], "displacement", perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["place", "displacement"], ["lookup"], "lookup"),
        sample("person", "lookup", "own.layer", "bicubic", "reflection"),
        *_over("own.layer", "behind", "own"),
        sample("paint", "grid", "strokes", "bilinear", "zeros"),
        helper.make_node("Mul", ["strokes", "white"], ["painted"], "painted"),
        helper.make_node("Add", ["own", "painted"], ["model"], "model"),
        helper.make_node("Mul", ["shift", "scale"], ["step"], "step"),
        helper.make_node("Transpose", ["step"], ["steps"], "steps", perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["place", "steps"], ["seen"], "seen"),
        *_in_place("seen", "exact"),
        sample("person", "exact", "skin.layer", "bicubic", "reflection"),
        *_over("skin.layer", "behind", "skin"),
        # How far the network paints a mouth rather than leaving its warp as it is.
        helper.make_node("Abs", ["paint"], ["size"], "size"),
        helper.make_node("ReduceMax", ["size", "channels"], ["strongest"], "strongest", keepdims=1),
        *_closed("strongest", "closed"),
        sample("closed", "grid", "strength", "bilinear", "zeros"),
        helper.make_node("Sub", ["strength", "least"], ["beyond"], "beyond"),
        helper.make_node("Mul", ["beyond", "steepness"], ["ramp"], "ramp"),
        helper.make_node("Clip", ["ramp", "black", "one"], ["share"], "share"),
        helper.make_node("Cast", ["front"], ["bytes"], "bytes", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["bytes"], ["planes"], "planes", perm=[0, 3, 1, 2]),
        helper.make_node("Slice", ["planes", "first", "fourth", "axis"], ["cavity"], "cavity"),
        helper.make_node("Slice", ["planes", "fourth", "fifth", "axis"], ["covering"], "covering"),
        helper.make_node("Div", ["covering", "white"], ["cover"], "cover"),
        *_mixed("cavity", "model", "share", "inside"),
        *_mixed("skin", "inside", "cover", "sum"),
        helper.make_node("Add", ["sum", "half"], ["rounding"], "rounding"),
        helper.make_node("Clip", ["rounding", "black", "white"], ["clipped"], "clipped"),
        helper.make_node("Floor", ["clipped"], ["whole"], "whole"),
        helper.make_node("Transpose", ["whole"], ["pixels"], "pixels", perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["pixels"], [IMAGE_OUTPUT], IMAGE_OUTPUT, to=TensorProto.UINT8),
    ]
    constants: dict[str, Any] = {"white": 255.0, "black": 0.0, "half": 0.5, "one": 1.0}
    constants |= {"least": PAINTED[0], "steepness": 1 / (PAINTED[1] - PAINTED[0])}
    constants |= {"first.order": FIRST, "third.order": THIRD, "fifth.order": FIFTH}
    whole = {"channels": [1], "axis": [1], "first": [0], "fourth": [3], "fifth": [4]}
    graph = helper.make_graph(
        nodes,
        "picture",
        [
            helper.make_tensor_value_info(k, TensorProto.UINT8 if k == "front" else TensorProto.FLOAT, v)
            for k, v in IMAGE_INPUTS.items()
        ],
        [helper.make_tensor_value_info(IMAGE_OUTPUT, TensorProto.UINT8, (1, "height", "width", 3))],
        [
            *(numpy_helper.from_array(np.array(v, np.float32), k) for k, v in constants.items()),
            *(numpy_helper.from_array(np.array(v, np.int64), k) for k, v in whole.items()),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(proto, full_check=True)
    return proto


def _in_place(places: str, output: str) -> list[Any]:
    """Nodes that lead from normalised places to those where the kernel shows them, see ``line_fraction``."""
    from onnx import helper

    def node(kind: str, inputs: str, name: str, **attributes: Any) -> Any:
        names = [f"{output}.{one[1:]}" if one.startswith(".") else one for one in inputs.split()]
        found = output if not name else f"{output}.{name}"
        return helper.make_node(kind, names, [found], found, **attributes)

    return [
        node("Transpose", "scale", "unit", perm=[0, 2, 3, 1]),
        node("Add", f"{places} one", "corner"),
        node("Div", ".corner .unit", "pixel"),
        node("Floor", ".pixel", "whole"),
        node("Add", ".whole half", "middle"),
        node("Sub", ".pixel .middle", "part"),
        node("Mul", ".part .part", "square"),
        node("Mul", ".square fifth.order", "fifth"),
        node("Add", ".fifth third.order", "upper"),
        node("Mul", ".upper .square", "third"),
        node("Add", ".third first.order", "slope"),
        node("Mul", ".slope .part", "away"),
        node("Add", ".middle .away", "line"),
        node("Mul", ".line .unit", "scaled"),
        node("Sub", ".scaled one", ""),
    ]


def _closed(values: str, output: str) -> list[Any]:
    """Nodes of a morphological closing: the largest around each place, then the smallest of those."""
    from onnx import helper

    grown, below, lowest = (f"{output}.{part}" for part in ("grown", "below", "lowest"))
    around: dict[str, Any] = {
        "kernel_shape": [CLOSING, CLOSING],
        "pads": 4 * [CLOSING // 2],
        "strides": [1, 1],
    }
    return [
        helper.make_node("MaxPool", [values], [grown], grown, **around),
        helper.make_node("Sub", ["black", grown], [below], below),
        helper.make_node("MaxPool", [below], [lowest], lowest, **around),
        helper.make_node("Sub", ["black", lowest], [output], output),
    ]


def _mixed(below: str, above: str, share: str, output: str) -> list[Any]:
    """Nodes that lay ``share`` of one value over another."""
    from onnx import helper

    apart, part = f"{output}.apart", f"{output}.part"
    return [
        helper.make_node("Sub", [above, below], [apart], apart),
        helper.make_node("Mul", [apart, share], [part], part),
        helper.make_node("Add", [below, part], [output], output),
    ]


def _over(layer: str, background: str, output: str) -> list[Any]:
    """Nodes that lay a layer, colours times opacity and opacity, over a background."""
    from onnx import helper

    colours, opacity, through, share, seen = (
        f"{output}.{part}" for part in ("colours", "opacity", "through", "share", "seen")
    )
    clean = f"{output}.clean"
    return [
        # The cubic kernel overshoots at outlines.
        helper.make_node("Clip", [layer, "black", "white"], [clean], clean),
        helper.make_node("Slice", [clean, "first", "fourth", "axis"], [colours], colours),
        helper.make_node("Slice", [clean, "fourth", "fifth", "axis"], [opacity], opacity),
        helper.make_node("Sub", ["white", opacity], [through], through),
        helper.make_node("Div", [through, "white"], [share], share),
        helper.make_node("Mul", [background, share], [seen], seen),
        helper.make_node("Add", [colours, seen], [output], output),
    ]
