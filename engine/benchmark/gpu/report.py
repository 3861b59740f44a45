"""Tables of the GPU benchmark: Markdown for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mien.engine.benchmark.gpu.plan import BATCHES, METHODS, PRESETS, Case


@dataclass(frozen=True, slots=True)
class Timing:
    """Result of one case.

    Attributes:
        ms: kernel time of one batch by CUDA events, median; None if it could not be measured.
        memory: bytes of device memory taken.
        problem: why it could not be measured.
    """

    case: Case
    ms: float | None
    memory: int = 0
    problem: str | None = None

    @property
    def frames_per_second(self) -> float | None:
        return None if self.ms is None else 1e3 * self.case.batch / self.ms


@dataclass(frozen=True, slots=True)
class Report:
    """All results.

    Attributes:
        machine: names and versions.
        rates: the GPU's measured rates.
        timings: the cases.
        bounds: roofline, ms by preset and batch.
        end_to_end: ms per frame including copies, by name.
        accuracy: the parity check's figures.
        notes: failures and omissions.
    """

    machine: Mapping[str, str]
    rates: Mapping[str, float]
    timings: Sequence[Timing]
    bounds: Mapping[str, Mapping[int, float]]
    end_to_end: Mapping[str, float]
    accuracy: Mapping[str, Any]
    notes: Sequence[str]


#: The goals on an H100: (preset, batch) -> milliseconds per batch.
GOALS = {("live", 1): 0.5, ("live", 8): 8e3 / 6000, ("paper", 1): 1.2}


def markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [" · ".join(f"{key} {value}" for key, value in report.machine.items()), ""]
    lines += [" · ".join(f"{key} {value:,.1f}" for key, value in report.rates.items()), ""]
    for preset in PRESETS:
        lines += _table(report, preset)
    for name, ms in report.end_to_end.items():
        lines.append(f"- end to end including copies, {name}: {ms:.3f} ms per frame")
    if report.accuracy:
        words = ", ".join(f"{key} {value}" for key, value in report.accuracy.items())
        lines.append(f"- TensorRT FP16 against FP32: {words}")
    lines += [f"- {line}" for line in (*_goals(report), *report.notes)]
    return "\n".join(lines) + "\n"


def _table(report: Report, preset: str) -> list[str]:
    found = {(t.case.method, t.case.batch): t for t in report.timings if t.case.preset == preset}
    if not found:
        return []
    heads = [f"batch {batch}" for batch in BATCHES]
    lines = [f"{preset}, ms per batch (frames per second)", "", "| | " + " | ".join(heads) + " | MiB |"]
    lines.append("|---" * (len(BATCHES) + 2) + "|")
    for method in METHODS:
        row = [found.get((method, batch)) for batch in BATCHES]
        if not any(row):
            continue
        memory = max((timing.memory for timing in row if timing), default=0) / 2**20
        lines.append(f"| {method} | " + " | ".join(map(_cell, row)) + f" | {memory:.0f} |")
    bounds = report.bounds.get(preset, {})
    if bounds:
        cells = " | ".join(f"{bounds[batch]:.3f}" if batch in bounds else "" for batch in BATCHES)
        lines.append(f"| roofline | {cells} | |")
    return [*lines, ""]


def _cell(timing: Timing | None) -> str:
    if timing is None or timing.ms is None:
        return "" if timing is None else "failed"
    return f"{timing.ms:.3f} ({timing.frames_per_second:,.0f})"


def _goals(report: Report) -> list[str]:
    best = {
        (t.case.preset, t.case.batch): t.ms
        for t in report.timings
        if t.ms is not None and t.case.method == METHODS[0]
    }
    lines = []
    for (preset, batch), goal in GOALS.items():
        ms = best.get((preset, batch))
        if ms is not None:
            word = "reached" if ms <= goal else "missed"
            lines.append(f"goal {preset} batch {batch}, {goal:.3f} ms: {word} ({ms:.3f} ms)")
    return lines


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON values."""
    found = asdict(report)
    for entry, timing in zip(found["timings"], report.timings, strict=True):
        entry["frames_per_second"] = timing.frames_per_second
    return found
