"""Rewritten graphs compute the same as the exported ones, in OpenVINO and in torch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from mien.engine.avatar.canvas.canvas import device_constants
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.model_io import Field
from mien.engine.runtime import ENCODER, RENDERER, default_runtime
from mien.engine.runtime.batch_runtime import Drawing
from mien.engine.runtime.graphs import dynamic_batch, half_convolutions, probe, probe_points
from mien.engine.runtime.graphs.editing import inferred_shapes, load_proto
from mien.engine.runtime.graphs.image import IMAGE_INPUTS, image_graph
from mien.engine.runtime.graphs.pixels import uint8_source
from mien.engine.runtime.graphs.torch_graph import TorchGraph
from mien.engine.runtime.parity import real_drawings, sub_pixel_shift
from mien.engine.types import MienError
from mien.engine.utils.openvino_core import compile_for_cpu, core

PATHS = {"encoder": ENCODER, "renderer": RENDERER}


def computed(proto: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    content = proto.SerializeToString()
    model = core().read_model(content, b"")
    model.reshape({name: list(values.shape) for name, values in inputs.items()})
    compiled = compile_for_cpu(model, threads=1, precision="f32")
    result = compiled(inputs)
    return {output.get_any_name(): np.array(result[output]) for output in compiled.outputs}


def example(proto: Any, seed: int) -> dict[str, np.ndarray]:
    """One item's inputs, with some motion in them."""
    random = np.random.default_rng(seed)
    shapes = inferred_shapes(proto)
    found = {v.name: random.uniform(0, 0.6, shapes[v.name]).astype(np.float32) for v in proto.graph.input}
    if "driving_points" in found:
        found["driving_points"] = found["source_points"] * 1.03 + 0.02
        found["dense"][:, :2] *= 0.01
    return found


@pytest.fixture(scope="module", params=["encoder", "renderer"])
def exported(request: pytest.FixtureRequest) -> Any:
    return load_proto(PATHS[request.param].read_bytes())


def types_of(proto: Any) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(proto).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in graph.initializer}


def test_convolutions_are_fp16_and_islands_fp32(exported: Any) -> None:
    half = half_convolutions(exported)
    onnx.checker.check_model(half, full_check=True)
    types = types_of(half)
    counted: Counter[tuple[str, int]] = Counter()
    for node in half.graph.node:
        counted[node.op_type, types[node.input[0]]] += 1
        if node.op_type == "Conv" and not any(a.name == "group" and a.i > 1 for a in node.attribute):
            assert {types[name] for name in (*node.input, *node.output)} == {onnx.TensorProto.FLOAT16}
        if node.op_type in ("GridSample", "Exp", "MatMul", "ReduceSum", "Sigmoid", "Tanh", "Sqrt", "Div"):
            assert {types[name] for name in node.input} - {onnx.TensorProto.INT64} == {onnx.TensorProto.FLOAT}
    assert counted["Relu", onnx.TensorProto.FLOAT16] == sum(n.op_type == "Relu" for n in exported.graph.node)
    for value in (*half.graph.input, *half.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_half_graph_computes_the_same(exported: Any) -> None:
    # OpenVINO computes FP16 graphs in FP32: this checks that nothing is wired wrongly.
    inputs = example(exported, 0)
    expected, found = computed(exported, inputs), computed(half_convolutions(exported), inputs)
    # ImageNet's features are many layers deep, and biases are rounded, too.
    atol = 1e-4 if "driving_points" in inputs else 0.01 * float(np.abs(expected["features"]).max())
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=atol)
        assert float(np.abs(found[name] - values).mean()) < 1e-3


def test_a_batch_equals_its_items(exported: Any) -> None:
    half = half_convolutions(exported)
    free = dynamic_batch(half)
    onnx.checker.check_model(free, full_check=True)
    items = [example(exported, seed) for seed in range(3)]
    batch = {name: np.concatenate([item[name] for item in items]) for name in items[0]}
    found = computed(free, batch)
    for index, item in enumerate(items):
        for name, values in computed(half, item).items():
            np.testing.assert_allclose(found[name][index : index + 1], values, atol=1e-4)


def test_rewriting_leaves_the_original_alone(exported: Any) -> None:
    before = exported.SerializeToString(deterministic=True)
    half_convolutions(exported)
    dynamic_batch(exported)
    assert exported.SerializeToString(deterministic=True) == before


def test_torch_computes_the_graph(exported: Any) -> None:
    inputs = example(exported, 1)
    graph = TorchGraph(exported)
    with torch.inference_mode():
        found = graph(*(torch.from_numpy(inputs[name]) for name in graph.input_names))
    for name, values in zip(graph.output_names, found, strict=True):
        np.testing.assert_allclose(values.numpy(), computed(exported, inputs)[name], atol=1e-3)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_a_pool_with_margins_keeps_size_and_place(kind: str) -> None:
    """Without margins the strength of the network's paint was stretched, and lay beside the mouth."""
    from onnx import TensorProto, helper

    node = helper.make_node(kind, ["x"], ["y"], kernel_shape=[5, 5], pads=4 * [2], strides=[1, 1])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 12, 16]) for name in "xy"]
    graph = helper.make_graph([node], "pool", ends[:1], ends[1:])
    values = np.zeros((1, 1, 12, 16), np.float32)
    values[0, 0, 1, 14] = 1
    with torch.inference_mode():
        found = TorchGraph(helper.make_model(graph))(torch.from_numpy(values))[0].numpy()
    assert found.shape == values.shape
    rows, columns = np.nonzero(found[0, 0] > 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 3, 12, 15)
    # In the corner nine values are within the margins, which do not count.
    assert found[0, 0, 0, 15] == pytest.approx(1.0 if kind == "MaxPool" else 1 / 9)


