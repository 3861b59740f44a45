"""Runtimes: execution of the exported ``live`` model on CPU and GPU."""

from __future__ import annotations

import os

from mien.engine.avatar.model_io import AvatarCode, Field
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.failover import Notify
from mien.engine.runtime.openvino import Network, OpenVinoRuntime, Precision
from mien.engine.runtime.openvino_files import quickest, read_model
from mien.engine.runtime.selection import CHOICES, Choice, Progress, choose, live_files, stays_on_cpu
from mien.engine.utils.assets import ASSETS
from mien.engine.utils.openvino_core import load_openvino

ENCODER = ASSETS / "live-encoder.onnx"
RENDERER = ASSETS / "live-renderer.onnx"

__all__ = [
    "CHOICES",
    "AvatarCode",
    "Choice",
    "Field",
    "Network",
    "OpenVinoRuntime",
    "Precision",
    "Runtime",
    "chosen_runtime",
    "default_runtime",
    "describe_runtime",
    "network_of",
]


_WHY = {
    "int8": "convolutions in int8, motion in FP32",
    "bf16": "the CPU has bfloat16: used for convolutions, motion in FP32",
    "f32": "FP32: faster here than bfloat16, if the CPU has that",
}


def _threads(threads: int | None) -> int:
    # A live stage gets two on a small machine; more hardly help at this size.
    return threads if threads is not None else min(2, os.cpu_count() or 1)


def default_runtime(
    threads: int | None = None, precision: Precision = "auto", network: Network = Network.EVERY_FRAME
) -> OpenVinoRuntime:
    """Create a CPU runtime of the shipped model; raises ``MienError`` if its files are damaged.

    Args:
        network: how often the network runs.  An untrained one, whose results are zero, is not run at all.
    """
    return OpenVinoRuntime(
        ENCODER,
        RENDERER,
        threads=_threads(threads),
        precision=precision,
        network=network,
        skip_untrained=True,
    )


def chosen_runtime(
    choice: Choice = "auto",
    threads: int | None = None,
    precision: Precision = "auto",
    *,
    notify: Notify,
    progress: Progress = lambda part, share: None,
    alone: Network = Network.EVERY_FRAME,
) -> Runtime:
    """Create the best runtime of this machine, or the requested one, for the shipped model.

    See :func:`mien.engine.runtime.selection.choose` for what happens if that one cannot be used.

    Args:
        alone: how often the network runs if the CPU does all the work.  Given here rather than later, because
            a network that never runs is not compiled.
    """
    cpu = default_runtime(threads, precision, network_of(choice, alone))
    return choose(choice, live_files(cpu, ENCODER, RENDERER), notify=notify, progress=progress)


def network_of(choice: Choice, alone: Network) -> Network:
    """How often the network runs on the CPU: ``alone`` without a GPU runtime, otherwise on every frame."""
    if alone is Network.EVERY_FRAME or stays_on_cpu(choice):
        return alone
    return Network.EVERY_FRAME


def describe_runtime() -> str:
    """Which runtime :func:`default_runtime` creates and why, in one line."""
    version = load_openvino().__version__.split("-")[0]
    why = _WHY[quickest(read_model(RENDERER))]
    return f"OpenVINO {version} on the CPU, {_threads(None)} threads ({why})"
