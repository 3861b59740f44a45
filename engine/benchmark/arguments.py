"""What can be asked of the benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.engine.utils.command_line import Parser, image_size, listed, number, whole_number

EXAMPLES = """\
examples:
  mien benchmark
      the built-in face, every stage, at camera pace and at full speed
  mien benchmark --clip talk.mp4 --json result.json
  mien benchmark --compare openvino,render,torch,paper
      runtimes side by side in one run, taking turns, with ratios
  mien benchmark --live 1200 --plot latency.png
      twenty minutes at camera pace: latency over time, memory growth
  mien benchmark --sessions 4
      how many avatars this machine holds at 30 frames per second
  mien benchmark --gpu
      the same on an NVIDIA GPU
"""


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        clip: the driver; None for the built-in face.
        avatar: the portrait; None for the built-in one.
        size: width and height of the driver's pictures.
        fps: camera pace.
        seconds: measured per part.
        compare: runtimes to compare, in the order of their turns.
        profile: how often the network runs in the soak and the sessions; None for what a live run would take.
        live: seconds of the soak; None for no soak.
        sessions: most avatars at once to try; None for none.
        gpu: measure on the GPU instead.
        json: where the figures go as JSON (``-`` is the standard output).
        plot: where the plot goes.
        threads, precision: of the renderer.
    """

    clip: Path | None
    avatar: Path | None
    size: tuple[int, int]
    fps: float
    seconds: float
    compare: tuple[str, ...]
    profile: str | None
    live: float | None
    sessions: int | None
    gpu: bool
    json: str | None
    plot: Path | None
    threads: int | None
    precision: Literal["auto", "f32", "bf16"]


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options in ``arguments`` (``sys.argv`` when left out); raises ``UsageError`` in one line."""
    found = vars(_parser().parse_args(arguments))
    found["compare"] = tuple(found["compare"])
    return Options(**found)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="mien benchmark",
        description="How fast this machine tracks and renders, and how late a picture is.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--clip", metavar="FILE", type=Path, help="video of a face that drives (a built-in face if left out)")
    add("--avatar", metavar="PORTRAIT", type=Path, help="photo that moves (a built-in one if left out)")
    add("--size", metavar="WxH", type=_size, default=(640, 480), help="of the driver's pictures (640x480)")
    add("--fps", metavar="RATE", type=_positive, default=30.0, help="camera pace (30)")
    add("--seconds", metavar="S", type=_positive, default=10.0, help="measured per part (10)")
    add(
        "--compare",
        metavar="NAME,...",
        type=_names,
        default=(),
        help="taking turns: openvino, render (it alone), torch, paper (the published network as published)",
    )
    add(
        "--profile",
        choices=("live", "live-fast", "warp"),
        help="of --live and --sessions: network on every frame, beside, or not at all (chosen if left out)",
    )
    add("--live", metavar="SECONDS", type=_positive, help="a long run at camera pace: latency over time")
    add("--sessions", metavar="N", type=_count, help="try up to N avatars at once")
    add("--gpu", action="store_true", help="measure on an NVIDIA GPU instead")
    add("--json", metavar="FILE", help="write the figures as JSON (- for the standard output)")
    add("--plot", metavar="PNG", type=Path, help="draw latency over time (with --live: mien-benchmark.png)")
    add("--threads", metavar="N", type=_count, help="CPU threads of the renderer")
    add("--precision", choices=("auto", "f32", "bf16"), default="auto", help="of the renderer")
    return parser


def _size(text: str) -> tuple[int, int]:
    return image_size(text, 64, 16384)


def _positive(text: str) -> float:
    return number(text, "number", 0.001, 1e6)


def _count(text: str) -> int:
    return whole_number(text, "number", 1, 64)


def _names(text: str) -> tuple[str, ...]:
    return listed(text, "runtime")
