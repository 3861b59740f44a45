"""Throughput and latency of one run of the live pipeline, with a camera that exists only here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from mien.engine.pipeline.stage import Stage
from mien.engine.session.live_pipeline import LivePipeline, Shown
from mien.engine.session.session import Session
from mien.engine.types import Frame, Image
from mien.engine.utils.links import Policy
from mien.engine.utils.samples import Samples


class Camera:
    """Plays pictures to and fro, as a camera would: each is a new array, taken at its own moment.

    Args:
        pictures: ``(H, W, 3) uint8`` RGB.
        fps: pace; None is as fast as they are taken.
        seconds: for how long.

    Attributes:
        delivered: how many pictures it has given.
    """

    def __init__(self, pictures: Sequence[Image], fps: float | None, seconds: float) -> None:
        self._pictures = [*pictures, *pictures[-2:0:-1]]
        self._fps, self._seconds = fps, seconds
        self._stopped = False
        self.delivered = 0

    def stop(self) -> None:
        """End the iteration."""
        self._stopped = True

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic_ns()
        while not self._stopped:
            number = self.delivered
            if self._fps is not None:
                due = start + round(number * 1e9 / self._fps)
                time.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9))
            now = time.monotonic_ns()
            if now - start > self._seconds * 1e9:
                return
            picture = self._pictures[number % len(self._pictures)].copy()
            # Media time runs at the pace asked for, so that the tracker sees the same clip at any speed.
            yield Frame(picture, number, now, number / (self._fps or 30.0))
            self.delivered += 1


WARM_UP_S = 2.0
"""Seconds at the start of a run that do not count: caches, clock frequency, the first detection."""


STAGES = ("track", "carry", "model", "compose", "send")
"""What is timed by itself; ``carry``, ``model`` and ``compose`` are the render stage."""


MANY = 200_000
"""Pictures whose times are remembered: 110 minutes at 30 per second; of longer runs, the newest."""


OPENING_S = 60.0
"""Seconds of a run's start that are remembered however long it is: what its end is compared with."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and tail of a measured value, milliseconds."""

    median: float
    p95: float
    p99: float

    @staticmethod
    def of(samples: Samples) -> Spread:
        return Spread(*(samples.percentile(share) for share in (50, 95, 99)))


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run came to.

    Attributes:
        seconds: measured, after the warm-up.
        delivered, shown: pictures that the camera gave and that were handed over.
        fps: pictures handed over per second.
        dropped: share of the camera's pictures that were overtaken by newer ones, 0..1.
        stages: by name.
        latency: from capture to hand-over.
        queue: time spent waiting in links, per picture, all links together.
        cpu_ms: processor time of the whole process per picture, all cores together.
        memory_mb: resident memory at the end of the run; peak_mb the most ever.
        first_ms: from the run's start to its first picture.
        track: ``(n, 2)`` seconds since the start and latency of every picture, for the plot; of a run of
            more than :data:`MANY`, those of its first minute and the newest.
        memory: ``(n, 2)`` seconds since the start and resident MB, once a second.
    """

    seconds: float
    delivered: int
    shown: int
    fps: float
    dropped: float
    stages: dict[str, Spread]
    latency: Spread
    queue: Spread
    cpu_ms: float
    memory_mb: float
    peak_mb: float
    first_ms: float
    track: list[tuple[float, float]] = field(default_factory=list, repr=False)
    memory: list[tuple[float, float]] = field(default_factory=list, repr=False)


class Delivery:
    """The last stage: into the pixel format of a virtual camera, with its times kept.

    Args:
        remembered: pictures whose times are kept.
        clock: nanoseconds, of the pictures' capture times.
    """

    def __init__(self, remembered: int = MANY, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._remembered, self._clock = remembered, clock
        self._buffer: Image | None = None
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Forget what was measured: from here on it counts."""
        with self._lock:
            self.stages = {name: Samples(self._remembered) for name in STAGES}
            self.latency, self.at = Samples(self._remembered), Samples(self._remembered)
            self._opening = Samples(self._remembered), Samples(self._remembered)
            self.started_ns = self._clock()
            self.cpu_s = time.process_time()

    def __call__(self, shown: Shown) -> None:
        start = time.perf_counter()
        image = shown.rendered.image
        if image.shape[0] % 2 == 0 and image.shape[1] % 2 == 0:
            self._buffer = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420, self._buffer), np.uint8)
        now = self._clock()
        at, latency = (now - self.started_ns) / 1e9, (now - shown.rendered.captured_ns) / 1e6
        with self._lock:
            for name, spent in shown.rendered.stage_ms.items():
                self.stages[name].add(spent)
            self.stages["send"].add(1000 * (time.perf_counter() - start))
            self.latency.add(latency)
            self.at.add(at)
            if at < OPENING_S and self._opening[0].count < self._remembered:
                self._opening[0].add(at)
                self._opening[1].add(latency)

    def track(self) -> list[tuple[float, float]]:
        """Seconds since the beginning and latency (ms) of the first minute and of what is remembered."""
        with self._lock:
            times, late = self.at.values, self.latency.values
            first, first_late = (samples.values for samples in self._opening)
        before = first < times[0] if len(times) else np.ones(len(first), bool)
        times, late = np.concatenate([first[before], times]), np.concatenate([first_late[before], late])
        return list(zip(times.tolist(), late.tolist(), strict=True))


