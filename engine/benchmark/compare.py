"""Comparison of runtimes: they are interleaved in one run, so that a noisy machine affects them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter, process_time

import numpy as np

from mien.engine.benchmark.setup import Setup
from mien.engine.motion import Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.session.throughput import Spread
from mien.engine.types import Frame, ModelError, UsageError
from mien.engine.utils.samples import Samples

ROUNDS = 40
LEAST_ROUNDS = 6
"""Minimum turns, however short the run: a baseline may take seconds per frame."""


@dataclass(frozen=True, slots=True)
class Row:
    """Results of one runtime.

    Attributes:
        frame_ms: a whole frame, step by step: tracking (if it has any), network, composition.
        fps: 1000 divided by the median of that.
        cpu_ms: processor time of it, all cores.
        ratio: frames per second relative to the last runtime in the list.
        note: description of the measured work.
    """

    name: str
    frame_ms: Spread
    fps: float
    cpu_ms: float
    ratio: float
    note: str


@dataclass(frozen=True, slots=True)
class Arm:
    """A runtime under comparison; ``frame`` does the work of one frame."""

    name: str
    frame: Callable[[], object]
    note: str


NAMES = ("openvino", "render", "torch", "paper")


def check_names(names: tuple[str, ...]) -> None:
    """Raise ``MienError`` for an unknown runtime, or one whose packages are missing."""
    for name in names:
        if name not in NAMES:
            raise UsageError(f"{name!r} cannot be compared; choose from {', '.join(NAMES)}.")
        if name in ("torch", "paper"):
            _import_torch(name)
            _import_train(name)


def compare(setup: Setup, names: tuple[str, ...], seconds: float) -> list[Row]:
    """Measure the named runtimes, interleaved.

    Raises:
        MienError: an unknown name, or a baseline whose packages are missing.
    """
    check_names(names)
    makers = {"openvino": _openvino, "render": _render, "torch": _torch, "paper": _paper}
    with _sessions(setup) as step:
        arms = [makers[name](setup, step) for name in names]
        return _take_turns(arms, seconds)


def _take_turns(arms: list[Arm], seconds: float) -> list[Row]:
    times = [Samples(10_000) for _ in arms]
    cpu = [Samples(10_000) for _ in arms]
    for arm in arms:
        arm.frame()
        arm.frame()
    end = perf_counter() + seconds * len(arms)
    rounds = 0
    while rounds < LEAST_ROUNDS or (rounds < 10_000 and perf_counter() < end):
        # Alternate the order: the runtime after the heaviest one finds cold caches.
        for index in range(len(arms)) if rounds % 2 else reversed(range(len(arms))):
            start, busy = perf_counter(), process_time()
            arms[index].frame()
            times[index].add(1000 * (perf_counter() - start))
            cpu[index].add(1000 * (process_time() - busy))
        rounds += 1
    last = times[-1].percentile(50)
    return [
        Row(
            arm.name,
            Spread.of(spent),
            1000 / spent.percentile(50),
            busy.percentile(50),
            last / spent.percentile(50),
            arm.note,
        )
        for arm, spent, busy in zip(arms, times, cpu, strict=True)
    ]


Step = Callable[[Renderer], object]


@contextmanager
def _sessions(setup: Setup) -> Iterator[Step]:
    """A function that tracks and renders the next frame."""
    frames = cycle([*setup.images, *setup.images[-2:0:-1]])
    with setup.session() as session:
        number = 0

        def step(renderer: Renderer) -> object:
            nonlocal number
            tracker = session.tracker
            assert tracker is not None
            motion = tracker.track(Frame(next(frames), number, 0, number / 30))
            number += 1
            return renderer.render(motion or Motion.neutral())

        yield step


def _openvino(setup: Setup, step: Step) -> Arm:
    renderer = Renderer(setup.avatar, setup.runtime)
    note = (
        f"track + render, network on every frame, {setup.runtime.precision}, {setup.runtime.threads} threads"
    )
    return Arm("openvino", lambda: step(renderer), note)


def _render(setup: Setup, step: Step) -> Arm:
    """The renderer alone, on motions measured beforehand: comparable to the published network."""
    renderer = Renderer(setup.avatar, setup.runtime)
    with setup.session() as session:
        tracked = [session.track(Frame(image, n, 0, n / 30)) for n, image in enumerate(setup.images[:20])]
    motions = cycle([one.motion for one in tracked if one.motion is not None] or [Motion.neutral()])
    note = "the same without tracking: the network on every frame, and the portrait's pixels moved by it"
    return Arm("render", lambda: renderer.render(next(motions)), note)


def _torch(setup: Setup, step: Step) -> Arm:
    torch = _import_torch("torch")
    from mien.engine.avatar.crop import cut
    from mien.engine.avatar.model_io import IMAGE_SIZE
    from mien.engine.runtime.torch_runtime import TorchRuntime

    live = _import_train("torch").LiveModel
    torch.manual_seed(0)
    torch.set_num_threads(setup.runtime.threads)
    runtime: Runtime = TorchRuntime(live())
    from dataclasses import replace

    code = runtime.encode(cut(setup.portrait, setup.avatar.crop, IMAGE_SIZE))
    renderer = Renderer(replace(setup.avatar, code=code), runtime)
    return Arm("torch", lambda: step(renderer), f"the same in torch eager, {setup.runtime.threads} threads")


def _paper(setup: Setup, step: Step) -> Arm:
    """The published network as in its authors' animation: detector and generator for every frame."""
    torch = _import_torch("paper")
    try:
        from mien.train.model.paper import PaperModel, relative
    except ImportError as error:
        raise ModelError(
            "The published network is not in this installation of Mien. Leave paper out of --compare."
        ) from error
    torch.manual_seed(0)
    torch.set_num_threads(setup.runtime.threads)
    model = PaperModel().eval()
    source = torch.rand(1, 3, 256, 256)
    points = torch.from_numpy(np.random.default_rng(0).uniform(60, 196, (1, 18, 2)).astype(np.float32))
    with torch.inference_mode():
        source_keys = model.detect(source, points)

    def frame() -> object:
        with torch.inference_mode():
            keys = model.detect(source, points)
            # As published: the source is encoded again for every frame.
            return model(source, source_keys, relative(source_keys, keys, source_keys)).prediction

    note = (
        f"published network as run by its authors: torch eager, source encoded for every frame, "
        f"random weights, {setup.runtime.threads} threads; without its landmarks"
    )
    return Arm("paper", frame, note)


def _import_torch(name: str):  # type: ignore[no-untyped-def]
    try:
        import torch
    except ImportError as error:
        raise ModelError(
            f"--compare {name} needs torch: python -m pip install -e '.[train]', or leave {name} out."
        ) from error
    return torch


def _import_train(name: str):  # type: ignore[no-untyped-def]
    try:
        import mien.train.model as model
    except ImportError as error:
        raise ModelError(
            f"--compare {name} needs the extra train: python -m pip install -e '.[train]', or leave it out."
        ) from error
    return model
