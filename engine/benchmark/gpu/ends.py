"""End-to-end times of whole images including copies, by the host's clock, and FP16's error on real frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mien.engine.benchmark.gpu.networks import PaperNetwork
from mien.engine.benchmark.gpu.plan import Deadline
from mien.engine.runtime import ENCODER, RENDERER, default_runtime, parity
from mien.engine.runtime.batch_runtime import BatchRuntime
from mien.engine.runtime.openvino import OpenVinoRuntime
from mien.engine.runtime.tensorrt.prepare import BuildContext, Model, prepare

FRAMES = 1000
"""Largest number of real frames on which FP16 is compared."""

_AT_ONCE = 40
"""Number of frames whose images are in memory at once."""


def exact() -> OpenVinoRuntime:
    """Create the ``live`` model in FP32 on the CPU."""
    return OpenVinoRuntime(ENCODER, RENDERER, threads=4, precision="f32")


def torch_live(found: dict[str, float]) -> None:
    """Time the exported files in torch."""
    from mien.engine.runtime.torch_cuda import TorchCudaRuntime

    runtime = TorchCudaRuntime(ENCODER.read_bytes(), RENDERER.read_bytes())
    _images("live, torch", runtime, found)


def tensorrt_live(
    context: BuildContext,
    deadline: Deadline,
    found: dict[str, float],
    accuracy: dict[str, Any],
    notes: list[str],
) -> None:
    """Time the engines as used in a live run."""
    reference = exact()
    built = prepare(Model.read(ENCODER, RENDERER), reference, context)
    try:
        _images("live, TensorRT", built, found)
        accuracy |= _accuracy(reference, built, deadline)
        direct = [name for name, done in built.graphs.items() if not done]
        if direct:
            notes.append(f"not replayed as CUDA graphs: {', '.join(direct)}")
    finally:
        built.close()


def tensorrt_paper(
    context: BuildContext, network: PaperNetwork, found: dict[str, float], accuracy: dict[str, Any]
) -> None:
    """Time the published network's engines as used in a run."""
    from mien.engine.paper import parity as paper_parity
    from mien.engine.paper.prepare import prepare_paper
    from mien.engine.paper.torch_paper import TorchPaper

    reference = TorchPaper(network.model.cpu())
    live = default_runtime(2, "f32")
    built = prepare_paper(network.contents, reference, live, context)
    try:
        portrait, moments = paper_parity.real_moments(live)
        code = built.encode(portrait.image)
        source = built.detect(portrait.tensor, portrait.points)
        tensors = [(moment.tensor, moment.points) for moment in moments]

        def draw(index: int) -> None:
            built.animate(code, source, built.detect(*tensors[index % len(tensors)]))

        found["paper, TensorRT, key points and image"] = _wall(draw)
        report = paper_parity.check(reference, built, portrait, moments)
        accuracy["paper (random weights)"] = str(report)
    finally:
        built.close()


def _images(name: str, runtime: BatchRuntime, found: dict[str, float]) -> None:
    reference = exact()
    for words, crop in (("whole portrait", None), ("face crop 512", 512)):
        drawings = parity.real_drawings(reference, 8, crop)
        found[f"{name}, {words}"] = _wall(lambda index, d=drawings: runtime.draw([d[index % len(d)]]))  # type: ignore[misc]


def _wall(draw: Callable[[int], object], count: int = 100) -> float:
    """Milliseconds per image."""
    for index in range(10):
        draw(index)
    start = time.perf_counter()
    for index in range(count):
        draw(index)
    return 1e3 * (time.perf_counter() - start) / count


def _accuracy(reference: OpenVinoRuntime, runtime: BatchRuntime, deadline: Deadline) -> dict[str, Any]:
    """The parity check's figures on as many real frames as time allows (the reference is the slow one)."""
    start = time.perf_counter()
    reports = [parity.check(reference, runtime, parity.real_drawings(reference, 8))]
    each = (time.perf_counter() - start) / 8
    count = int(max(8, min(FRAMES, 0.8 * deadline.left / each)))
    drawings = parity.real_drawings(reference, count)
    reports += [
        parity.check(reference, runtime, drawings[first : first + _AT_ONCE])
        for first in range(0, count, _AT_ONCE)
    ]
    failures = [report.failure for report in reports if report.failure is not None]
    return {
        "frames": count,
        "mean image error /255": round(max(report.mean_image for report in reports), 4),
        "largest flow error px": round(max(report.flow_px for report in reports), 4),
        "all finite": all(report.finite for report in reports),
        "parity": failures[0] if failures else "passed",
    }
