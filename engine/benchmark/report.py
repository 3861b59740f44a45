"""Output of a benchmark: tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import fields
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mien.engine.session.throughput import STAGES, Figures, Spread
from mien.engine.types import SinkError
from mien.engine.utils.files import write_atomic
from mien.engine.utils.openvino_core import core, load_openvino

NAMES = {
    "track": "track",
    "carry": "render: carry over",
    "model": "render: model",
    "compose": "render: compose",
    "mouth": "render: mouth",
    "send": "deliver",
}


def machine() -> dict[str, Any]:
    """Description of the machine."""
    features = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return {
        "processor": core().get_property("CPU", "FULL_DEVICE_NAME").strip(),
        "cores": os.cpu_count(),
        "bf16": "BF16" in features,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "openvino": load_openvino().__version__.split("-")[0],
    }


def print_figures(console: Console, title: str, figures: Figures) -> None:
    """Print one run's table."""
    line(console, f"\n{title}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ms", "median", "95 %", "99 %"):
        table.add_column(heading, justify="left" if heading == "ms" else "right")
    for stage in STAGES:
        if stage in figures.stages:
            _row(table, NAMES[stage], figures.stages[stage])
    table.add_section()
    _row(table, "waited in queues", figures.queue)
    _row(table, "capture to delivery", figures.latency)
    console.print(table)
    line(
        console,
        f"{figures.fps:.1f} fps; {figures.shown} frames in {figures.seconds:.1f} s, "
        f"{100 * figures.dropped:.1f} % dropped; CPU {figures.cpu_ms:.0f} ms per frame; "
        f"memory {figures.memory_mb:.0f} MB (peak {figures.peak_mb:.0f}); "
        f"first frame after {figures.first_ms:.0f} ms",
    )


def _row(table: Table, name: str, spread: Spread) -> None:
    table.add_row(name, f"{spread.median:.1f}", f"{spread.p95:.1f}", f"{spread.p99:.1f}")


def line(console: Console, text: str) -> None:
    """Print one line without wrapping it."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def as_json(value: Any) -> Any:
    """Convert results to JSON's types; numbers that are not finite become null."""
    if isinstance(value, Figures | Spread):
        hidden = {"track", "memory"} if isinstance(value, Figures) else set()
        return {f.name: as_json(getattr(value, f.name)) for f in fields(value) if f.name not in hidden}
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if isfinite(value) else None
    return value


def write_json(target: str, result: dict[str, Any]) -> None:
    """Write the file atomically, or to the standard output for ``-``; raises ``MienError`` on failure."""
    text = json.dumps(as_json(result), indent=2)
    if target == "-":
        sys.stdout.write(text + "\n")
        return
    write_atomic(Path(target), f"{text}\n".encode())


def check_writable(paths: Sequence[str | Path | None]) -> None:
    """Raise ``SinkError`` if a result could not be written later; called before anything is measured."""
    for path in paths:
        if path is None or str(path) == "-":
            continue
        folder = Path(path).resolve().parent
        if Path(path).is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise SinkError(f"{path} cannot be written. Choose a file in a folder that exists and is yours.")
