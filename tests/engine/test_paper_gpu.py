"""The paper preset on a GPU: engines, graphs, parity check, failover, --runtime, on a computing fake."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.cuda import FakeCuda
from fakes.paper import tiny_parts, write_parts
from fakes.tensorrt import FakeTensorRt
from onnx import helper, numpy_helper

from mien.cli.model_choice import load_model
from mien.engine.motion.key_motion import Keys
from mien.engine.paper import parity
from mien.engine.paper.openvino_paper import OpenVinoPaper
from mien.engine.paper.parts import paper_parts, read_parts
from mien.engine.paper.points import N_POINTS
from mien.engine.paper.prepare import prepare_paper
from mien.engine.paper.selection import FailoverPaperRuntime
from mien.engine.paper.tensorrt_paper import TensorRtPaper
from mien.engine.paper.torch_cuda_paper import TorchCudaPaper
from mien.engine.runtime import default_runtime, selection
from mien.engine.runtime.cuda import CudaError
from mien.engine.runtime.failover import FailoverRuntime
from mien.engine.runtime.tensorrt.backend import EngineError
from mien.engine.runtime.tensorrt.cache import EngineCache
from mien.engine.runtime.tensorrt.prepare import BuildContext
from mien.engine.types import Floats, Image, MienError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def reference(folder: Path) -> OpenVinoPaper:
    return OpenVinoPaper(folder, threads=1, precision="f32")


@pytest.fixture(scope="module")
def moments() -> tuple[parity.Moment, list[parity.Moment]]:
    """A portrait and two moments of a driver: noise is enough, as the networks are random, too."""
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (256, 256, 3), np.uint8) for _ in range(3)]
    points = random.uniform(60, 200, (N_POINTS, 2)).astype(np.float32)
    found = [parity.Moment(image, points + np.float32(3 * k)) for k, image in enumerate(images)]
    return found[0], found[1:]


def build(cuda: FakeCuda, precision: Any = "fp16") -> TensorRtPaper:
    cuda.attach()
    backend = FakeTensorRt(cuda)
    parts = paper_parts(tiny_parts(), precision)
    engines = {name: backend.load(backend.build(part.onnx, part.profile)) for name, part in parts.items()}
    return TensorRtPaper(parts, engines, cuda, N_POINTS, True)


@pytest.fixture
def gpu() -> Iterator[tuple[FakeCuda, TensorRtPaper]]:
    cuda = FakeCuda()
    runtime = build(cuda)
    runtime.when_closed(cuda.close)
    yield cuda, runtime
    runtime.close()
    assert cuda.open_handles() == 0
    assert cuda.closed


def test_gpu_and_cpu_compute_the_same(
    gpu: tuple[FakeCuda, TensorRtPaper],
    reference: OpenVinoPaper,
    moments: tuple[parity.Moment, list[parity.Moment]],
) -> None:
    runtime = gpu[1]
    portrait, driven = moments
    # Two portraits in turn, several times: directly, recorded, replayed; a wrong order would show old images.
    others = [portrait, driven[1]]
    codes = [reference.encode(moment.image) for moment in others]
    for moment, code in zip(others, codes, strict=True):
        np.testing.assert_allclose(runtime.encode(moment.image).features, code.features, atol=2e-2)
    drawn: list[Floats] = []
    for turn in range(5):
        code, moment = codes[turn % 2], driven[turn % 2]
        source, keys = (reference.detect(m.tensor, m.points) for m in (portrait, moment))
        own = runtime.detect(moment.tensor, moment.points)
        np.testing.assert_allclose(own.points, keys.points, atol=1e-5)
        np.testing.assert_allclose(own.jacobians, keys.jacobians, atol=2e-3)
        wanted = reference.animate(code, source, keys)
        found = runtime.animate(code, source, keys)
        assert np.abs(found - wanted).max() < 4 / 255
        drawn.append(wanted.copy())
    assert np.abs(drawn[0] - drawn[1]).max() > 20 / 255
    assert runtime.graphs == {"detector": True, "renderer": True}


def test_a_frame_waits_once_and_the_portrait_stays_on_the_gpu(
    gpu: tuple[FakeCuda, TensorRtPaper],
    reference: OpenVinoPaper,
    moments: tuple[parity.Moment, list[parity.Moment]],
) -> None:
    cuda, runtime = gpu
    portrait, driven = moments
    code = runtime.encode(portrait.image)
    source, keys = (reference.detect(m.tensor, m.points) for m in (portrait, driven[0]))
    for _ in range(3):
        runtime.animate(code, source, keys)
    before = cuda.calls.copy()
    runtime.animate(code, source, keys)
    calls = cuda.calls - before
    assert calls == {"upload": 4, "launch": 1, "download": 1, "synchronise": 1}


def test_a_gpu_without_room_frees_everything() -> None:
    cuda = FakeCuda(memory=1 << 20)
    with pytest.raises(CudaError, match="memory is full"):
        build(cuda)
    assert cuda.open_handles() == 0


def test_the_cpu_takes_over_in_every_thread(
    reference: OpenVinoPaper, moments: tuple[parity.Moment, list[parity.Moment]]
) -> None:
    cuda = FakeCuda()
    lines: list[str] = []
    portrait, driven = moments
    runtime = FailoverPaperRuntime(reference, lambda: build(cuda), lines.append)
    assert runtime.wait().name == runtime.name == "tensorrt"
    code = runtime.encode(portrait.image)
    source = runtime.detect(portrait.tensor, portrait.points)
    cuda.broken = True
    found: list[Keys] = []
    looking = threading.Thread(
        target=lambda: found.append(runtime.detect(driven[0].tensor, driven[0].points))
    )
    looking.start()
    image = runtime.animate(code, source, source).copy()
    looking.join(60)
    np.testing.assert_array_equal(image, reference.animate(code, source, source))
    np.testing.assert_array_equal(
        found[0].points, reference.detect(driven[0].tensor, driven[0].points).points
    )
    assert runtime.name == "openvino"
    assert len(lines) == 1
    assert lines[0].endswith("openvino is used from now on")


@pytest.fixture
def few_moments(monkeypatch: pytest.MonkeyPatch, moments: tuple[parity.Moment, list[parity.Moment]]) -> None:
    monkeypatch.setattr(parity, "real_moments", lambda runtime: moments)


@pytest.mark.usefixtures("few_moments")
def test_engines_are_kept_and_checked(reference: OpenVinoPaper, tmp_path: Path) -> None:
    cuda = FakeCuda()
    backend = FakeTensorRt(cuda)
    context = BuildContext(backend, cuda, EngineCache(tmp_path))
    live: Any = None
    for _ in range(2):
        prepare_paper(tiny_parts(), reference, live, context).close()
        assert len(backend.built) == 3
        assert cuda.open_handles() == 0
    assert all(engine.closed for engine in backend.loaded)
    names = {entry.key.part for entry in EngineCache(tmp_path).entries() if entry.key}
    assert names == {"paper-detector", "paper-encoder", "paper-renderer"}


def nearest(proto: Any) -> Any:
    """The bug of NVIDIA/TensorRT#4646."""
    for node in proto.graph.node:
        if node.op_type == "GridSample":
            node.attribute.append(helper.make_attribute("mode", "nearest"))
    return proto


