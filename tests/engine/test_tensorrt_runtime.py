"""The TensorRT runtime, its preparation and parity check, on a fake GPU that computes with OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.cuda import FakeCuda
from fakes.tensorrt import FakeExecution, FakeTensorRt

from mien.engine.avatar.canvas.canvas import device_constants
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.model_io import AvatarCode
from mien.engine.runtime import ENCODER, RENDERER, OpenVinoRuntime, device_cache, parity
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing
from mien.engine.runtime.cuda import CudaError, OutOfMemory
from mien.engine.runtime.failover import FailoverRuntime
from mien.engine.runtime.tensorrt.backend import EngineError
from mien.engine.runtime.tensorrt.cache import EngineCache
from mien.engine.runtime.tensorrt.parts import live_parts
from mien.engine.runtime.tensorrt.prepare import BuildContext, Model, prepare
from mien.engine.runtime.tensorrt.runtime import LiveEngines, TensorRtRuntime, batches
from mien.engine.types import MienError

MODEL = Model.read(ENCODER, RENDERER)


@pytest.fixture(scope="module")
def reference() -> OpenVinoRuntime:
    return OpenVinoRuntime(ENCODER, RENDERER, threads=2, precision="f32")


@pytest.fixture(scope="module")
def drawings(reference: OpenVinoRuntime) -> list[Drawing]:
    return parity.real_drawings(reference, 4, crop=96)


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    return live_parts(ENCODER.read_bytes(), RENDERER.read_bytes(), "fp16", 2)


def build(cuda: FakeCuda, parts: dict[str, Any]) -> TensorRtRuntime:
    cuda.attach()
    backend = FakeTensorRt(cuda)
    loaded = {name: backend.load(backend.build(part.onnx, part.profile)) for name, part in parts.items()}
    return TensorRtRuntime(LiveEngines(**loaded, code=parts["encoder"].outputs, batch=2), cuda)


@pytest.fixture(scope="module")
def shared(parts: dict[str, Any]) -> Iterator[tuple[FakeCuda, TensorRtRuntime]]:
    cuda = FakeCuda()
    runtime = build(cuda, parts)
    runtime.when_closed(cuda.close)
    yield cuda, runtime
    runtime.close()
    assert cuda.open_handles() == 0
    assert cuda.closed  # last of all: the fake refuses while anything is allocated


def expected(reference: OpenVinoRuntime, drawing: Drawing) -> np.ndarray:
    field = reference.render(drawing.code, drawing.source_points, drawing.driving_points, drawing.dense)
    return compose(drawing.canvas, field, replace(drawing.warp, outline=None, rim=None))


def alike(image: np.ndarray, wanted: np.ndarray) -> bool:
    """As close as FP16 convolutions get: another motion's image differs by tens of levels."""
    apart = np.abs(image.astype(int) - wanted)
    return bool(apart.max() <= 8 and apart.mean() <= 0.5)


def test_images_match_those_of_the_cpu(
    shared: tuple[FakeCuda, TensorRtRuntime], reference: OpenVinoRuntime, drawings: list[Drawing]
) -> None:
    # Five times: directly, recorded, replayed, in both slots; a wrong order would show old images.
    for turn in range(5):
        drawing = drawings[turn % 4]
        found = shared[1].draw([drawing])[0]
        assert alike(found, expected(reference, drawing))
    assert all(shared[1].graphs.values())


def test_a_frame_waits_once(shared: tuple[FakeCuda, TensorRtRuntime], drawings: list[Drawing]) -> None:
    cuda, runtime = shared
    for _ in range(3):
        runtime.draw([drawings[0]])
    before = cuda.calls.copy()
    runtime.draw([drawings[1]])
    calls = cuda.calls - before
    assert calls["synchronise"] == 1
    assert calls["launch"] == 2  # network and image
    assert calls["upload"] == 5  # points, measured flow; the mesh and the mouth
    assert calls["allocate"] == calls["allocate_host"] == calls["begin_capture"] == 0


def test_a_batch_of_several_avatars_does_not_mix(
    shared: tuple[FakeCuda, TensorRtRuntime], reference: OpenVinoRuntime, drawings: list[Drawing]
) -> None:
    mirrored = np.ascontiguousarray(
        (255 * drawings[0].code.source[0].transpose(1, 2, 0)).round().astype(np.uint8)[:, ::-1]
    )
    other = reference.encode(mirrored)
    canvases = [make_like(d) for d in drawings[:3]]
    mixed = [
        Drawing(code, d.source_points, d.driving_points, d.dense, canvas, d.warp)
        for d, code, canvas in zip(
            drawings, (drawings[0].code, other, drawings[0].code), canvases, strict=False
        )
    ]
    for _ in range(3):
        images = shared[1].draw(mixed)
        for drawing, image in zip(mixed, images, strict=True):
            assert alike(image, expected(reference, drawing))


