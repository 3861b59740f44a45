"""The benchmark on this machine's CPU."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mien.engine.benchmark.against import read_result
from mien.engine.benchmark.arguments import Options
from mien.engine.benchmark.compare import Row, check_names, compare
from mien.engine.benchmark.differences import print_changes
from mien.engine.benchmark.plot import draw_latency
from mien.engine.benchmark.profile_report import print_profile
from mien.engine.benchmark.report import check_writable, line, machine, print_figures, write_json
from mien.engine.benchmark.sessions import Count, count_sessions
from mien.engine.benchmark.setup import Setup, set_up
from mien.engine.benchmark.switching import Switches, measure_switches
from mien.engine.runtime import Network
from mien.engine.session.speed import ENOUGH_FPS, measure_fps
from mien.engine.session.throughput import Figures, run_pipeline
from mien.engine.types import Floats

PLOT = Path("mien-benchmark.png")
NETWORKS = {
    Network.EVERY_FRAME: "network on every frame",
    Network.BACKGROUND: "network in the background",
    Network.OFF: "no network",
}


def run(options: Options) -> int:
    """Measure what the options ask for, print it, and write it.

    Returns:
        1 if something got slower than in ``options.against``, else 0.

    Raises:
        MienError: no face, unwritable results, an unknown runtime, or missing packages.
    """
    plot = options.plot or (PLOT if options.live else None)
    check_writable([options.json, plot, options.flame if options.profile else None])
    before = read_result(options.against) if options.against else None
    check_names(options.compare)
    # The table would mix with JSON on the standard output.
    console = Console(stderr=options.json == "-")
    result: dict[str, Any] = {"machine": machine()}
    if options.profile:
        print_profile(console, options, result)
    else:
        _measure(console, options, plot, result)
    if options.json is not None:
        write_json(options.json, result)
    return print_changes(console, before, result) if before is not None else 0


def _measure(console: Console, options: Options, plot: Path | None, result: dict[str, Any]) -> None:
    setup = set_up(options)
    _introduce(console, setup, result)
    if options.compare:
        rows = compare(setup, options.compare, options.seconds)
        _print_rows(console, rows)
        result["compare"] = {row.name: _row(row) for row in rows}
    if options.live is not None or options.sessions is not None:
        result["profile"] = _choose(console, setup, options)
    if options.live is not None:
        result["live"] = _soak(console, setup, options, plot)
    if options.sessions is not None:
        counts = count_sessions(setup, options.sessions, options.fps, options.seconds)
        _print_counts(console, counts, options.fps)
        result["sessions"] = [_row(count) for count in counts]
    if not (options.compare or options.live or options.sessions):
        result["runs"] = _stages(console, setup, options, plot)
        result["switches"] = _switches(console, setup, options)


def _introduce(console: Console, setup: Setup, result: dict[str, Any]) -> None:
    about = result["machine"]
    line(
        console,
        f"{about['processor']}, {about['cores']} cores, {setup.runtime.precision}, "
        f"OpenVINO {about['openvino']}, {setup.runtime.threads} renderer threads",
    )
    height, width = setup.images[0].shape[:2]
    size = f"{setup.portrait.shape[1]}x{setup.portrait.shape[0]}"
    line(console, f"driver {width}x{height}, portrait {size}; ready after {setup.ready_s:.1f} s")
    result["setup"] = {
        "precision": setup.runtime.precision,
        "threads": setup.runtime.threads,
        "driver": [width, height],
        "portrait": list(setup.portrait.shape[1::-1]),
        "ready_s": setup.ready_s,
    }


def _stages(console: Console, setup: Setup, options: Options, plot: Path | None) -> dict[str, Figures]:
    """Every profile at the camera's frame rate, then at full speed."""
    runs: dict[str, Figures] = {}
    for network, what in NETWORKS.items():
        setup.runtime.network = network
        for fps, pace in ((options.fps, "camera rate"), (None, "full speed")):
            with setup.session() as session:
                figures = run_pipeline(session, setup.images, fps=fps, seconds=options.seconds)
            name = network.value
            title = f"{name} ({what}), {pace}" + (f", {fps:g} fps" if fps else "")
            print_figures(console, title, figures)
            runs[f"{name}, {pace}"] = figures
            if plot is not None and fps is not None and network is Network.EVERY_FRAME:
                draw_latency(plot, figures.track, figures.memory)
    return runs


