"""Statistics of one avatar's stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from time import monotonic, monotonic_ns

from mien.engine.types import Rendered


@dataclass
class StreamStats:
    """Numbers of one stream, for its statistics; written by one thread, read by others.

    Attributes:
        frames: rendered so far.
        latency_ms: from the capture (arrival) of the driving frame to its avatar's being encoded, smoothed.
        stage_ms: milliseconds per stage, smoothed.
        sent_bytes: encoded so far, once per codec.
    """

    frames: int = 0
    latency_ms: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)
    sent_bytes: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=60))

    def fps(self) -> float:
        """Frames a second over the last two seconds."""
        now = monotonic()
        times = [time for time in list(self.recent) if now - time < 2]
        return len(times) / max(0.5, now - times[0]) if times else 0.0

    def count(self, rendered: Rendered, encode_ms: float) -> dict[str, float]:
        """One more frame, that has just been encoded; its milliseconds per stage."""
        latency = (monotonic_ns() - rendered.captured_ns) / 1e6
        times = {**rendered.stage_ms, "encode": encode_ms, "latency": latency}
        self.latency_ms = latency if not self.frames else 0.9 * self.latency_ms + 0.1 * latency
        before = self.stage_ms or times
        self.stage_ms = {name: 0.9 * before.get(name, value) + 0.1 * value for name, value in times.items()}
        self.recent.append(monotonic())
        self.frames += 1
        return times
