"""Worker of ``compare_commits``: times parts of a frame in the checkout whose Python runs it.

It reads one request per line from the standard input, ``{"part": NAME, "amount": FRAMES_OR_SECONDS}``, and
answers each with one line of JSON. It knows where names stood in earlier versions, before there was a package
``mien``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from itertools import cycle
from typing import Any

import cv2
import numpy as np

PLACES = {
    "Tracker": ("mien.engine.tracking", "engine.tracker"),
    "TrackerSettings": ("mien.engine.tracking", "engine.tracker"),
    "Renderer": ("mien.engine.session.renderer", "engine.renderer"),
    "Session": ("mien.engine.session.session", "engine.session"),
    "run_pipeline": ("mien.engine.session.throughput", "engine.benchmark.measure"),
    "Avatar": ("mien.engine.avatar", "engine.avatar"),
    "Frame": ("mien.engine.types", "engine.types"),
    "Network": ("mien.engine.runtime.openvino", "engine.runtime.openvino"),
    "default_runtime": ("mien.engine.runtime", "engine.runtime"),
    "open_sink": ("mien.streams.factory", "streams.sink"),
    "make_landmarker": ("mien.engine.landmarks", "engine.landmarks"),
}
"""Modules in which a name stands or stood, the newest first."""


def main() -> int:
    """Answer requests until the standard input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    bench = Bench(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        found = bench.measure(request["part"], request["amount"])
        print(json.dumps(found), file=answers, flush=True)
    return 0


def named(name: str) -> Any:
    """What has this name in this version of Mien, wherever it stands."""
    for place in PLACES[name]:
        try:
            return getattr(import_module(place), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"{name}: not in this version of Mien")


class Bench:
    """The parts of one version, ready to be timed.

    Args:
        path: of an ``.npz`` with ``portrait`` and, by the parts' names, the driver's images.
    """

    def __init__(self, path: str) -> None:
        cv2.setNumThreads(1)
        with np.load(path) as given:
            self._portrait = given["portrait"]
            self._drivers = {name: list(given[name]) for name in given.files if name != "portrait"}
        start = time.perf_counter()
        self._runtime = named("default_runtime")()
        with named("make_landmarker")() as landmarker:
            self._avatar = named("Avatar").of(self._portrait, landmarker, self._runtime, "the portrait")
        self._ready_s = time.perf_counter() - start
        self._parts: dict[str, Callable[[], object]] = {}

    def measure(self, part: str, amount: float) -> Any:
        """Wall and CPU milliseconds of so many frames, or the figures of a live run of so many seconds."""
        if part == "about":
            return {"ready_s": self._ready_s, "precision": self._runtime.precision}
        kind, _, rest = part.partition(", ")
        if kind == "live":
            return self._live(rest, amount)
        if part not in self._parts:
            self._parts[part] = self._tracking(rest) if kind == "track" else self._drawing(rest)
            for _ in range(10):
                self._parts[part]()
        step, times = self._parts[part], []
        if kind == "draw":
            self._runtime.network = named("Network")(rest)
        for _ in range(int(amount)):
            start, busy = time.perf_counter(), time.process_time()
            step()
            times.append((1000 * (time.perf_counter() - start), 1000 * (time.process_time() - busy)))
        return times

    def _tracking(self, driver: str) -> Callable[[], object]:
        images = self._drivers[driver]
        frames = cycle([*images, *images[-2:0:-1]])
        tracker = named("Tracker")(named("TrackerSettings")(live=True))
        make, numbers = named("Frame"), iter(range(10**9))

        def step() -> object:
            number = next(numbers)
            return tracker.track(make(next(frames), number, 0, number / 30))

        return step

    def _drawing(self, network: str) -> Callable[[], object]:
        """The renderer alone, on motions tracked beforehand, with the network wherever it can run."""
        self._runtime.network = named("Network")(network)
        track = self._tracking(next(iter(self._drivers)))
        motions = cycle([motion for motion in (track() for _ in range(30)) if motion is not None])
        try:
            renderer = named("Renderer")(self._avatar, self._runtime, always=network != "warp")
        except TypeError:  # earlier, it always was
            renderer = named("Renderer")(self._avatar, self._runtime)
        return lambda: renderer.render(next(motions))

    def _live(self, what: str, seconds: float) -> dict[str, float]:
        driver, network, fps = what.split(", ")
        self._runtime.network = named("Network")(network)
        renderer = named("Renderer")(self._avatar, self._runtime)
        settings = named("TrackerSettings")
        try:
            live = settings(live=True, paced=True)
        except TypeError:  # earlier, the network saw every frame
            live = settings(live=True)
        with named("Tracker")(live) as tracker:
            session = named("Session")(tracker, renderer)
            figures = named("run_pipeline")(
                session, self._drivers[driver], fps=float(fps), seconds=seconds, warm_up=1.0
            )
        return {
            "fps": figures.fps,
            "dropped": figures.dropped,
            "latency": figures.latency.median,
            "p95": figures.latency.p95,
            "cpu": figures.cpu_ms,
        }


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
