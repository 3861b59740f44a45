"""The one place that imports OpenVINO, and keeps it silent.

``import openvino`` starts a telemetry client that looks up a Google host (seen with strace on
2025.x and 2026.x).  With ``openvino_telemetry`` blocked, OpenVINO falls back to its own stub that
sends nothing.  Nothing of Mien may leave the machine, so no other module imports ``openvino``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mien.engine.utils.network_cache import network_cache

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class CompiledNetwork:
    """A network compiled while :func:`layer_timing` was on: its name and the ``openvino.CompiledModel``."""

    name: str
    model: Any


_TIMED: ContextVar[list[CompiledNetwork] | None] = ContextVar("timed", default=None)


@contextmanager
def layer_timing() -> Iterator[list[CompiledNetwork]]:
    """Networks compiled within measure each of their layers; yields the list that they are entered in.

    Only for profiles: counting costs some per cent. Networks of other threads are not measured.
    """
    compiled: list[CompiledNetwork] = []
    token = _TIMED.set(compiled)
    try:
        yield compiled
    finally:
        _TIMED.reset(token)


@lru_cache(maxsize=1)
def load_openvino() -> Any:
    """The ``openvino`` module, imported without its telemetry."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@lru_cache(maxsize=1)
def core() -> Any:
    """The process's one ``openvino.Core`` (it owns the device plugins; making one takes 20 ms)."""
    return load_openvino().Core()


def cpu_has_bf16() -> bool:
    """Whether OpenVINO's CPU plugin computes in bfloat16 natively here (AVX-512 BF16 or AMX).

    It is not always faster: see :func:`quick_precision`.
    """
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def quick_precision() -> Literal["f32", "bf16"]:
    """The faster of FP32 and bfloat16 for convolutions on this CPU: ``"f32"`` or ``"bf16"``."""
    if not cpu_has_bf16():
        return "f32"
    try:
        about = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # no such file on this system
        return "bf16"
    return "bf16" if bf16_pays(about) else "f32"


def bf16_pays(about: str) -> bool:
    """Whether a CPU that has bfloat16 is faster with it, by Linux's description of it.

    Intel's computes it in AMX's tiles.  Where these are missing, as in many virtual machines, its AVX-512
    instructions for bfloat16 are as fast as those for FP32, and the conversions come on top: on a Xeon of the
    fourth generation the renderer's network took 80 ms of CPU time in bfloat16 and 48 in FP32, the landmark
    network 5.9 and 3.6.  On an AMD EPYC bfloat16 is faster by a sixth to a quarter.
    """
    return "GenuineIntel" not in about or "amx_bf16" in about


def compile_for_cpu(
    model: Any, *, threads: int, precision: str, name: str = "network", kept: bool = False
) -> Any:
    """Compile ``model`` (path or ``ov.Model``) for low latency on ``threads`` CPU threads.

    Args:
        precision: ``"f32"`` or ``"bf16"``.
        name: what a profile calls it.
        kept: keep the result for the next start; for networks that are compiled at every start.
    """
    config: dict[str, object] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": 1,
        # Pinned, every one-threaded model would sit on the same first core, with the others idle.
        "ENABLE_CPU_PINNING": False,
    }
    cache = network_cache() if kept else None
    if cache is not None:
        config["CACHE_DIR"] = cache
    timed = _TIMED.get()
    if timed is None:
        return core().compile_model(model, "CPU", config)
    compiled = core().compile_model(model, "CPU", {**config, "PERF_COUNT": True})
    timed.append(CompiledNetwork(name, compiled))
    return compiled
