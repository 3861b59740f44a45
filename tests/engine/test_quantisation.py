"""The renderer's network in eight-bit integers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.model_io import AvatarCode
from mien.engine.landmarks import make_landmarker
from mien.engine.runtime import ENCODER, RENDERER, OpenVinoRuntime, default_runtime
from mien.engine.runtime.openvino_files import quickest, read_model
from mien.engine.runtime.quantisation import (
    KEY,
    _convolutions,
    _name,
    _with_zero,
    bounds_of,
    int8_pays,
    measured_bounds,
)
from mien.engine.types import Floats, ModelError

pytestmark = pytest.mark.skipif(not int8_pays(), reason="not an x86 processor")


@pytest.fixture(scope="module")
def faces() -> Iterator[tuple[AvatarCode, Floats, Floats]]:
    """A face that the bounds were not measured on, its points, and these with the mouth opened."""
    data = pytest.importorskip("skimage.data")
    image = np.asarray(data.astronaut())
    with make_landmarker() as landmarker:
        avatar = Avatar.of(image, landmarker, default_runtime(1, "f32"), "the astronaut")
    points = avatar.source_points
    lips = points[:, 1] - points[13, 1]
    opened = points.copy()
    opened[(lips > 0) & (np.abs(points[:, 0] - points[13, 0]) < 0.4), 1] += 0.12
    assert avatar.code is not None
    yield avatar.code, points, opened.astype(np.float32)


def test_the_shipped_network_has_bounds_for_all_its_layers() -> None:
    model = read_model(RENDERER)
    names = {_name(node) for node in _convolutions(model)}
    assert names == set(bounds_of(model))
    assert all(low <= 0 < high for low, high in bounds_of(model).values())
    assert quickest(model) == "int8"


def test_integers_paint_what_floats_paint(faces: tuple[AvatarCode, Floats, Floats]) -> None:
    code, points, opened = faces
    found = []
    for precision in ("f32", "int8"):
        field = default_runtime(1, precision).render(code, points, opened)
        found.append((field.flow.copy(), field.paint.copy()))
    (flow, paint), (whole_flow, whole_paint) = found
    assert np.abs(paint).max() > 0.2, "the opened mouth is painted"
    assert 255 * np.abs(paint - whole_paint).mean() < 0.3
    assert 127.5 * np.abs(flow - whole_flow).mean() < 0.1  # of 256 pixels
    seen = np.abs(paint) > 0.1
    assert 255 * np.abs(paint - whole_paint)[seen].mean() < 2.0


def test_the_convolutions_are_computed_in_integers() -> None:
    runtime = default_runtime(1, "int8")
    (request,) = runtime._renderer._requests
    layers = request.get_compiled_model().get_runtime_model().get_ordered_ops()
    kinds = [
        str(layer.get_rt_info()["runtimePrecision"].astype(str))
        for layer in layers
        if str(layer.get_rt_info()["layerType"].astype(str)) == "Convolution"
    ]
    assert len(kinds) == len(bounds_of(runtime._model))
    assert set(kinds) <= {"u8", "i8"}


def test_a_file_without_bounds_is_computed_in_floats(tmp_path: Path) -> None:
    proto = onnx.load(RENDERER)
    (entry,) = (one for one in proto.metadata_props if one.key == KEY)
    proto.metadata_props.remove(entry)
    path = tmp_path / "renderer.onnx"
    onnx.save(proto, path)
    assert quickest(read_model(path)) in ("f32", "bf16")
    with pytest.raises(ModelError, match="no bounds for int8"):
        OpenVinoRuntime(ENCODER, path, threads=1, precision="int8")


def test_damaged_bounds_count_as_none(tmp_path: Path) -> None:
    proto = onnx.load(RENDERER)
    for entry in proto.metadata_props:
        if entry.key == KEY:
            entry.value = '{"node_conv2d": [1]'
    onnx.save(proto, tmp_path / "renderer.onnx")
    assert bounds_of(read_model(tmp_path / "renderer.onnx")) == {}


def test_bounds_hold_what_was_measured() -> None:
    model = read_model(RENDERER)
    generator = np.random.default_rng(0)
    sample = {
        value.get_any_name(): generator.uniform(-0.5, 0.5, tuple(value.get_shape())).astype(np.float32)
        for value in model.inputs
    }
    first, both = measured_bounds(model, [sample]), measured_bounds(model, [sample, sample])
    assert first == both
    assert first["node_conv2d"][0] < 0 < first["node_conv2d"][1]


@pytest.mark.parametrize("bounds", [(0.0, 3.71), (-1.9, 12.5), (-4.0, 0.0), (-0.001, 9.0)])
def test_zero_is_one_of_the_levels(bounds: tuple[float, float]) -> None:
    low, high = _with_zero(*bounds)
    levels = np.linspace(low, high, 256)
    assert np.abs(levels).min() < 1e-9
    assert high - low == pytest.approx(bounds[1] - bounds[0])