def strong(proto: Any) -> Any:
    """The detector's weights are read as other numbers."""
    if any("looked" in name for node in proto.graph.node for name in node.output):
        for tensor in proto.graph.initializer:
            if tensor.name.startswith("w"):
                tensor.CopyFrom(numpy_helper.from_array(8 * numpy_helper.to_array(tensor), tensor.name))
    return proto


@pytest.mark.usefixtures("few_moments")
@pytest.mark.parametrize(
    ("wrong", "says"),
    [(nearest, "images are .*'sampled', GridSample"), (strong, "key points' frames .*'looked', Conv")],
)
def test_a_wrong_engine_is_refused_and_its_layer_named(
    wrong: Any, says: str, reference: OpenVinoPaper, tmp_path: Path
) -> None:
    cuda = FakeCuda()
    backend = FakeTensorRt(cuda, spoil=wrong)
    context = BuildContext(backend, cuda, EngineCache(tmp_path))
    live: Any = None
    with pytest.raises(EngineError, match=says) as caught:
        prepare_paper(tiny_parts(), reference, live, context)
    assert "\n" not in str(caught.value)
    assert cuda.open_handles() == 0
    assert all(engine.closed for engine in backend.loaded)


def test_torch_computes_the_parts_too(
    reference: OpenVinoPaper, moments: tuple[parity.Moment, list[parity.Moment]]
) -> None:
    exact = TorchCudaPaper(tiny_parts(), N_POINTS, True, half=False, device="cpu")
    report = parity.check(reference, exact, *moments)
    assert report.failure is None
    assert report.mean_image < 0.01
    half = TorchCudaPaper(tiny_parts(), N_POINTS, True, device="cpu")
    report = parity.check(reference, half, *moments)
    assert report.failure is None
    assert report.mean_image > 0


def test_values_that_are_not_finite_fail_the_parity_check(
    reference: OpenVinoPaper, moments: tuple[parity.Moment, list[parity.Moment]]
) -> None:
    class Nan(TorchCudaPaper):
        def animate(self, *arguments: Any) -> Floats:
            image = super().animate(*arguments).copy()
            image[3, 3, 0] = np.nan
            return image

    report = parity.check(reference, Nan(tiny_parts(), N_POINTS, True, device="cpu"), *moments)
    assert report.failure == "some results are not finite"
    assert report.part == "renderer"