def make_like(drawing: Drawing) -> Any:
    return replace(drawing.canvas)


def test_batches_keep_order_limit_and_canvases_apart(drawings: list[Drawing]) -> None:
    one, other = make_like(drawings[0]), make_like(drawings[0])

    def on(canvas: Any) -> Drawing:
        d = drawings[0]
        return Drawing(d.code, d.source_points, d.driving_points, d.dense, canvas, d.warp)

    given = [on(one), on(other), on(one), on(one), on(other)]
    found = batches(given, 2)
    assert [len(batch) for batch in found] == [2, 1, 2]
    assert [drawing for batch in found for drawing in batch] == given
    assert batches([], 2) == []


def test_twenty_drivers_stay_on_the_gpu(
    parts: dict[str, Any], drawings: list[Drawing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_cache, "IDLE_S", 1e9)  # so many take long on a busy machine
    cuda = FakeCuda()
    runtime = build(cuda, parts)
    code = drawings[0].code
    many = [
        replace(drawings[0], canvas=make_like(drawings[0]), code=AvatarCode(code.source, code.features))
        for _ in range(20)
    ]
    for _ in range(2):
        runtime.draw(many)
    before = cuda.calls.copy()
    runtime.draw(many)
    calls = cuda.calls - before
    assert calls["allocate"] == calls["allocate_host"] == 0
    assert calls["synchronise"] == 10  # one for each batch of two
    runtime.close()
    assert cuda.open_handles() == 0


@pytest.mark.parametrize("fails", ["capture", "instantiation", "memory"])
def test_a_batch_size_that_fails_is_split(
    fails: str,
    parts: dict[str, Any],
    reference: OpenVinoRuntime,
    drawings: list[Drawing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda()
    lines: list[str] = []
    runtime = FailoverRuntime(reference, lambda: build(cuda, parts), lines.append)
    runtime.wait()
    both = [replace(d, canvas=make_like(d)) for d in drawings[:2]]
    for _ in range(3):  # the images' own graphs, and the network's for one
        for drawing in both:
            runtime.draw([drawing])
    refused: list[str] = []

    def once(work: Callable[..., Any], when: Callable[..., bool] = lambda *_: True) -> Any:
        def refuse(*arguments: Any) -> Any:
            if refused or not when(*arguments):
                return work(*arguments)
            refused.append(fails)
            if fails == "instantiation":
                work(*arguments)  # the capture ends with an invalid graph
            raise (OutOfMemory if fails == "memory" else CudaError)(f"{fails} failed")

        return refuse

    if fails == "memory":  # for the larger batch's execution
        larger = once(FakeExecution.set_shape, lambda _self, _name, shape: shape[0] == 2)
        monkeypatch.setattr(FakeExecution, "set_shape", larger)
    else:  # of the larger batch, whose second call is the first one recorded now
        name = {"capture": "begin_capture", "instantiation": "end_capture"}[fails]
        monkeypatch.setattr(cuda, name, once(getattr(cuda, name)))
    for turn in range(3):
        given = both if turn % 2 else both[::-1]
        for image, drawing in zip(runtime.draw(given), given, strict=True):
            assert alike(image, expected(reference, drawing))
    assert refused
    gpu = runtime.working
    assert isinstance(gpu, TensorRtRuntime)
    assert "network, batch 2, slot 0" not in gpu.graphs
    assert lines == []
    runtime.close()


def test_a_single_image_that_cannot_be_recorded_is_drawn_directly(
    parts: dict[str, Any],
    reference: OpenVinoRuntime,
    drawings: list[Drawing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda()
    runtime = build(cuda, parts)

    def refuse(stream: int) -> None:
        raise CudaError("cuStreamBeginCapture_v2 returned CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900)")

    monkeypatch.setattr(cuda, "begin_capture", refuse)
    for turn in range(6):
        image = runtime.draw([drawings[turn % 2]])[0]
        assert alike(image, expected(reference, drawings[turn % 2]))
    assert not any(runtime.graphs.values())
    runtime.close()
    assert cuda.open_handles() == 0


def test_fields_and_codes_match_those_of_the_cpu(
    shared: tuple[FakeCuda, TensorRtRuntime], reference: OpenVinoRuntime, drawings: list[Drawing]
) -> None:
    d = drawings[1]
    found = shared[1].render(d.code, d.source_points, d.driving_points, d.dense)
    wanted = reference.render(d.code, d.source_points, d.driving_points, d.dense)
    np.testing.assert_allclose(found.flow, wanted.flow, atol=1e-5)
    np.testing.assert_allclose(found.occlusion, wanted.occlusion, atol=1e-4)
    pixels = (255 * d.code.source[0].transpose(1, 2, 0)).round().astype(np.uint8)
    code = shared[1].encode(pixels)
    np.testing.assert_allclose(code.features, d.code.features, atol=3e-3)
    np.testing.assert_allclose(code.source, d.code.source, atol=1e-6)


def test_a_gpu_without_room_frees_everything(parts: dict[str, Any]) -> None:
    cuda = FakeCuda(memory=6 << 20)
    with pytest.raises(OutOfMemory, match="memory is full"):
        build(cuda, parts)
    assert cuda.open_handles() == 0


@pytest.mark.parametrize("free", [0, 20_000, 40_000, 600_000])
def test_a_canvas_without_room_frees_everything(
    free: int, parts: dict[str, Any], reference: OpenVinoRuntime, drawings: list[Drawing]
) -> None:
    cuda = FakeCuda()
    runtime = build(cuda, parts)
    runtime.render(drawings[0].code, drawings[0].source_points, drawings[0].driving_points)
    constants = sum(values.nbytes for values in device_constants(drawings[0].canvas).values())
    cuda.memory = cuda.used() + constants + free
    with pytest.raises(OutOfMemory):
        runtime.draw([drawings[0]])
    runtime.close()
    runtime.close()  # again, as the error paths do
    assert cuda.open_handles() == 0


def test_the_memory_of_a_failing_gpu_is_freed(
    parts: dict[str, Any], reference: OpenVinoRuntime, drawings: list[Drawing]
) -> None:
    cuda = FakeCuda()
    lines: list[str] = []
    runtime = FailoverRuntime(reference, lambda: build(cuda, parts), lines.append)
    assert runtime.batch in (1, 2)
    runtime.wait()
    assert runtime.batch == 2
    cuda.memory = cuda.used()
    np.testing.assert_array_equal(runtime.draw(drawings[:1])[0], expected(reference, drawings[0]))
    assert runtime.batch == 1
    assert len(lines) == 1
    assert cuda.open_handles() == 0


@pytest.fixture
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    full = parity.real_drawings
    monkeypatch.setattr(parity, "real_drawings", lambda runtime, count=2, crop=96: full(runtime, 2, 96))


@pytest.mark.slow
@pytest.mark.usefixtures("few_frames")
def test_engines_are_built_once_and_checked(reference: OpenVinoRuntime, tmp_path: Path) -> None:
    cuda = FakeCuda()
    told: list[tuple[str, float]] = []
    lines: list[str] = []
    backend = FakeTensorRt(cuda)
    context = BuildContext(
        backend, cuda, EngineCache(tmp_path), lines.append, lambda part, share: told.append((part, share))
    )
    prepare(MODEL, reference, context, batch=2).close()
    assert len(backend.built) == 3
    assert {part for part, _ in told} == {"live-encoder", "live-renderer", "live-picture"}
    assert told[-1][1] == 1.0
    prepare(MODEL, reference, context, batch=2).close()
    assert len(backend.built) == 3
    damaged = next(tmp_path.glob("live-picture*.engine"))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    prepare(MODEL, reference, context, batch=2).close()
    assert len(backend.built) == 4
    assert lines == []
    assert cuda.open_handles() == 0


@pytest.mark.slow
@pytest.mark.usefixtures("few_frames")
def test_a_wrong_engine_is_refused_and_its_layer_named(reference: OpenVinoRuntime, tmp_path: Path) -> None:
    def nearest(proto: Any) -> Any:
        """The bug of NVIDIA/TensorRT#4646."""
        for node in proto.graph.node:
            if node.op_type == "GridSample" and node.output[0] == "prior.features":
                next(a for a in node.attribute if a.name == "mode").s = b"nearest"
        return proto

    cuda = FakeCuda()
    context = BuildContext(FakeTensorRt(cuda, spoil=nearest), cuda, EngineCache(tmp_path))
    strict = parity.Limits(
        flow_px=-1.0
    )  # refuses any: the untrained network ignores its inputs, its layers do not
    with pytest.raises(EngineError, match=r"prior\.features.*GridSample") as caught:
        prepare(MODEL, reference, context, batch=2, limits=strict)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "layers.json").read_text(encoding="utf-8").startswith("[")
    assert cuda.open_handles() == 0


def test_an_engine_with_wrong_results_fails_the_parity_check(
    shared: tuple[FakeCuda, TensorRtRuntime], reference: OpenVinoRuntime, drawings: list[Drawing]
) -> None:
    class Nan(BatchRuntime):
        name = "nan"
        encode = shared[1].encode  # type: ignore[assignment]

        def render(self, *arguments: Any) -> Any:
            field = reference.render(*arguments)
            flow = field.flow.copy()
            flow[3, 3] = np.nan
            return type(field)(flow, field.occlusion, field.paint)

        def draw(self, drawings: Any) -> Any:
            return shared[1].draw(drawings)

    class Shifted(Nan):
        def render(self, *arguments: Any) -> Any:
            return reference.render(*arguments)

        def draw(self, drawings: Any) -> Any:
            return [np.roll(image, 1, axis=1) for image in shared[1].draw(drawings)]

    class Mixed(Shifted):
        batch = 2

        def draw(self, drawings: Any) -> Any:
            found = shared[1].draw(drawings)
            apart = len(drawings) > 1 and drawings[0].canvas is not drawings[1].canvas
            return [np.full_like(image, 9) for image in found] if apart else found

    assert parity.check(reference, shared[1], drawings[:2]).failure is None
    assert parity.check(reference, Mixed(), drawings[:2]).failure is not None  # wrong only in a batch
    report = parity.check(reference, Nan(), drawings[:2])
    assert (report.failure, report.finite) == ("some results are not finite", False)
    shifted = parity.check(reference, Shifted(), drawings[:2], parity.Limits(mean_image=255))
    assert shifted.failure is not None
    assert "shifted" in shifted.failure


def test_a_failed_build_is_reported_in_one_line(reference: OpenVinoRuntime, tmp_path: Path) -> None:
    cuda = FakeCuda()
    backend = FakeTensorRt(cuda, refuse="this GPU is not supported")
    with pytest.raises(EngineError, match="not supported"):
        prepare(MODEL, reference, BuildContext(backend, cuda, EngineCache(tmp_path)), batch=2)
    assert not list(tmp_path.glob("*.engine"))
    assert cuda.open_handles() == 0


def test_an_unwritable_cache_is_only_reported(tmp_path: Path, parts: dict[str, Any]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    cuda = FakeCuda()
    cuda.attach()
    lines: list[str] = []
    context = BuildContext(FakeTensorRt(cuda), cuda, EngineCache(tmp_path / "file" / "x"), lines.append)
    assert context.engine(parts["image"]) is not None
    assert len(lines) == 1
    assert "cannot be stored" in lines[0]


def test_nobody_waits_for_an_engine(reference: OpenVinoRuntime, drawings: list[Drawing]) -> None:
    go = threading.Event()
    lines: list[str] = []

    class Better(BatchRuntime):
        name = "better"

        def encode(self, source: Any) -> Any:
            raise AssertionError

        def render(self, *arguments: Any) -> Any:
            raise CudaError("the GPU failed")

        def draw(self, drawings: Any) -> Any:
            if broken:
                raise CudaError("the GPU failed: cuGraphLaunch returned CUDA_ERROR_LAUNCH_FAILED (719)")
            return ["drawn by the card"] * len(drawings)

    broken: list[bool] = []

    def make() -> BatchRuntime:
        go.wait(30)
        return Better()

    runtime = FailoverRuntime(reference, make, lines.append)
    assert runtime.name == "openvino"
    np.testing.assert_array_equal(runtime.draw(drawings[:1])[0], expected(reference, drawings[0]))
    go.set()
    assert runtime.wait().name == runtime.name == "better"
    assert runtime.draw(drawings[:2]) == ["drawn by the card"] * 2
    broken.append(True)
    np.testing.assert_array_equal(runtime.draw(drawings[:1])[0], expected(reference, drawings[0]))
    assert runtime.name == "openvino"
    assert len(lines) == 1
    assert "openvino is used from now on" in lines[0]


@pytest.mark.parametrize(
    "error", [MienError("no NVIDIA driver is installed"), KeyError("bug"), MemoryError()]
)
def test_a_runtime_that_cannot_be_built_is_reported_in_one_line(
    error: Exception, reference: OpenVinoRuntime
) -> None:
    lines: list[str] = []

    def make() -> BatchRuntime:
        raise error

    runtime = FailoverRuntime(reference, make, lines.append)
    assert runtime.wait() is reference
    assert len(lines) == 1
    assert lines[0].endswith("openvino is used")
    assert "\n" not in lines[0]
