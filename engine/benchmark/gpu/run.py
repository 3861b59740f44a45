"""The GPU benchmark from end to end: one command, under eight minutes with the engines' build."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from engine.benchmark.gpu import measure, networks, plot
from engine.benchmark.gpu.networks import TimedPart
from engine.benchmark.gpu.plan import BATCHES, Case, Deadline, cases
from engine.benchmark.gpu.report import Report, Timing, as_json, markdown
from engine.benchmark.gpu.roofline import bound_ms, layers_of
from engine.graphs.editing import load_proto
from engine.runtime import ENCODER, RENDERER, gate
from engine.runtime.base import CardRuntime
from engine.runtime.openvino import OpenVinoRuntime
from engine.types import MienError

SECONDS = 450.0
"""All of it; what has not begun by then is left out and named."""

FRAMES = 1000
"""Real frames that FP16 is compared on, at most."""


class GpuOptions(Protocol):
    """What this benchmark wants of the command line's options."""

    @property
    def json(self) -> str | None: ...

    @property
    def plot(self) -> Path | None: ...


def run(options: GpuOptions) -> None:
    """Measure, print Markdown, and write JSON and the plot where they were asked for.

    Raises:
        MienError: no card, or no torch with CUDA: in one line, before anything is measured.
    """
    from engine.runtime.cuda import open_card
    from engine.runtime.torch_cuda import import_torch

    deadline = Deadline(SECONDS)
    cuda = open_card()
    torch = import_torch()
    notes: list[str] = []
    workshop = _workshop(cuda, notes)
    presets = _networks(notes)
    rates, words = measure.card_rates(torch)
    timings = _all_timings(torch, workshop, presets, deadline, notes)
    bounds = {
        preset: {
            batch: sum(bound_ms(layers_of(load_proto(part.onnx)), rates, batch) for part in parts)
            for batch in BATCHES
        }
        for preset, parts in presets.items()
    }
    ends, accuracy = _end_to_end(workshop, deadline, notes)
    machine = {
        "GPU": str(cuda.card),
        "torch": str(torch.__version__),
        "CUDA": str(torch.version.cuda),
        "TensorRT": "none" if workshop is None else f"{workshop.backend.name} {workshop.backend.version}",
        "Python": platform.python_version(),
    }
    report = Report(machine, words, timings, bounds, ends, accuracy, notes)
    _write(report, options)


def _workshop(cuda: Any, notes: list[str]) -> Any:
    from engine.runtime.tensorrt.backend import EngineError, find_backend
    from engine.runtime.tensorrt.cache import EngineCache
    from engine.runtime.tensorrt.prepare import Workshop

    try:
        return Workshop(find_backend(), cuda, EngineCache(), notes.append)
    except EngineError as error:
        notes.append(f"no TensorRT: {error}")
        return None


def _networks(notes: list[str]) -> dict[str, list[TimedPart]]:
    found = {"live": networks.live_network()}
    try:
        found["paper"] = networks.paper_network()
    except MienError as error:
        notes.append(f"paper was left out: {error}")
    return found


def _all_timings(
    torch: Any,
    workshop: Any,
    presets: dict[str, list[TimedPart]],
    deadline: Deadline,
    notes: list[str],
) -> list[Timing]:
    timings = []
    for case in cases():
        if case.preset not in presets:
            continue
        # A compilation takes half a minute, and the end-to-end part wants the last minute and a half.
        if not deadline.allows(150 if "compile" in case.method else 100):
            notes.append(f"left out for lack of time: {case.preset}, {case.method}, batch {case.batch}")
            continue
        timing = _timing(torch, workshop, case, presets[case.preset])
        if timing is None:
            continue
        timings.append(timing)
        if timing.problem is not None:
            notes.append(f"{case.preset}, {case.method}, batch {case.batch}: {timing.problem}")
    return timings


def _timing(torch: Any, workshop: Any, case: Case, parts: Sequence[TimedPart]) -> Timing | None:
    if not case.method.startswith("TensorRT"):
        return measure.torch_timing(torch, case, parts)
    if workshop is None:
        return None
    return measure.tensorrt_timing(workshop, case, parts, max(BATCHES))


def _end_to_end(
    workshop: Any, deadline: Deadline, notes: list[str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Whole pictures with copies on the host's clock, and FP16's error on real frames."""
    from engine.runtime.tensorrt.prepare import Model, prepare
    from engine.runtime.torch_cuda import TorchCudaRuntime

    reference = OpenVinoRuntime(ENCODER, RENDERER, threads=4, precision="f32")
    ends: dict[str, float] = {}
    accuracy: dict[str, Any] = {}
    try:
        runtime: CardRuntime = TorchCudaRuntime(ENCODER.read_bytes(), RENDERER.read_bytes())
        ends |= _walls("torch", runtime, reference)
    except MienError as error:
        notes.append(f"end to end, torch: {error}")
    if workshop is None:
        return ends, accuracy
    try:
        built = prepare(Model(ENCODER, RENDERER), reference, workshop)
        ends |= _walls("TensorRT", built, reference)
        accuracy = _accuracy(reference, built, deadline)
        recorded = [name for name, done in built.graphs.items() if not done]
        if recorded:
            notes.append(f"not replayed as CUDA graphs: {', '.join(recorded)}")
        built.close()
    except MienError as error:
        notes.append(f"end to end, TensorRT: {error}")
    return ends, accuracy


def _walls(name: str, runtime: CardRuntime, reference: OpenVinoRuntime) -> dict[str, float]:
    found = {}
    for words, crop in (("whole portrait", None), ("face crop 512", 512)):
        drawings = gate.real_drawings(reference, 8, crop)
        for _ in range(10):
            runtime.draw(drawings[:1])
        count = 100
        start = time.perf_counter()
        for index in range(count):
            runtime.draw([drawings[index % len(drawings)]])
        found[f"{name}, {words}"] = 1e3 * (time.perf_counter() - start) / count
    return found


def _accuracy(reference: OpenVinoRuntime, runtime: CardRuntime, deadline: Deadline) -> dict[str, Any]:
    """The gate's figures on as many real frames as there is time for (the reference is the slow one)."""
    start = time.perf_counter()
    gate.check(reference, runtime, gate.real_drawings(reference, 8))
    each = (time.perf_counter() - start) / 8
    count = int(max(8, min(FRAMES, 0.8 * deadline.left / each)))
    report = gate.check(reference, runtime, gate.real_drawings(reference, count))
    return {
        "frames": report.frames,
        "mean picture error /255": round(report.mean_picture, 4),
        "largest flow error px": round(report.flow_px, 4),
        "all numbers": report.finite,
        "gate": report.failure or "passed",
    }


def _write(report: Report, options: GpuOptions) -> None:
    text = json.dumps(as_json(report), indent=1) + "\n"
    if options.json == "-":
        sys.stdout.write(text)
    else:
        sys.stdout.write(markdown(report))
    try:
        if options.json not in (None, "-"):
            Path(str(options.json)).write_text(text)
    except OSError as error:
        raise MienError(f"{options.json}: cannot write: {error.strerror or error}") from error
    if options.plot is not None:
        plot.write(options.plot, report.timings)