@pytest.mark.slow
@pytest.mark.usefixtures("few_moments")
def test_weights_reach_the_gpu_through_the_export(
    moments: tuple[parity.Moment, list[parity.Moment]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from narrow_paper import NARROW_PAPER

    from mien.train.checkpoint import save_weights
    from mien.train.model.paper import PaperConfig, PaperModel
    from mien.train.model.paper.weights import facts_of

    torch.manual_seed(3)
    config = PaperConfig(**NARROW_PAPER)
    path = tmp_path / "paper.safetensors"
    save_weights(path, dict(PaperModel(config).state_dict()), config, facts_of(config))
    Machine(monkeypatch, tmp_path / "cache")
    lines: list[str] = []
    runtime = load_model(path, 1, "f32", "tensorrt", notify=lines.append)
    assert lines == []
    assert runtime.name == "tensorrt"
    exact = load_model(path, 1, "f32", "torch")
    assert exact.name == "torch"
    report = parity.check(exact, runtime, *moments)  # type: ignore[arg-type]
    assert report.failure is None
    assert report.mean_image > 0
    runtime.close()


@pytest.mark.slow
def test_the_parity_checks_driver_is_a_moving_face() -> None:
    portrait, driven = parity.real_moments(default_runtime(1, "f32"), 3)
    changes = [np.abs(m.image.astype(int) - portrait.image).mean() for m in driven]
    assert max(changes) > 1
    assert max(np.abs(m.points - portrait.points).max() for m in driven) > 1
    assert all(((m.points > 30) & (m.points < 226)).all() for m in driven)


class Machine:
    """A machine with a (fake) GPU and TensorRT."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
        self.gpus: list[FakeCuda] = []
        monkeypatch.setenv("MIEN_CACHE", str(cache))
        monkeypatch.setattr(selection, "tensorrt_installed", lambda: True)
        monkeypatch.setattr("mien.engine.runtime.cuda.open_device", self._open)
        monkeypatch.setattr(
            "mien.engine.runtime.tensorrt.backend.find_backend", lambda: FakeTensorRt(self.gpus[-1])
        )

    def _open(self) -> FakeCuda:
        self.gpus.append(FakeCuda())
        return self.gpus[-1]


@pytest.mark.usefixtures("few_moments")
@pytest.mark.parametrize("choice", ["auto", "tensorrt"])
def test_an_exported_folder_runs_on_the_gpu(
    choice: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, tmp_path)
    lines: list[str] = []
    runtime = load_model(folder, 1, "f32", choice, notify=lines.append)
    assert isinstance(runtime, FailoverPaperRuntime)
    if choice == "auto":
        runtime.wait()  # only this test has to wait
    assert runtime.name == "tensorrt"
    assert lines == []
    runtime.close()
    runtime.close()
    assert all(gpu.closed for gpu in machine.gpus)


@pytest.mark.usefixtures("few_moments")
def test_a_gpu_that_cannot_load_the_parts_is_released(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, tmp_path)
    monkeypatch.setattr(
        "mien.engine.runtime.tensorrt.backend.find_backend",
        lambda: FakeTensorRt(machine.gpus[-1], refuse="this GPU is not supported"),
    )
    lines: list[str] = []
    runtime = load_model(folder, 1, "f32", "tensorrt", notify=lines.append)
    assert runtime.name == "openvino"
    assert len(lines) == 1
    assert "not supported" in lines[0]
    assert all(gpu.closed for gpu in machine.gpus)


@pytest.mark.skipif(selection.device_problem() is None, reason="there is a GPU here")
@pytest.mark.parametrize(("choice", "reason"), [("tensorrt", "NVIDIA"), ("torch", "torch")])
def test_a_folder_runs_on_the_requested_runtime_or_reports_why_not(
    choice: Any, reason: str, folder: Path
) -> None:
    from mien.engine.utils.assets import ASSETS

    for place, kind in ((folder, FailoverPaperRuntime), (ASSETS, FailoverRuntime)):
        lines: list[str] = []
        runtime = load_model(place, 1, "f32", choice, notify=lines.append)
        assert isinstance(runtime, kind)
        assert runtime.name == "openvino"
        assert len(lines) == 1
        assert reason in lines[0]
        assert lines[0].endswith("openvino is used")


def test_weights_are_not_for_openvino(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"")
    with pytest.raises(MienError, match="mien export") as caught:
        load_model(path, 1, "f32", "openvino")
    assert "\n" not in str(caught.value)


def test_an_unreadable_part_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"paper-detector\.onnx: cannot read"):
        read_parts(tmp_path)


def test_a_moment_is_bytes_for_the_network(moments: tuple[parity.Moment, list[parity.Moment]]) -> None:
    image: Image = moments[0].image
    tensor = moments[0].tensor
    assert tensor.shape == (1, 3, 256, 256)
    np.testing.assert_allclose(tensor[0, :, 5, 7] * 255, image[5, 7], atol=1e-3)