def test_fp16_rounding_is_small() -> None:
    proto = load_proto(ENCODER.read_bytes())
    inputs = example(proto, 2)
    with torch.inference_mode():
        (exact,) = TorchGraph(proto)(torch.from_numpy(inputs["source"]))
        (rounded,) = TorchGraph(half_convolutions(proto))(torch.from_numpy(inputs["source"]))
    assert 0 < float((exact - rounded).abs().max()) < 0.01 * float(exact.abs().max())


def test_the_source_is_computed_from_bytes() -> None:
    proto = load_proto(ENCODER.read_bytes())
    pixels = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
    found = computed(uint8_source(proto), {"pixels": pixels})
    source = (pixels.transpose(0, 3, 1, 2) / 255).astype(np.float32)
    np.testing.assert_allclose(found["source"], source, atol=1e-6)
    np.testing.assert_allclose(found["features"], computed(proto, {"source": source})["features"], atol=1e-4)


def opened(drawing: Drawing) -> Drawing:
    """The same with a mouth's inside in its middle."""
    columns, rows = drawing.canvas.part
    mouth = slice(rows // 2, rows // 2 + 40), slice(columns // 2, columns // 2 + 30)
    cover = np.linspace(0, 1, 40 * 30, dtype=np.float32).reshape(40, 30)
    inside = np.full((40, 30, 3), (60, 30, 20), np.float32)
    return replace(drawing, warp=replace(drawing.warp, mouth=mouth, cover=cover, inside=inside))


@pytest.mark.parametrize("crop", [None, 200])
def test_the_image_part_composes_like_the_cpu(crop: int | None) -> None:
    runtime = default_runtime(threads=1)
    drawing = opened(real_drawings(runtime, 3, crop)[1])
    field = runtime.render(drawing.code, drawing.source_points, drawing.driving_points, drawing.dense)
    paint = 0.2 * np.sin(np.arange(256 * 256 * 3, dtype=np.float32)).reshape(256, 256, 3)
    field = Field(field.flow, field.occlusion, paint)
    inputs = {
        **device_constants(drawing.canvas),
        **drawing.warp.device_inputs(),
        "flow": np.ascontiguousarray(field.flow.transpose(2, 0, 1)[None]),
        "paint": np.ascontiguousarray(paint.transpose(2, 0, 1)[None]),
    }
    assert set(inputs) == set(IMAGE_INPUTS)
    found = computed(image_graph(), inputs)["picture"][0]
    canvas = drawing.canvas
    expected = compose(canvas, field, replace(drawing.warp, outline=None, rim=None))
    if canvas.pasted:
        expected = expected[canvas.top : canvas.bottom, canvas.left : canvas.right]
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 0.3  # OpenCV rounds positions to 1/32 of a pixel
    assert sub_pixel_shift(expected, found) < 0.01  # which is a third of that
    assert np.abs(expected.astype(int) - canvas.still[: expected.shape[0], : expected.shape[1]]).mean() > 1


def test_probes_are_inner_values_in_order() -> None:
    proto = load_proto(RENDERER.read_bytes())
    names = probe_points(proto)
    produced = [name for node in proto.graph.node for name in node.output]
    assert [produced.index(name) for name in names] == sorted(produced.index(name) for name in names)
    assert "prior.features" in names
    inputs = example(proto, 3)
    chosen = [*names[:3], "flow"]
    found = computed(probe(proto, chosen), inputs)
    np.testing.assert_allclose(found["flow"], computed(proto, inputs)["flow"], atol=1e-6)


def test_sub_pixel_shift_measures_a_known_shift() -> None:
    y, x = np.mgrid[:120, :160].astype(np.float64)

    def image(shift: float) -> np.ndarray:
        grey = 127 + 100 * np.sin((x + shift) / 9) * np.cos(y / 7)
        return np.repeat(grey.round()[..., None], 3, axis=2).astype(np.uint8)

    assert sub_pixel_shift(image(0), image(0.1)) == pytest.approx(0.1, abs=0.01)
    assert sub_pixel_shift(image(0), image(0)) == 0
    flat = np.zeros((20, 20, 3), np.uint8)
    assert sub_pixel_shift(flat, flat) == 0


@pytest.mark.parametrize("content", [b"", b"nonsense", ENCODER.read_bytes()[:9000]])
def test_a_damaged_graph_is_reported_in_one_line(content: bytes) -> None:
    with pytest.raises(MienError, match="not a valid ONNX model") as caught:
        load_proto(content)
    assert "\n" not in str(caught.value)


def test_a_graph_without_a_batch_is_refused() -> None:
    proto = load_proto(ENCODER.read_bytes())
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    with pytest.raises(MienError, match="no batch of 1"):
        dynamic_batch(proto)


def test_canvas_constants_follow_the_portrait() -> None:
    drawing = real_drawings(default_runtime(threads=1), 1)[0]
    constants = device_constants(drawing.canvas)
    columns, rows = drawing.canvas.part
    assert constants["grid"].shape == constants["place"].shape == (1, rows, columns, 2)
    assert constants["person"].shape[2:] == drawing.canvas.layer.shape[:2]
    assert {values.dtype for values in constants.values()} == {np.dtype(np.float32)}
