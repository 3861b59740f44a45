"""Which runtime renders: TensorRT where there is a card and its engines pass the gate, else the next best."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from engine.runtime.base import CardRuntime, Runtime
from engine.runtime.hand_over import HandOver, Note
from engine.runtime.openvino import OpenVinoRuntime
from engine.types import MienError

Choice = Literal["auto", "openvino", "tensorrt", "torch"]
CHOICES: tuple[Choice, ...] = ("auto", "openvino", "tensorrt", "torch")
Progress = Callable[[str, float], None]


def _silent(part: str, share: float) -> None:
    pass


def choose(
    choice: Choice,
    cpu: OpenVinoRuntime,
    encoder: Path,
    renderer: Path,
    *,
    note: Note,
    progress: Progress = _silent,
) -> Runtime:
    """The runtime for ``choice``, ready to render at once; ``cpu`` is where it starts, or stays.

    ``"auto"`` starts with OpenVINO; where TensorRT and an NVIDIA card are there, engines are loaded or built
    beside it and take over when they have passed the gate.  ``"tensorrt"`` and ``"torch"`` wait for the
    card's runtime.  What cannot be used is named in one line through ``note``, and the next runtime is used:
    TensorRT, torch on CUDA, OpenVINO.
    """
    if choice == "openvino" or (
        choice == "auto" and (not tensorrt_installed() or card_problem() is not None)
    ):
        return cpu

    def reference() -> Runtime:
        # Its own, because the CPU's runtime renders in another thread meanwhile; exact, whatever that one is.
        return OpenVinoRuntime(encoder, renderer, threads=1, precision="f32")

    def on_torch() -> CardRuntime:
        return make_torch(encoder, renderer, reference())

    def on_tensorrt() -> CardRuntime:
        try:
            return make_tensorrt(encoder, renderer, reference(), note, progress)
        except MienError as error:
            if not torch_has_card():
                raise
            note(f"{error}; torch is tried")
            return on_torch()

    better = HandOver(cpu, on_torch if choice == "torch" else on_tensorrt, note)
    if choice != "auto":
        better.wait()
    return better


def make_tensorrt(
    encoder: Path, renderer: Path, reference: Runtime, note: Note, progress: Progress
) -> CardRuntime:
    """Engines loaded or built, and checked; raises :class:`MienError` where that is not possible."""
    from engine.runtime.cuda import open_card
    from engine.runtime.tensorrt.backend import find_backend
    from engine.runtime.tensorrt.cache import EngineCache
    from engine.runtime.tensorrt.prepare import Model, Workshop, prepare

    cuda = open_card()  # first: without a card there is nothing to say about TensorRT
    workshop = Workshop(find_backend(), cuda, EngineCache(), note, progress)
    return prepare(Model(encoder, renderer), reference, workshop)


def make_torch(encoder: Path, renderer: Path, reference: Runtime) -> CardRuntime:
    """Torch on CUDA, checked; raises :class:`MienError` where that is not possible."""
    from engine.runtime import gate
    from engine.runtime.tensorrt.parts import read_onnx
    from engine.runtime.torch_cuda import TorchCudaRuntime, import_torch

    import_torch()
    runtime = TorchCudaRuntime(read_onnx(encoder), read_onnx(renderer))
    report = gate.check(reference, runtime, gate.real_drawings(reference))
    if report.failure is not None:
        raise MienError(f"torch on CUDA: {report.failure}")
    return runtime


def tensorrt_installed() -> bool:
    """Whether one of TensorRT's packages is there (it is not imported)."""
    from engine.runtime.tensorrt.backend import MODULES

    return any(importlib.util.find_spec(name) is not None for name in MODULES)


def card_problem() -> str | None:
    """Why no NVIDIA card can be used; None if one can."""
    from engine.runtime.cuda import CudaError, open_card

    try:
        open_card()
    except CudaError as error:
        return str(error)
    return None


def torch_has_card() -> bool:
    """Whether torch is there and finds a card."""
    from engine.runtime.torch_cuda import import_torch

    try:
        import_torch()
    except MienError:
        return False
    return True


def describe_card() -> str:
    """The NVIDIA card and TensorRT, or what is missing, in one line."""
    from engine.runtime.cuda import CudaError, open_card
    from engine.runtime.tensorrt.backend import EngineError, find_backend

    try:
        card = str(open_card().card)
    except CudaError as error:
        return f"not used: {error}"
    try:
        backend = find_backend()
    except EngineError as error:
        return f"{card}; not used: {error}"
    return f"{card}, {backend.name} {backend.version}"


def describe_engines() -> str:
    """The engines in the cache, in one line."""
    from engine.runtime.tensorrt.cache import EngineCache

    cache = EngineCache()
    entries = cache.entries()
    if not entries:
        return f"none built yet (they would be in {cache.folder})"
    words = []
    for entry in entries:
        if entry.key is None:
            words.append(f"{entry.name} damaged, is built anew")
        else:
            words.append(f"{entry.key.part} {entry.key.precision} for {entry.key.card}, {entry.key.backend}")
    size = sum(entry.size for entry in entries) / 2**20
    return f"{'; '.join(words)}; {size:.0f} MiB in {cache.folder}"
