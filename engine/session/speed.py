"""Choice of how often the network runs on this machine: measured at the first start, then remembered."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import cv2
import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.runtime import Network, OpenVinoRuntime
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.session.throughput import run_pipeline
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Image, SinkError
from mien.engine.utils.files import write_atomic
from mien.engine.utils.folders import NO_HOME, user_folder
from mien.engine.utils.openvino_core import core, load_openvino

ENOUGH_FPS = 40.0
"""Frame rate at full speed from which the network runs on every frame of a 30 fps camera (of another, in
proportion).  A machine measured at 35 kept 30 with nothing to spare: 1 % of the frames dropped, 31 fps over
ten seconds."""

USUAL_FPS = 30.0
"""Of cameras."""

SECONDS, WARM_UP = 1.2, 0.3


@dataclass(frozen=True, slots=True)
class Speed:
    """The network schedule with the measurement it is based on.

    Attributes:
        fps: frames per second with the network on every frame.
        network: the resulting schedule.
        measured: whether it was measured now rather than remembered.
        note: why it will be measured again at the next start; empty if it is remembered.
    """

    fps: float
    network: Network
    measured: bool
    note: str = ""


def settle_speed(
    runtime: OpenVinoRuntime, avatar: Avatar, folder: Path | None = None, camera_fps: float = USUAL_FPS
) -> Speed:
    """Set how often ``runtime``'s network runs, from the remembered or a new measurement (two seconds)."""
    folder = folder or user_folder("cache")
    path = folder / "speed.json" if folder else None
    key = _key(runtime)
    known = _read(path) if path else {}
    fps = known.get(key)
    measured = fps is None
    if fps is None:
        fps = measure_fps(runtime, avatar)
        if isfinite(fps):
            known[key] = fps
            if path:
                _write(path, known)
        else:
            fps = 0.0  # not one frame in time: too slow, at least today
    enough = fps >= ENOUGH_FPS * camera_fps / USUAL_FPS
    runtime.network = Network.EVERY_FRAME if enough else Network.BACKGROUND
    return Speed(fps, runtime.network, measured, "" if path else f"not remembered: {NO_HOME}")


def measure_fps(runtime: OpenVinoRuntime, avatar: Avatar) -> float:
    """Measure frames per second of tracking and rendering at full speed, the network on every frame."""
    runtime.network = Network.EVERY_FRAME
    with Tracker(TrackerSettings(live=True)) as tracker:
        session = Session(tracker, Renderer(avatar, runtime, always=True))
        return run_pipeline(session, _driver(avatar), fps=None, seconds=SECONDS, warm_up=WARM_UP).fps


def _driver(avatar: Avatar) -> list[Image]:
    """The portrait itself, swaying: a slightly moving face of a size usual for cameras."""
    scale = 480 / avatar.image.shape[0]
    small = cv2.resize(avatar.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return [np.asarray(np.roll(small, shift, axis=1), np.uint8) for shift in range(8)]


def _key(runtime: OpenVinoRuntime) -> str:
    """Everything that the speed depends on, in one line."""
    processor = core().get_property("CPU", "FULL_DEVICE_NAME").strip()
    version = load_openvino().__version__.split("-")[0]
    parts = (processor, f"{os.cpu_count()} cores", f"OpenVINO {version}", runtime.weights, runtime.precision)
    return ", ".join((*parts, f"{runtime.threads} threads"))


def _read(path: Path) -> dict[str, float]:
    """The remembered speeds; empty if the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): float(value) for key, value in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(path: Path, known: dict[str, float]) -> None:
    # An unwritable home costs a measurement at every start, nothing else.
    with suppress(OSError, SinkError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(known, indent=1))
