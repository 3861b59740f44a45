"""The GPU benchmark's pure parts, and its one line without a GPU."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes.cuda import FakeCuda
from fakes.tensorrt import FakeTensorRt
from onnx import TensorProto, helper, numpy_helper

from mien.engine.benchmark.gpu import ends, measure, networks
from mien.engine.benchmark.gpu import run as run_module
from mien.engine.benchmark.gpu.networks import TimedPart
from mien.engine.benchmark.gpu.plan import BATCHES, METHODS, Case, Deadline, cases
from mien.engine.benchmark.gpu.plot import draw, write
from mien.engine.benchmark.gpu.report import Report, Timing, as_json, markdown
from mien.engine.benchmark.gpu.roofline import Layer, Rates, bound_ms, gflops, layers_of
from mien.engine.benchmark.gpu.run import Findings, run
from mien.engine.runtime import RENDERER
from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.runtime.selection import device_problem
from mien.engine.runtime.tensorrt.cache import EngineCache
from mien.engine.runtime.tensorrt.prepare import BuildContext
from mien.engine.types import MienError


def one_convolution() -> object:
    weight = numpy_helper.from_array(np.zeros((8, 4, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    shapes = {"x": (1, 4, 16, 16), "y": (1, 8, 16, 16)}
    values = {k: helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in shapes.items()}
    graph = helper.make_graph([node], "g", [values["x"]], [values["y"]], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_convolution_is_counted_exactly() -> None:
    (layer,) = layers_of(one_convolution())
    assert layer.flops == 2 * 16 * 16 * 8 * 4 * 9
    assert layer.weights == 2 * 8 * 4 * 9
    assert layer.moved == 2 * (4 + 8) * 16 * 16


def test_the_shipped_renderer_has_the_arithmetic_of_its_design() -> None:
    assert 3 < gflops(layers_of(load_proto(RENDERER.read_bytes()))) < 8


def test_a_layer_is_bound_by_what_takes_longer() -> None:
    rates = Rates(flops=1e12, bytes=1e9)
    assert bound_ms([Layer(2_000_000_000, 10, 10)], rates) == pytest.approx(2.0)
    assert bound_ms([Layer(1, 3_000_000, 1_000_000)], rates) == pytest.approx(4.0)
    # Weights are read once per batch, everything else once per item.
    assert bound_ms([Layer(1, 3_000_000, 1_000_000)], rates, batch=4) == pytest.approx(13.0)


def test_every_case_is_planned_once_the_goals_first() -> None:
    planned = cases()
    assert len(set(planned)) == len(planned) == 2 * (4 * len(BATCHES) + 2)
    assert {case.method for case in planned} == set(METHODS)
    assert (planned[0].preset, planned[0].method, planned[0].batch) == ("live", METHODS[0], 1)
    compiled = [index for index, case in enumerate(planned) if "compile" in case.method]
    assert compiled == list(range(len(planned) - len(compiled), len(planned)))


def test_a_deadline_allows_what_still_fits() -> None:
    now = [100.0]
    deadline = Deadline(60, clock=lambda: now[0])
    assert deadline.allows(60)
    now[0] = 150.0
    assert deadline.left == 10
    assert not deadline.allows(11)


@pytest.fixture
def report() -> Report:
    timings = [
        Timing(case, None, problem="out of memory")
        if case.batch == 8 and case.method == "torch eager FP32"
        else Timing(case, 0.4 * case.batch**0.5, 100 << 20)
        for case in cases()
    ]
    bounds = {"live": {1: 0.05, 8: 0.3}}
    return Report(
        {"GPU": "none: made-up figures"},
        {"rate": 1.5},
        timings,
        bounds,
        {"TensorRT": 1.0},
        {"frames": 8},
        ["a note"],
    )


def test_the_table_has_every_method_and_batch(report: Report) -> None:
    text = markdown(report)
    for method in METHODS:
        assert text.count(f"| {method} |") == 2
    assert "| roofline | 0.050 |  |  | 0.300 | |" in text
    assert "0.400 (2,500)" in text
    assert "failed" in text
    assert "goal live batch 1, 0.500 ms: reached (0.400 ms)" in text
    assert "- a note" in text


def test_json_contains_the_table(report: Report) -> None:
    found = json.loads(json.dumps(as_json(report)))
    assert len(found["timings"]) == len(report.timings)
    first = found["timings"][0]
    assert (first["case"]["preset"], first["frames_per_second"]) == ("live", 2500.0)
    assert any(entry["problem"] == "out of memory" for entry in found["timings"])


def test_the_plot_shows_a_curve_for_each_method(report: Report, tmp_path: Path) -> None:
    image = draw(report.timings)
    assert image.shape == (640, 1200, 3)
    assert (image != 255).any(axis=2).mean() > 0.01
    write(tmp_path / "plot.png", report.timings)
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(MienError, match="cannot be written"):
        write(tmp_path / "missing" / "plot.png", report.timings)


def test_without_measurements_the_plot_is_empty() -> None:
    assert draw([]).min() == 255


def test_a_missing_gpu_is_reported_in_one_line() -> None:
    if device_problem() is None:
        pytest.skip("there is a card here")
    with pytest.raises(MienError, match="NVIDIA") as caught:
        run(SimpleNamespace(json=None, plot=None))
    assert "\n" not in str(caught.value)


@pytest.fixture
def conv() -> TimedPart:
    content = one_convolution().SerializeToString()  # type: ignore[attr-defined]
    return TimedPart("conv", content, {"x": np.ones((1, 4, 16, 16), np.float32)})


def test_an_engine_is_loaded_once_and_timed_at_every_batch(
    conv: TimedPart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "RUNS", 3)
    cuda = FakeCuda()
    cuda.attach()
    backend = FakeTensorRt(cuda)
    engines = measure.Engines(BuildContext(backend, cuda, EngineCache(tmp_path)), 8)
    for batch in (1, 8):
        timing = measure.tensorrt_timing(engines, Case("live", METHODS[0], batch), [conv])
        assert timing.problem is None
        assert timing.ms == 0.5  # the fake's clock
    assert len(backend.loaded) == 1
    cuda.broken = True
    timing = measure.tensorrt_timing(engines, Case("live", METHODS[0], 1), [conv])
    assert timing.ms is None
    assert "failed" in str(timing.problem)
    engines.close()


def told(path: Path) -> tuple[dict[str, float], list[str]]:
    found = json.loads(path.read_text(encoding="utf-8"))
    return {entry["case"]["method"]: entry["ms"] for entry in found["timings"]}, found["notes"]


def test_a_failing_method_leaves_the_figures_of_the_others(
    conv: TimedPart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.compile and one batch size fail differently; a crash after that loses nothing."""

    def timing(torch: object, case: Case, parts: object) -> Timing:
        if "compile" in case.method:
            raise RuntimeError("Triton is not installed\nmore")
        return Timing(case, None, problem="no memory") if case.batch == 4 else Timing(case, 2.0)

    monkeypatch.setattr(measure, "torch_timing", timing)
    found = Findings(SimpleNamespace(json=str(tmp_path / "a.json"), plot=tmp_path / "a.png"))
    run_module._all_timings(found, object(), None, {"live": [conv]}, Deadline(1000))
    with pytest.raises(KeyboardInterrupt), found.step("end to end"):
        raise KeyboardInterrupt
    methods, notes = told(tmp_path / "a.json")
    assert set(methods) == set(METHODS[1:-1])
    assert "live, torch.compile FP16, batch 8: RuntimeError: Triton is not installed" in notes
    assert "live, torch FP16, batch 4: no memory" in notes
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.png"}


