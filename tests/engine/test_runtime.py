"""The OpenVINO runtime against the torch module, on a real face."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data, transform

from mien.engine.runtime import (
    ENCODER,
    RENDERER,
    AvatarCode,
    OpenVinoRuntime,
    Runtime,
    default_runtime,
    describe_runtime,
)
from mien.engine.runtime.torch_runtime import TorchRuntime
from mien.engine.types import Floats, Image, MienError
from mien.engine.utils.openvino_core import cpu_has_bf16
from mien.export import onnx_export
from mien.train.model import LiveModel

PIXELS = 127.5  # of the 256-pixel crop in one normalised unit


@pytest.fixture(scope="module")
def face() -> tuple[Image, Floats]:
    """The astronaut's face, ``(256, 256, 3)``, and its ``(478, 2)`` points."""
    from mien.engine.landmarks import make_landmarker

    crop = transform.resize(data.astronaut()[20:200, 135:315], (256, 256))
    image = np.ascontiguousarray((crop * 255).round().astype(np.uint8))
    with make_landmarker() as landmarker:
        found = landmarker.detect(image)
    return image, ((found[0].landmarks[:, :2] - 0.5) * (2 / 255) - 1).astype(np.float32)


def moved(points: Floats) -> Floats:
    """A head that turns a little, smiles a little and opens its mouth."""
    driving = points * 1.03 + np.array((0.04, -0.02), np.float32)
    driving += 0.015 * np.sin(6 * points[:, ::-1])
    driving[points[:, 1] > np.median(points[:, 1]) + 0.15, 1] += 0.05
    return driving.astype(np.float32)


def dense() -> Floats:
    field = 0.005 * np.random.default_rng(0).normal(size=(3, 64, 64))
    field[2] = np.random.default_rng(1).uniform(size=(64, 64))
    return field.astype(np.float32)


def openvino(folder: Path, precision: str) -> OpenVinoRuntime:
    encoder, renderer = folder / onnx_export.ENCODER_FILE, folder / onnx_export.RENDERER_FILE
    return OpenVinoRuntime(encoder, renderer, threads=1, precision=precision)  # type: ignore[arg-type]


def test_f32_equals_torch(face: tuple[Image, Floats], trained: tuple[LiveModel, Path]) -> None:
    image, points = face
    model, folder = trained
    theirs, ours = TorchRuntime(model), openvino(folder, "f32")
    code, expected_code = ours.encode(image), theirs.encode(image)
    np.testing.assert_array_equal(code.source, expected_code.source)
    np.testing.assert_allclose(code.features, expected_code.features, atol=1e-3)
    for extra in (None, dense()):
        found = ours.render(code, points, moved(points), extra)
        expected = theirs.render(code, points, moved(points), extra)
        np.testing.assert_allclose(found.flow, expected.flow, atol=1e-5)
        np.testing.assert_allclose(found.occlusion, expected.occlusion, atol=1e-4)
        np.testing.assert_allclose(found.paint, expected.paint, atol=1e-3)
        assert np.abs(expected.paint).max() > 0.02


@pytest.mark.skipif(not cpu_has_bf16(), reason="no bfloat16 on this CPU")
def test_bf16_keeps_the_motion(face: tuple[Image, Floats], trained: tuple[LiveModel, Path]) -> None:
    image, points = face
    model, folder = trained
    theirs, ours = TorchRuntime(model), openvino(folder, "bf16")
    code = theirs.encode(image)
    expected, found = (r.render(code, points, moved(points), dense()) for r in (theirs, ours))
    assert np.abs(found.flow - expected.flow).max() * PIXELS < 0.1  # the correction's own rounding
    assert np.abs(found.occlusion - expected.occlusion).max() < 0.02
    assert np.abs(found.paint - expected.paint).max() < 0.1 * np.abs(expected.paint).max()


@pytest.mark.skipif(not cpu_has_bf16(), reason="no bfloat16 on this CPU")
def test_bf16_prior_is_within_a_hundredth_of_a_pixel(
    face: tuple[Image, Floats], untrained: tuple[LiveModel, Path]
) -> None:
    image, points = face
    model, folder = untrained
    theirs, ours = TorchRuntime(model), openvino(folder, "bf16")
    code = theirs.encode(image)
    for driving in (moved(points), points + 0.001):
        expected, found = (r.render(code, points, driving, dense()) for r in (theirs, ours))
        assert np.abs(found.flow - expected.flow).max() * PIXELS < 0.01


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return default_runtime(threads=1)


