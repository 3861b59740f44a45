"""Number of avatars that one machine can run at the camera's frame rate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import cast

from mien.engine.benchmark.setup import Setup
from mien.engine.runtime import Precision, default_runtime
from mien.engine.session.throughput import Figures, run_pipeline

HOLDS = 0.97
"""Share of the camera's frame rate that every session must reach."""


@dataclass(frozen=True, slots=True)
class Count:
    """Simultaneous sessions: frames per second and 95th percentile of the latency of the slowest."""

    sessions: int
    fps: float
    p95_ms: float
    holds: bool


def count_sessions(setup: Setup, most: int, fps: float, seconds: float) -> list[Count]:
    """Run 1, 2, ... ``most`` sessions at once, each with its own tracker and runtime, until one lags."""
    counts: list[Count] = []
    for number in range(1, most + 1):
        figures = _side_by_side(setup, number, fps, seconds)
        slowest = min(found.fps for found in figures)
        late = max(found.latency.p95 for found in figures)
        counts.append(Count(number, slowest, late, slowest >= HOLDS * fps))
        if not counts[-1].holds:
            break
    return counts


def _side_by_side(setup: Setup, number: int, fps: float, seconds: float) -> list[Figures]:
    threads = max(1, setup.runtime.threads // number)
    with ExitStack() as stack:
        sessions = []
        for _ in range(number):
            runtime = default_runtime(threads, cast(Precision, setup.runtime.precision))
            runtime.network = setup.runtime.network
            sessions.append(stack.enter_context(setup.session(runtime)))
        pool = stack.enter_context(ThreadPoolExecutor(number))
        runs = [pool.submit(run_pipeline, one, setup.images, fps=fps, seconds=seconds) for one in sessions]
        return [run.result() for run in runs]
