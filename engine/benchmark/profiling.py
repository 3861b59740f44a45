"""Profile of a frame: time by function and, within networks, by layer.

Tracking and rendering take turns in one thread, as :meth:`mien.engine.session.session.Session.step` does,
so that each millisecond belongs to one function. pyinstrument (extra ``profile``) samples the functions,
OpenVINO times its layers.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from mien.engine.benchmark.setup import Setup
from mien.engine.types import Frame, ModelError
from mien.engine.utils.files import write_atomic
from mien.engine.utils.openvino_core import CompiledNetwork

INTERVAL_S = 0.0005
"""Between two samples: several within each function that matters, at under 2 % of a frame's time."""

WARM_UP_FRAMES = 20


@dataclass(frozen=True, slots=True)
class FunctionTime:
    """Time of one function.

    Attributes:
        function: name with its module's path and line; a library's with its caller, as
            ``remap < compose (engine/avatar/canvas/composition.py:40)``.
        own_ms: milliseconds a frame in it, not in what it calls.
        total_ms: milliseconds a frame in it and in all that it calls.
        share: ``own_ms`` over the frame's milliseconds.
    """

    function: str
    own_ms: float
    total_ms: float
    share: float


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Time of one executed layer of a compiled network: milliseconds a run of the network, in the mean."""

    network: str
    layer: str
    kind: str
    precision: str
    shape: str
    ms: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: frames measured, milliseconds a frame, functions and layers, the slowest first."""

    frames: int
    frame_ms: float
    functions: list[FunctionTime]
    layers: list[LayerTime]

    def networks(self) -> dict[str, float]:
        """Milliseconds a run of each network, all its layers together, the slowest first."""
        sums: dict[str, float] = defaultdict(float)
        for layer in self.layers:
            sums[layer.network] += layer.ms
        return dict(sorted(sums.items(), key=lambda item: -item[1]))


def check_profiler() -> None:
    """Raise ``ModelError`` if pyinstrument is missing."""
    _profiler()


def profile(setup: Setup, seconds: float, compiled: Sequence[CompiledNetwork], flame: Path) -> Profile:
    """Profile tracking and rendering for so many seconds, and write the flame graph, an HTML page.

    Args:
        setup: made within :func:`mien.engine.utils.openvino_core.layer_timing`.
        compiled: the networks entered there.

    Raises:
        MienError: pyinstrument is missing, or the page cannot be written.
    """
    profiler, renderer = _profiler()
    images = cycle([*setup.images, *setup.images[-2:0:-1]])
    with setup.session() as session:
        for number in range(WARM_UP_FRAMES):
            session.step(_frame(next(images), number))
        frames, start = 0, time.perf_counter()
        with profiler:
            while time.perf_counter() - start < seconds:
                session.step(_frame(next(images), WARM_UP_FRAMES + frames))
                frames += 1
        spent = 1000 * (time.perf_counter() - start)
    root = profiler.last_session.root_frame()
    write_atomic(flame, profiler.output(renderer).encode())
    return Profile(frames, spent / frames, _functions(root, frames, spent), _layers(compiled))


def _profiler() -> tuple[Any, Any]:
    try:
        # Imported lazily: an extra.
        from pyinstrument import Profiler
        from pyinstrument.renderers import HTMLRenderer
    except ModuleNotFoundError as error:
        raise ModelError(f'--profile needs {error.name}. Install it: pip install "mien[profile]"') from error
    # A thread that ticks: virtual machines often have slow clocks, which every call would ask otherwise.
    profiler = Profiler(interval=INTERVAL_S, async_mode="disabled", use_timing_thread=True)
    return profiler, HTMLRenderer()


def _frame(image: Any, number: int) -> Frame:
    return Frame(image, number, time.monotonic_ns(), number / 30.0)


def _functions(root: Any, frames: int, spent_ms: float) -> list[FunctionTime]:
    own: dict[str, float] = defaultdict(float)
    total: dict[str, float] = defaultdict(float)
    _add_up(root, own, total, frozenset())
    scale = 1000 / frames
    found = [
        FunctionTime(name, seconds * scale, total[name] * scale, 1000 * seconds / spent_ms)
        for name, seconds in own.items()
    ]
    return sorted(found, key=lambda function: -function.own_ms)


def _add_up(
    frame: Any, own: dict[str, float], total: dict[str, float], above: frozenset[str], caller: str = ""
) -> None:
    """Add a call's times and those of its callees; a function within itself counts once in the total."""
    name = _name(frame, caller)
    callees = [child for child in frame.children if not child.is_synthetic]
    own[name] += frame.time - sum(child.time for child in callees)
    if name not in above:
        total[name] += frame.time
    for child in callees:
        _add_up(child, own, total, above | {name}, name)


def _name(frame: Any, caller: str) -> str:
    """A function's name; one of a library is named with the function of Mien that called it."""
    path = (frame.file_path or "").replace("\\", "/")
    room = path.rfind("/engine/")
    if room < 0 or "/site-packages/" in path:
        return f"{frame.function.rsplit('.', 1)[-1]} < {caller.split(' < ')[-1]}"
    return f"{frame.function} ({path[room + 1 :]}:{frame.line_no})"


def _layers(compiled: Sequence[CompiledNetwork]) -> list[LayerTime]:
    found: dict[tuple[str, str], LayerTime] = {}
    for network in compiled:
        for layer in network.model.get_runtime_model().get_ordered_ops():
            time_of = _layer_time(network.name, layer)
            # A network compiled once more, for a run or two, is cold: the warmest counts.
            if time_of is not None:
                key = network.name, time_of.layer
                found[key] = min(found.get(key, time_of), time_of, key=lambda one: one.ms)
    return sorted(found.values(), key=lambda layer: -layer.ms)


def _layer_time(network: str, layer: Any) -> LayerTime | None:
    """Time of an executed layer; None for one that never ran or took under a microsecond."""
    about = layer.get_rt_info()
    microseconds = str(about["execTimeMcs"].astype(str))
    if not microseconds.isdigit() or int(microseconds) == 0:  # "not_executed"
        return None
    shape = layer.get_output_shape(0) if layer.get_output_size() else ()
    return LayerTime(
        network,
        layer.get_friendly_name(),
        str(about["layerType"].astype(str)),
        str(about["runtimePrecision"].astype(str)),
        "x".join(str(side) for side in shape),
        int(microseconds) / 1000,
    )