def test_rest_is_still(runtime: Runtime, face: tuple[Image, Floats]) -> None:
    image, points = face
    field = runtime.render(runtime.encode(image), points, points, None)
    assert np.abs(field.flow).max() < 1e-5
    assert np.abs(field.paint).max() < 1e-5


def test_shapes_and_buffers(runtime: Runtime, face: tuple[Image, Floats]) -> None:
    image, points = face
    code = runtime.encode(image)
    assert isinstance(code, AvatarCode)
    field = runtime.render(code, points, moved(points))
    assert (field.flow.shape, field.occlusion.shape) == ((64, 64, 2), (64, 64))
    assert field.paint.shape == (256, 256, 3)
    assert {field.flow.dtype, field.occlusion.dtype, field.paint.dtype} == {np.dtype(np.float32)}
    first = field.flow.copy()
    again = runtime.render(code, points, points, None)  # the buffers are reused
    assert np.shares_memory(again.flow, field.flow)
    np.testing.assert_array_equal(runtime.render(code, points, moved(points)).flow, first)


def test_codes_of_several_avatars_do_not_mix(
    face: tuple[Image, Floats], trained: tuple[LiveModel, Path]
) -> None:
    image, points = face
    runtime = openvino(trained[1], "f32")
    one, other = runtime.encode(image), runtime.encode(image[:, ::-1])
    first = runtime.render(one, points, moved(points)).paint.copy()
    second = runtime.render(other, points, moved(points)).paint.copy()
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(runtime.render(one, points, moved(points)).paint, first)


def test_coincident_points_are_finite(runtime: Runtime, face: tuple[Image, Floats]) -> None:
    zero = np.zeros((478, 2), np.float32)
    code = runtime.encode(face[0])
    for source, driving in ((zero, zero), (zero, zero + 0.1), (zero + 5, zero), (zero - 50, zero + 50)):
        field = runtime.render(code, source, driving)
        assert np.isfinite(field.flow).all()
        assert np.isfinite(field.paint).all()


def test_wrong_shapes_are_refused(runtime: Runtime, face: tuple[Image, Floats]) -> None:
    image, points = face
    with pytest.raises(MienError, match="256"):
        runtime.encode(image[:128])
    code = runtime.encode(image)
    with pytest.raises(ValueError, match="478"):
        runtime.render(code, points[:468], points)


@pytest.mark.parametrize("which", ["encoder", "renderer"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "swapped"])
def test_a_damaged_model_is_reported_in_one_line(which: str, damage: str, tmp_path: Path) -> None:
    paths = {"encoder": tmp_path / "e.onnx", "renderer": tmp_path / "r.onnx"}
    contents = {"encoder": ENCODER.read_bytes(), "renderer": RENDERER.read_bytes()}
    other = contents["renderer" if which == "encoder" else "encoder"]
    contents[which] = {"truncated": contents[which][:300_000], "swapped": other}.get(damage, b"")
    for name, path in paths.items():
        if damage != "missing" or name != which:
            path.write_bytes(contents[name])
    with pytest.raises(MienError) as caught:
        OpenVinoRuntime(paths["encoder"], paths["renderer"], threads=1, precision="f32")
    assert paths[which].name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_of_two_exports_are_refused(trained: tuple[LiveModel, Path]) -> None:
    with pytest.raises(MienError, match="not exported together"):
        OpenVinoRuntime(ENCODER, trained[1] / onnx_export.RENDERER_FILE, threads=1)


def test_description_is_short() -> None:
    text = describe_runtime()
    assert text.startswith("OpenVINO ")
    assert "\n" not in text


def test_engine_needs_no_torch() -> None:
    code = (
        "import sys, mien.engine.runtime as r; r.default_runtime(1); "
        "print([m for m in ('torch', 'train', 'export', 'openvino_telemetry') if sys.modules.get(m)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "[]"
