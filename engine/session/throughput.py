"""Throughput and latency of a run of the live pipeline with a simulated camera."""

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
    """Plays images back and forth like a camera: each is a new array with its own capture time.

    Args:
        images: ``(H, W, 3) uint8`` RGB.
        fps: frame rate; None is as fast as they are taken.
        seconds: duration.

    Attributes:
        delivered: number of frames delivered.
    """

    def __init__(self, images: Sequence[Image], fps: float | None, seconds: float) -> None:
        self._images = [*images, *images[-2:0:-1]]
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
            image = self._images[number % len(self._images)].copy()
            # Media time runs at the nominal rate, so that the tracker sees the same clip at any speed.
            yield Frame(image, number, now, number / (self._fps or 30.0))
            self.delivered += 1


WARM_UP_S = 2.0
"""Seconds at the start of a run that are not measured: caches, clock frequency, the first detection."""


STAGES = ("track", "carry", "model", "compose", "mouth", "send")
"""Steps timed individually; ``carry``, ``model``, ``compose`` and ``mouth`` make up the render stage."""


MANY = 200_000
"""Frames whose times are kept: 110 minutes at 30 per second; of longer runs, the newest."""


OPENING_S = 60.0
"""Seconds at a run's start that are kept however long it is, for comparison with its end."""


BLOCKS = 8
"""Parts of a run whose medians are compared with each other: their spread is the run's noise."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and tail of a measured value, milliseconds.

    Attributes:
        noise: standard deviation of the medians of the run's :data:`BLOCKS` parts; nan for fewer values.
    """

    median: float
    p95: float
    p99: float
    noise: float = float("nan")

    @staticmethod
    def of(samples: Samples) -> Spread:
        values = samples.values
        noise = float("nan")
        if len(values) >= BLOCKS:
            noise = float(np.std([np.median(part) for part in np.array_split(values, BLOCKS)]))
        median, p95, p99 = (samples.percentile(share) for share in (50, 95, 99))
        return Spread(median, p95, p99, noise)


@dataclass(frozen=True, slots=True)
class Figures:
    """Results of one run.

    Attributes:
        seconds: measured, after the warm-up.
        delivered, shown: frames delivered by the camera and by the pipeline.
        fps: frames delivered by the pipeline per second.
        dropped: share of the camera's frames overtaken by newer ones, 0..1.
        stages: by name.
        latency: from capture to delivery.
        queue: time spent waiting in links, per frame, all links together.
        cpu_ms: processor time of the whole process per frame, all cores together.
        memory_mb: resident memory at the end of the run; peak_mb is the peak.
        first_ms: from the run's start to its first frame.
        track: ``(n, 2)`` seconds since the start and latency of every frame, for the plot; of a run of more
            than :data:`MANY`, those of its first minute and the newest.
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
    """The last stage: conversion to a virtual camera's pixel format, with times recorded.

    Args:
        remembered: number of frames whose times are kept.
        clock: nanoseconds, the clock of the frames' capture times.
    """

    def __init__(self, remembered: int = MANY, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._remembered, self._clock = remembered, clock
        self._buffer: Image | None = None
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Discard all measurements and start anew."""
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
        """Seconds since the start and latency (ms) of the first minute and of all frames still kept."""
        with self._lock:
            times, late = self.at.values, self.latency.values
            first, first_late = (samples.values for samples in self._opening)
        before = first < times[0] if len(times) else np.ones(len(first), bool)
        times, late = np.concatenate([first[before], times]), np.concatenate([first_late[before], late])
        return list(zip(times.tolist(), late.tolist(), strict=True))


def run_pipeline(
    session: Session,
    images: Sequence[Image],
    *,
    fps: float | None,
    seconds: float,
    warm_up: float | None = None,
) -> Figures:
    """Drive a session from a simulated camera.

    Args:
        session: with a tracker.
        images: of the driver.
        fps: the camera's frame rate, dropping frames that are overtaken; None: as fast as possible,
            dropping none.
        seconds: measured, after ``warm_up`` seconds (:data:`WARM_UP_S`).
    """
    warm_up = WARM_UP_S if warm_up is None else warm_up
    camera = Camera(images, fps, seconds + warm_up)
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
    """Frames overtaken anywhere between camera and delivery."""
    return live.dropped + (sender.inlet.dropped if sender.inlet is not None else 0)


def _first_delivery(live: LivePipeline, delivery: Delivery, begun_ns: int) -> float:
    """Milliseconds until the first frame, or nan when none came within 20 s."""
    while live.running and time.monotonic_ns() - begun_ns < 20e9:
        if delivery.latency.count:
            return (delivery.started_ns - begun_ns) / 1e6 + 1000 * float(delivery.at.values[0])
        time.sleep(0.002)
    return float("nan")


def resident_mb() -> float:
    """Resident memory of this process; nan where the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except (OSError, ValueError, IndexError):
        return float("nan")
    import os

    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mb() -> float:
    """Peak resident memory so far; nan where the system does not report it."""
    try:
        import resource
    except ImportError:
        return float("nan")
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10