def _switches(console: Console, setup: Setup, options: Options) -> dict[str, Any]:
    """Change avatars while live, in the profile that a live run would use."""
    line(console, "")
    profile = _choose(console, setup, options)
    found = measure_switches(setup, options.fps)
    line(
        console,
        f"avatar changed {found.times} times while live: the longest time between two frames is "
        f"{found.gap_ms:.0f} ms while one is prepared ({found.prepare_ms:.0f} ms) and swapped in, "
        f"{found.usual_ms:.0f} ms otherwise",
    )
    return {"profile": profile, **_row(found)}


def _choose(console: Console, setup: Setup, options: Options) -> str:
    """Set the profile for the long run: the user's, or that of a live run with a trained model."""
    if options.model is not None:
        setup.runtime.network = Network(options.model)
    else:
        fps = measure_fps(setup.runtime, setup.avatar)
        setup.runtime.network = Network.EVERY_FRAME if fps >= ENOUGH_FPS else Network.BACKGROUND
        line(console, f"{fps:.0f} fps with the network on every frame, so: {setup.runtime.network.value}")
    line(console, f"profile {setup.runtime.network.value}: {NETWORKS[setup.runtime.network]}")
    return setup.runtime.network.value


def _soak(console: Console, setup: Setup, options: Options, plot: Path | None) -> dict[str, Any]:
    """A long run at the camera's frame rate: first and last minute, memory, plot."""
    assert options.live is not None
    with setup.session() as session:
        figures = run_pipeline(session, setup.images, fps=options.fps, seconds=options.live)
    print_figures(console, f"{options.live:g} s at {options.fps:g} fps", figures)
    track = np.asarray(figures.track, np.float32).reshape(-1, 2)
    part = min(60.0, figures.seconds / 2)
    first = track[track[:, 0] < part, 1]
    last = track[track[:, 0] > figures.seconds - part, 1]
    # Other users of a shared machine move the median; a program that slows down is slower at its best, too.
    usual, best = _drift(first, last, 0.5), _drift(first, last, 0.1)
    grown = _growth(figures.memory)
    line(
        console,
        f"latency in the first and the last {part:.0f} s: median {usual}, fastest tenth {best}; "
        f"memory grew by {grown:+.1f} MB",
    )
    if plot is not None:
        draw_latency(plot, figures.track, figures.memory)
        line(console, f"plot: {plot}")
    return {
        "figures": figures,
        **asdict(usual),
        "fastest_tenth": asdict(best),
        "memory_growth_mb": grown,
    }


@dataclass(frozen=True, slots=True)
class Drift:
    """A quantile of the latency in the first and the last part of a run, ms, and its relative change."""

    first_ms: float
    last_ms: float
    change: float

    def __str__(self) -> str:
        return f"{self.first_ms:.1f} and {self.last_ms:.1f} ms ({100 * self.change:+.1f} %)"


def _drift(first: Floats, last: Floats, share: float) -> Drift:
    if not len(first) or not len(last):
        return Drift(float("nan"), float("nan"), float("nan"))
    before, after = float(np.quantile(first, share)), float(np.quantile(last, share))
    return Drift(before, after, after / before - 1.0)


def _growth(memory: list[tuple[float, float]]) -> float:
    """MB from the first tenth's median to the last tenth's; allocators settle in the first seconds."""
    values = [mb for _, mb in memory]
    part = max(1, len(values) // 10)
    return float(np.median(values[-part:]) - np.median(values[:part])) if values else float("nan")


def _print_rows(console: Console, rows: list[Row]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("runtime", "ms a frame", "95 %", "fps", "CPU ms", f"times {rows[-1].name}"):
        table.add_column(heading, justify="left" if heading == "runtime" else "right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.frame_ms.median:.1f}",
            f"{row.frame_ms.p95:.1f}",
            f"{row.fps:.1f}",
            f"{row.cpu_ms:.0f}",
            f"{row.ratio:.1f}",
        )
    console.print(table)
    for row in rows:
        line(console, f"{row.name}: {row.note}")


def _print_counts(console: Console, counts: list[Count], fps: float) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("avatars", "fps of the slowest", "95 % latency, ms", "dropped", "memory, MB"):
        table.add_column(heading, justify="right")
    for count in counts:
        table.add_row(
            str(count.sessions),
            f"{count.fps:.1f}",
            f"{count.p95_ms:.0f}",
            f"{100 * count.dropped:.1f} %",
            f"{count.memory_mb:.0f}",
        )
    console.print(table)
    held = max((count.sessions for count in counts if count.holds), default=0)
    line(
        console,
        f"this machine can run {held} at {fps:g} fps" + ("" if held < len(counts) else " and possibly more"),
    )


def _row(row: Row | Count | Switches) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}
