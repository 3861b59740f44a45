"""Effect of a change of avatar on the frames shown meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.benchmark.setup import Setup
from mien.engine.landmarks import make_landmarker
from mien.engine.session.live_pipeline import LivePipeline
from mien.engine.session.throughput import WARM_UP_S, Camera, Delivery
from mien.engine.types import Floats, Image

TIMES = 6
AFTER_S = 0.5
"""Seconds after the swap for which a late frame is attributed to it."""


@dataclass(frozen=True, slots=True)
class Switches:
    """Avatars changed while live, each read, detected and encoded while frames are rendered.

    Attributes:
        times: number of changes.
        prepare_ms: median time until a new avatar was ready.
        gap_ms: longest time between two frames from the request to :data:`AFTER_S` after the swap.
        usual_ms: the same at all other times.
    """

    times: int
    prepare_ms: float
    gap_ms: float
    usual_ms: float


def measure_switches(setup: Setup, fps: float, times: int = TIMES) -> Switches:
    """Run the pipeline at the camera's frame rate and change the avatar ``times`` times.

    As in a live run, the landmarker is of the tracker's kind and the encoder runs parallel to the renderer.
    """
    camera = Camera(setup.images, fps, seconds=3600.0)
    delivery = Delivery()
    spans: list[tuple[float, float, float]] = []
    with setup.session() as session, make_landmarker() as landmarker, ThreadPoolExecutor(1) as worker:
        live = LivePipeline(camera, session, stop=camera.stop)
        live.send("send", delivery)

        def prepare(image: Image) -> Avatar:
            return Avatar.of(image, landmarker, setup.runtime)

        with live:
            live.wait(WARM_UP_S)
            delivery.begin()
            for number in range(times):
                live.wait(2 * AFTER_S)
                requested = _now(delivery)
                # A different portrait each time, so that nothing can be reused.
                avatar = worker.submit(prepare, _other(setup.portrait, number)).result()
                ready = _now(delivery)
                live.set_avatar(avatar)
                live.wait(AFTER_S)
                spans.append((requested, ready, _now(delivery)))
            camera.stop()
            live.wait(5.0)
    at = np.asarray(delivery.at.values, np.float64)
    gap, usual = longest_gaps(at, [(start, end) for start, _, end in spans])
    prepared = float(np.median([ready - start for start, ready, _ in spans]))
    return Switches(times, 1000 * prepared, 1000 * gap, 1000 * usual)


def longest_gaps(at: Floats | np.ndarray, spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Longest time between frames shown ``at`` these seconds: overlapping a span, and overlapping none."""
    before, after = at[:-1], at[1:]
    touched = np.zeros(len(before), bool)
    for start, end in spans:
        touched |= (before < end) & (after > start)
    gaps = after - before
    return _longest(gaps[touched]), _longest(gaps[~touched])


def _longest(gaps: np.ndarray) -> float:
    return float(gaps.max()) if len(gaps) else float("nan")


def _other(portrait: Image, number: int) -> Image:
    """The portrait, mirrored or not, and slightly darker each time."""
    image = portrait[:, ::-1] if number % 2 == 0 else portrait
    return np.ascontiguousarray(image - image // (16 + number))


def _now(delivery: Delivery) -> float:
    return (time.monotonic_ns() - delivery.started_ns) / 1e9