def run_pipeline(
    session: Session,
    pictures: Sequence[Image],
    *,
    fps: float | None,
    seconds: float,
    warm_up: float | None = None,
) -> Figures:
    """Drive a session from a camera that exists only here.

    Args:
        session: with a tracker.
        pictures: of the driver.
        fps: camera pace, where the newest picture wins; None: as fast as possible, where none is lost.
        seconds: measured, after ``warm_up`` seconds (:data:`WARM_UP_S`).
    """
    warm_up = WARM_UP_S if warm_up is None else warm_up
    camera = Camera(pictures, fps, seconds + warm_up)
    live = LivePipeline(
        camera, session, policy=Policy.WAIT if fps is None else Policy.NEWEST, stop=camera.stop
    )
    delivery = Delivery()
    sender = live.send("send", delivery)
    begun = time.monotonic_ns()
    memory: list[tuple[float, float]] = []
    with live:
        first = _first_delivery(live, delivery, begun)
        live.wait(warm_up)
        delivery.begin()
        delivered, dropped = camera.delivered, _dropped(live, sender)
        while not live.wait(1.0):
            memory.append(((time.monotonic_ns() - delivery.started_ns) / 1e9, resident_mb()))
        cpu = time.process_time() - delivery.cpu_s
    span = float(delivery.at.values[-1]) if delivery.at.count else float("nan")
    shown = delivery.latency.count
    queue = Samples(MANY)
    waits = [stage.queue_ms.values[-shown:] for stage in (live.track_stage, live.render_stage, sender)]
    count = min(len(wait) for wait in waits)
    if count:
        for total in np.sum([wait[-count:] for wait in waits], axis=0):
            queue.add(float(total))
    given = camera.delivered - delivered
    return Figures(
        seconds=span,
        delivered=given,
        shown=shown,
        fps=shown / span,
        dropped=(_dropped(live, sender) - dropped) / max(1, given),
        stages={name: Spread.of(samples) for name, samples in delivery.stages.items() if samples.count},
        latency=Spread.of(delivery.latency),
        queue=Spread.of(queue),
        cpu_ms=1000 * cpu / max(1, shown),
        memory_mb=resident_mb(),
        peak_mb=peak_mb(),
        first_ms=first,
        track=delivery.track(),
        memory=memory,
    )


def _dropped(live: LivePipeline, sender: Stage) -> int:
    """Pictures that were overtaken anywhere between camera and hand-over."""
    return live.dropped + (sender.inlet.dropped if sender.inlet is not None else 0)


def _first_delivery(live: LivePipeline, delivery: Delivery, begun_ns: int) -> float:
    """Milliseconds until there was one, or nan when none came within 20 s."""
    while live.running and time.monotonic_ns() - begun_ns < 20e9:
        if delivery.latency.count:
            return (delivery.started_ns - begun_ns) / 1e6 + 1000 * float(delivery.at.values[0])
        time.sleep(0.002)
    return float("nan")


def resident_mb() -> float:
    """Resident memory of this process; nan where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return float("nan")
    import os

    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mb() -> float:
    """Most resident memory so far; nan where the system does not say."""
    try:
        import resource
    except ImportError:
        return float("nan")
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10
