"""Numbers for Prometheus, in its text format 0.0.4."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_MS = (1.0, 2.5, 5.0, 10.0, 20.0, 33.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0)


class Histogram:
    """Counts of values up to each bound."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_MS) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS_MS, value)] += 1
        self.total += value


class Metrics:
    """Histograms per stage, counters, and gauges that are read when asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, Histogram] = {}
        self._counters: dict[tuple[str, str], int] = {}
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Register a gauge."""
        self._gauges[name] = (help_text, value)

    def count(self, name: str, label: str = "") -> None:
        """One more; ``label`` is ``key="value"`` from our own code, never from a client."""
        with self._lock:
            self._counters[name, label] = self._counters.get((name, label), 0) + 1

    def observe(self, stages: Mapping[str, float]) -> None:
        """One frame's milliseconds per stage."""
        with self._lock:
            for stage, value in stages.items():
                self._stages.setdefault(stage, Histogram()).add(value)

    def text(self) -> str:
        """Everything, in the text format."""
        return "\n".join([*self._gauge_lines(), *self._counter_lines(), *self._stage_lines(), ""])

    def _gauge_lines(self) -> Iterator[str]:
        for name, (help_text, value) in sorted(self._gauges.items()):
            yield f"# HELP mien_{name} {help_text}"
            yield f"# TYPE mien_{name} {'counter' if name.endswith('_total') else 'gauge'}"
            # All digits: a counter that is rounded stands still and then jumps.
            yield f"mien_{name} {value():.15g}"

    def _counter_lines(self) -> Iterator[str]:
        with self._lock:
            counters = dict(self._counters)
        seen = ""
        for (name, label), value in sorted(counters.items()):
            if name != seen:
                yield f"# TYPE mien_{name} counter"
                seen = name
            yield f"mien_{name}{{{label}}} {value}" if label else f"mien_{name} {value}"

    def _stage_lines(self) -> Iterator[str]:
        with self._lock:
            stages = {name: (list(h.counts), h.total) for name, h in self._stages.items()}
        if stages:
            yield "# HELP mien_stage_milliseconds Of one frame; latency is from arrival to sent."
            yield "# TYPE mien_stage_milliseconds histogram"
        for name, (counts, total) in sorted(stages.items()):
            below = 0
            for bound, count in zip((*BUCKETS_MS, None), counts, strict=True):
                below += count
                edge = "+Inf" if bound is None else f"{bound:g}"
                yield f'mien_stage_milliseconds_bucket{{stage="{name}",le="{edge}"}} {below}'
            yield f'mien_stage_milliseconds_sum{{stage="{name}"}} {total:.3f}'
            yield f'mien_stage_milliseconds_count{{stage="{name}"}} {below}'
