"""Runs the exported ``live`` model."""

from __future__ import annotations

import os

from mien.engine.avatar.model_io import AvatarCode, Field
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.failover import Notify
from mien.engine.runtime.openvino import Network, OpenVinoRuntime, Precision
from mien.engine.runtime.selection import CHOICES, Choice, Progress, choose, live_files, stays_on_cpu
from mien.engine.utils.assets import ASSETS
from mien.engine.utils.openvino_core import cpu_has_bf16, load_openvino

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


def _threads(threads: int | None) -> int:
    # Two are what a live stage gets from a small machine; more hardly help at this size.
    return threads if threads is not None else min(2, os.cpu_count() or 1)


def default_runtime(
    threads: int | None = None, precision: Precision = "auto", network: Network = Network.EVERY_FRAME
) -> OpenVinoRuntime:
    """The shipped model on the CPU; raises ``MienError`` if its files are damaged.

    Args:
        network: how often it runs.  An untrained one, whose results are zero, is not run at all.
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
    """The shipped model on this machine's best runtime, or on the one asked for.

    See :func:`mien.engine.runtime.selection.choose`, which says what happens where that one cannot be used.

    Args:
        alone: how often the network runs where the CPU has all the work.  Known here and not later, one that
            never runs is not compiled.
    """
    cpu = default_runtime(threads, precision, network_of(choice, alone))
    return choose(choice, live_files(cpu, ENCODER, RENDERER), notify=notify, progress=progress)


def network_of(choice: Choice, alone: Network) -> Network:
    """How often the network runs on the CPU: ``alone`` if that is all there is, else with every frame."""
    if alone is Network.EVERY_FRAME or stays_on_cpu(choice):
        return alone
    return Network.EVERY_FRAME


def describe_runtime() -> str:
    """Which runtime :func:`default_runtime` takes and why, in one line."""
    version = load_openvino().__version__.split("-")[0]
    why = (
        "the CPU has bfloat16: convolutions in it, motion in FP32"
        if cpu_has_bf16()
        else "no bfloat16 here: FP32"
    )
    return f"OpenVINO {version} on the CPU, {_threads(None)} threads ({why})"
