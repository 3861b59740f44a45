"""Output of a profile: the functions, the networks and the layers in which a frame's time goes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console

from mien.engine.benchmark.arguments import Options
from mien.engine.benchmark.profiling import Profile, check_profiler, profile
from mien.engine.benchmark.report import line
from mien.engine.benchmark.setup import set_up
from mien.engine.runtime import Network
from mien.engine.utils.openvino_core import layer_timing

FUNCTIONS, LAYERS = 30, 20
"""Rows printed; the JSON has all."""


def print_profile(console: Console, options: Options, result: dict[str, Any]) -> None:
    """Profile, print the tables, write the flame graph, and add all rows to ``result``.

    Raises:
        MienError: pyinstrument is missing, no face, or the flame graph cannot be written.
    """
    check_profiler()
    with layer_timing() as compiled:
        setup = set_up(options)
        if options.model is not None:
            setup.runtime.network = Network(options.model)
        found = profile(setup, options.seconds, compiled, options.flame)
    line(
        console,
        f"{found.frames} frames of {found.frame_ms:.1f} ms, tracked and rendered one after the other; "
        f"{setup.runtime.network.value}, {setup.runtime.precision}, {setup.runtime.threads} renderer threads",
    )
    _print_functions(console, found)
    _print_networks(console, found)
    line(console, f"flame graph: {options.flame}")
    result["profile"] = asdict(found)


def _print_functions(console: Console, found: Profile) -> None:
    line(console, "\n own ms  total ms  share  function")
    for row in found.functions[:FUNCTIONS]:
        share = f"{100 * row.share:.1f} %"
        line(console, f"{row.own_ms:7.2f}  {row.total_ms:8.2f} {share:>6}  {row.function}")


def _print_networks(console: Console, found: Profile) -> None:
    line(console, "\nms a run  network")
    for network, milliseconds in found.networks().items():
        line(console, f"{milliseconds:8.2f}  {network}")
    line(console, "\nms a run  layer")
    for row in found.layers[:LAYERS]:
        line(console, f"{row.ms:8.2f}  {row.network}: {row.kind} {row.shape} {row.precision}, {row.layer}")
    line(console, "")