def test_without_torch_tensorrts_figures_stay(
    conv: TimedPart,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(measure, "RUNS", 3)
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    cuda = FakeCuda()
    cuda.attach()

    def missing(*_: object) -> None:
        raise MienError("torch cannot be used: No module named 'torch'")

    def broken(*_: object) -> None:
        raise OSError("libnvinfer is damaged")

    monkeypatch.setattr("mien.engine.runtime.cuda.open_device", lambda: cuda)
    monkeypatch.setattr("mien.engine.runtime.torch_cuda.import_torch", missing)
    monkeypatch.setattr("mien.engine.runtime.tensorrt.backend.find_backend", lambda: FakeTensorRt(cuda))
    monkeypatch.setattr(networks, "live_network", lambda notes: [conv])
    monkeypatch.setattr(networks, "paper_network", missing)
    monkeypatch.setattr(ends, "tensorrt_live", broken)
    run(SimpleNamespace(json=str(tmp_path / "a.json"), plot=None))
    methods, notes = told(tmp_path / "a.json")
    assert methods == {"TensorRT FP16": 0.5}
    assert [note.split(":")[0] for note in notes] == [
        "torch's figures and the roofline are left out",
        "paper was left out",
        "end to end, live, TensorRT",
    ]
    assert cuda.closed
    assert "| TensorRT FP16 | 0.500 (2,000) |" in capsys.readouterr().out


def test_an_unwritable_path_is_reported_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.engine.runtime.cuda.open_device", FakeCuda)
    monkeypatch.setattr(run_module, "_measure", lambda *_: pytest.fail("measured"))
    with pytest.raises(MienError, match="cannot be written"):
        run(SimpleNamespace(json=str(tmp_path / "missing" / "a.json"), plot=None))
