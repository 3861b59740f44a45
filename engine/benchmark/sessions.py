"""Number of avatars that one machine can run at the camera's frame rate, as a server runs them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from mien.engine.benchmark.setup import Setup
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.session.driver_session import DriverSession
from mien.engine.session.shared_renderer import SharedRenderer
from mien.engine.session.throughput import MANY, WARM_UP_S, Camera, resident_mb
from mien.engine.types import Frame, Rendered
from mien.engine.utils.memory import release_freed
from mien.engine.utils.samples import Samples

HOLDS = 0.97
"""Share of the camera's frame rate that every session must reach."""


@dataclass(frozen=True, slots=True)
class Count:
    """Simultaneous sessions.

    Attributes:
        sessions: how many.
        fps: frames per second of the slowest.
        p95_ms: 95th percentile of its latency, from capture to delivery.
        dropped: share of its frames that newer ones replaced, 0..1.
        memory_mb: resident memory at the end.
        holds: whether the slowest keeps up with its camera.
    """

    sessions: int
    fps: float
    p95_ms: float
    dropped: float
    memory_mb: float
    holds: bool


def count_sessions(setup: Setup, most: int, fps: float, seconds: float) -> list[Count]:
    """Run 1, 2, ... ``most`` drivers of one shared renderer at once, until one lags."""
    counts: list[Count] = []
    first = make_landmarker(live=True)

    def another() -> Landmarker:
        return first.twin(live=True) or make_landmarker(live=True)

    release_freed()  # as a server does
    with first, SharedRenderer(setup.runtime, another, None) as shared:
        for number in range(1, most + 1):
            drives = _side_by_side(setup, shared, number, fps, seconds)
            slowest = min(drive.fps for drive in drives)
            late = max(drive.latency.percentile(95) for drive in drives)
            dropped = max(drive.dropped for drive in drives)
            counts.append(Count(number, slowest, late, dropped, resident_mb(), slowest >= HOLDS * fps))
            if not counts[-1].holds:
                break
    return counts


def _side_by_side(
    setup: Setup, shared: SharedRenderer, number: int, fps: float, seconds: float
) -> list[_Drive]:
    drives = [_Drive() for _ in range(number)]
    sessions = [shared.open(setup.avatar, drive.deliver) for drive in drives]
    try:
        with ThreadPoolExecutor(number) as pool:
            cameras = [Camera(setup.images, fps, seconds + WARM_UP_S) for _ in drives]
            runs = [
                pool.submit(drive.run, session, camera, index / number / fps)
                for index, (drive, session, camera) in enumerate(zip(drives, sessions, cameras, strict=True))
            ]
            for run in runs:
                run.result()
    finally:
        for session in sessions:
            session.close()
    return drives


def _same(frame: Frame) -> Frame:
    return frame


class _Drive:
    """One driver's camera, and what came of its frames.

    Attributes:
        fps: frames delivered per second.
        latency: milliseconds from capture to delivery.
        dropped: share of the frames that newer ones replaced, 0..1.
    """

    def __init__(self) -> None:
        self.latency = Samples(MANY)
        self.fps = self.dropped = 0.0
        self._lock = threading.Lock()
        self._counts = False

    def deliver(self, rendered: Rendered) -> None:
        """Called in the render thread."""
        if self._counts:
            with self._lock:
                self.latency.add((time.monotonic_ns() - rendered.captured_ns) / 1e6)

    def run(self, session: DriverSession, camera: Camera, delay: float) -> None:
        """Offer the camera's frames; ``delay`` keeps the cameras of several drivers from firing together."""
        time.sleep(delay)
        begun, taken, before = time.monotonic(), 0, 0
        for frame in camera:
            if not self._counts and time.monotonic() - begun > WARM_UP_S:
                begun, taken, before, self._counts = time.monotonic(), 0, session.dropped, True
            session.put(partial(_same, frame))
            taken += 1
        spent = time.monotonic() - begun
        self._counts = False
        self.fps = self.latency.count / spent
        self.dropped = (session.dropped - before) / max(1, taken)
