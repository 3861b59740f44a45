"""The whole GPU benchmark: one command, under eight minutes including the engines' build.

Every method is measured by itself: a failure becomes a note, and the others' figures stay.  JSON and plot are
rewritten after every step, so that even a driver crash leaves the results so far.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mien.engine.benchmark.gpu import ends, measure, networks, plot
from mien.engine.benchmark.gpu.measure import Engines
from mien.engine.benchmark.gpu.networks import PaperNetwork, TimedPart
from mien.engine.benchmark.gpu.plan import BATCHES, Case, Deadline, cases
from mien.engine.benchmark.gpu.report import Report, Timing, as_json, markdown
from mien.engine.benchmark.gpu.roofline import bound_ms, layers_of
from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.types import MienError, ModelError
from mien.engine.utils.files import write_atomic

SECONDS = 450.0
"""Total seconds; measurements not started by then are left out and named."""


class GpuOptions(Protocol):
    """The command-line options used by this benchmark."""

    @property
    def json(self) -> str | None: ...

    @property
    def plot(self) -> Path | None: ...


@dataclass
class Findings:
    """The results so far; the attributes are those of :class:`Report`."""

    options: GpuOptions
    machine: dict[str, str] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)
    bounds: dict[str, dict[int, float]] = field(default_factory=dict)
    end_to_end: dict[str, float] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def report(self) -> Report:
        return Report(
            self.machine,
            self.rates,
            self.timings,
            self.bounds,
            self.end_to_end,
            self.accuracy,
            self.notes,
        )

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Run one step: a failure becomes a note, and the results so far are written."""
        try:
            yield
        except Exception as error:
            self.notes.append(f"{what}: {measure.reason(error)}")
        with suppress(MienError):  # reported at the end, when the figures are printed
            self.save()

    @property
    def text(self) -> str:
        return json.dumps(as_json(self.report), indent=1) + "\n"

    def save(self) -> None:
        """Write the requested JSON and plot.

        Raises:
            MienError: one cannot be written.
        """
        if self.options.json not in (None, "-"):
            write_atomic(Path(str(self.options.json)), self.text.encode())
        if self.options.plot is not None:
            plot.write(self.options.plot, self.timings)


def run(options: GpuOptions) -> None:
    """Measure, print Markdown, and write JSON and plot if requested.

    Raises:
        MienError: no GPU, or unwritable results; in one line, before anything is measured.
    """
    from mien.engine.runtime.cuda import CudaError, open_device

    deadline = Deadline(SECONDS)
    cuda = open_device()
    found = Findings(options, {"GPU": str(cuda.device), "Python": platform.python_version()})
    found.save()
    try:
        _measure(found, cuda, deadline)
    finally:  # also when interrupted
        sys.stdout.write(found.text if options.json == "-" else markdown(found.report))
        with suppress(CudaError):
            cuda.close()
        found.save()


def _measure(found: Findings, cuda: Any, deadline: Deadline) -> None:
    torch, context = _torch(found), _context(cuda, found)
    presets: dict[str, list[TimedPart]] = {}
    paper: PaperNetwork | None = None
    with found.step("live was left out"):
        presets["live"] = networks.live_network(found.notes)
    with found.step("paper was left out"):
        paper = networks.paper_network()
        presets["paper"] = paper.timed
    if torch is not None:
        with found.step("the GPU's rates"):
            rates, words = measure.gpu_rates(torch)
            found.rates |= words
            for preset, parts in presets.items():
                layers = [layer for part in parts for layer in layers_of(load_proto(part.onnx))]
                found.bounds[preset] = {batch: bound_ms(layers, rates, batch) for batch in BATCHES}
    engines = None if context is None else Engines(context, max(BATCHES))
    _all_timings(found, torch, engines, presets, deadline)
    if engines is not None:
        with found.step("closing the engines"):
            engines.close()
    if torch is not None:
        with found.step("end to end, live, torch"):
            ends.torch_live(found.end_to_end)
    if context is None:
        return
    if paper is not None and deadline.allows(60):
        with found.step("end to end, paper, TensorRT"):
            ends.tensorrt_paper(context, paper, found.end_to_end, found.accuracy)
    with found.step("end to end, live, TensorRT"):  # last: its accuracy check uses the remaining time
        ends.tensorrt_live(context, deadline, found.end_to_end, found.accuracy, found.notes)


def _torch(found: Findings) -> Any:
    from mien.engine.runtime.torch_cuda import import_torch

    try:
        torch = import_torch()
    except MienError as error:
        found.notes.append(f"torch's figures and the roofline are left out: {error}")
        return None
    found.machine |= {"torch": str(torch.__version__), "CUDA": str(torch.version.cuda)}
    return torch


def _context(cuda: Any, found: Findings) -> Any:
    from mien.engine.runtime.tensorrt.backend import EngineError, find_backend
    from mien.engine.runtime.tensorrt.cache import EngineCache
    from mien.engine.runtime.tensorrt.prepare import BuildContext

    try:
        backend = find_backend()
    except EngineError as error:
        found.machine["TensorRT"] = "none"
        found.notes.append(f"TensorRT's figures are left out: {error}")
        return None
    found.machine["TensorRT"] = f"{backend.name} {backend.version}"
    return BuildContext(backend, cuda, EngineCache(), found.notes.append)


def _all_timings(
    found: Findings,
    torch: Any,
    engines: Engines | None,
    presets: dict[str, list[TimedPart]],
    deadline: Deadline,
) -> None:
    for case in cases():
        there = engines if case.method.startswith("TensorRT") else torch
        if case.preset not in presets or there is None:
            continue
        # A compilation takes half a minute, and the end-to-end part needs the last minute and a half.
        if not deadline.allows(150 if "compile" in case.method else 100):
            found.notes.append(f"left out, no time left: {case.preset}, {case.method}, batch {case.batch}")
            continue
        with found.step(f"{case.preset}, {case.method}, batch {case.batch}"):
            timing = _timing(torch, engines, case, presets[case.preset])
            found.timings.append(timing)
            if timing.problem is not None:
                raise ModelError(timing.problem)


def _timing(torch: Any, engines: Engines | None, case: Case, parts: list[TimedPart]) -> Timing:
    if case.method.startswith("TensorRT"):
        assert engines is not None
        return measure.tensorrt_timing(engines, case, parts)
    return measure.torch_timing(torch, case, parts)
