"""Preparation of a checked runtime on a GPU from the exported parts of the ``paper`` preset."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from numpy.typing import NDArray

from mien.engine.paper import parity
from mien.engine.paper.parts import Contents, paper_parts, renderer
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.paper.tensorrt_paper import TensorRtPaper
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.failover import close_quietly
from mien.engine.runtime.tensorrt.parts import Precision
from mien.engine.runtime.tensorrt.prepare import BuildContext
from mien.engine.types import ModelError


def prepare_paper(
    contents: Contents,
    reference: PaperRuntime,
    live: Runtime,
    context: BuildContext,
    *,
    precision: Precision = "fp16",
    limits: parity.PaperLimits | None = None,
) -> TensorRtPaper:
    """A runtime that has passed the parity check.

    Args:
        reference: computes the same model in FP32; used in this thread, so not one that works elsewhere.
        live: draws the gate's driver, likewise.

    Raises:
        MienError: no engine, no memory, or results that are not the reference's; in one line.
    """
    parts = paper_parts(contents, precision)
    engines = context.engines(parts)
    runtime = TensorRtPaper(parts, engines, context.cuda, reference.points, reference.given_points)
    with ExitStack() as stack:
        stack.callback(close_quietly, runtime)
        portrait, moments = parity.real_moments(live)
        report = parity.check(reference, runtime, portrait, moments, limits)
        if report.failure is not None:
            onnx = renderer(contents) if report.part == "renderer" else contents[report.part]
            inputs = _inputs(report.part, reference, portrait, moments[-1])
            raise context.parity_error(report.failure, onnx, inputs, precision)
        stack.pop_all()
    return runtime


def _inputs(
    part: str, reference: PaperRuntime, portrait: parity.Moment, moment: parity.Moment
) -> dict[str, NDArray[Any]]:
    """One item's inputs of a part."""
    if part == "encoder":
        return {"source": portrait.tensor}
    if part == "detector":
        points = {"points": moment.points[None]} if reference.given_points else {}
        return {"image": moment.tensor, **points}
    code = reference.encode(portrait.image)
    source, driving = (reference.detect(m.tensor, m.points) for m in (portrait, moment))
    return {
        "source": code.source,
        "features": code.features,
        "source_points": source.points[None],
        "source_jacobians": source.jacobians[None],
        "driving_points": driving.points[None],
        "driving_jacobians": driving.jacobians[None],
    }


def make_torch_paper(contents: Contents, reference: PaperRuntime, live: Runtime) -> PaperRuntime:
    """Torch on CUDA, checked; raises :class:`MienError` where that is not possible."""
    from mien.engine.paper.torch_cuda_paper import TorchCudaPaper

    runtime = TorchCudaPaper(contents, reference.points, reference.given_points)
    report = parity.check(reference, runtime, *parity.real_moments(live))
    if report.failure is not None:
        raise ModelError(f"torch on CUDA: {report.failure}")
    return runtime
