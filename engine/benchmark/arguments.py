"""Command-line options of the benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.engine.mouth.mode import MODES, OWN, MouthMode
from mien.engine.utils.command_line import Parser, image_size, listed, number, whole_number

EXAMPLES = """\
examples:
  mien benchmark
      the built-in face, every stage, at the camera's frame rate and at full speed
  mien benchmark --clip talk.mp4 --json result.json
  mien benchmark --compare openvino,render,torch,paper
      runtimes interleaved in one run, with ratios
  mien benchmark --live 1200 --plot latency.png
      twenty minutes at the camera's frame rate: latency over time, memory growth
  mien benchmark --sessions 4
      how many avatars this machine can run at 30 frames per second
  mien benchmark --avatar shut.jpg --mouth painted
      what the network costs where it runs: on a portrait that shows no teeth, without the driver's mouth
  mien benchmark --profile
      where each millisecond of a frame goes, and a flame graph
  mien benchmark --against before.json
      what got slower since, beyond noise (exit status 1 if anything did)
  mien benchmark --gpu
      the same on an NVIDIA GPU
"""


FLAME = Path("mien-profile.html")


@dataclass(frozen=True)
class Options:
    """Parsed options.

    Attributes:
        clip: the driver; None for the built-in face.
        avatar: the portrait; None for the built-in one.
        mouth: what is between the avatar's lips, as for a live run; in ``sessions`` it is the driver's own.
        size: width and height of the driver's frames.
        fps: frame rate of the simulated camera.
        seconds: measured per part.
        compare: runtimes to compare, in the order of their turns.
        model: how often the network runs in the soak and the sessions; None for a live run's choice.
        profile: measure functions and layers instead.
        flame: path of the profile's flame graph.
        against: an earlier JSON result to compare with.
        live: seconds of the soak; None for no soak.
        sessions: largest number of simultaneous avatars to try; None for none.
        gpu: measure on the GPU instead.
        json: path of the JSON results (``-`` is the standard output).
        plot: path of the plot.
        threads, precision: of the renderer.
    """

    clip: Path | None
    avatar: Path | None
    mouth: MouthMode
    size: tuple[int, int]
    fps: float
    seconds: float
    compare: tuple[str, ...]
    model: str | None
    profile: bool
    flame: Path
    against: Path | None
    live: float | None
    sessions: int | None
    gpu: bool
    json: str | None
    plot: Path | None
    threads: int | None
    precision: Literal["auto", "f32", "bf16", "int8"]


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Parse ``arguments`` (default: ``sys.argv``); raises ``UsageError`` in one line."""
    found = vars(_parser().parse_args(arguments))
    found["compare"] = tuple(found["compare"])
    return Options(**found)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="mien benchmark",
        description="Measure how fast this machine tracks and renders, and the latency of a frame.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--clip", metavar="FILE", type=Path, help="video of a face that drives (default: a built-in face)")
    add("--avatar", metavar="PORTRAIT", type=Path, help="photo to animate (default: a built-in one)")
    add(
        "--mouth",
        choices=MODES,
        default=OWN,
        help="between the avatar's lips: the driver's own mouth, or the painted one (the network's work)",
    )
    add("--size", metavar="WxH", type=_size, default=(640, 480), help="of the driver's frames (640x480)")
    add("--fps", metavar="RATE", type=_positive, default=30.0, help="frame rate of the camera (30)")
    add("--seconds", metavar="S", type=_positive, default=10.0, help="measured per part (10)")
    add(
        "--compare",
        metavar="NAME,...",
        type=_names,
        default=(),
        help="interleaved: openvino, render (without tracking), torch, paper (the network as published)",
    )
    add(
        "--model",
        choices=("live", "live-fast", "warp"),
        help="network in the long runs and --profile: on every frame, in the background, off (automatic)",
    )
    add(
        "--live", metavar="SECONDS", type=_positive, help="a long run at the camera's rate: latency over time"
    )
    add("--sessions", metavar="N", type=_count, help="try up to N simultaneous avatars")
    add(
        "--profile",
        action="store_true",
        help="where a frame's time goes: by function, by layer of the networks",
    )
    add("--flame", metavar="HTML", type=Path, default=FLAME, help=f"flame graph of --profile ({FLAME})")
    add(
        "--against",
        metavar="JSON",
        type=Path,
        help="compare with an earlier --json: what got slower than noise",
    )
    add("--gpu", action="store_true", help="measure on an NVIDIA GPU instead")
    add("--json", metavar="FILE", help="write the figures as JSON (- for the standard output)")
    add("--plot", metavar="PNG", type=Path, help="plot latency over time (with --live: mien-benchmark.png)")
    add("--threads", metavar="N", type=_count, help="CPU threads of the renderer")
    add("--precision", choices=("auto", "f32", "bf16", "int8"), default="auto", help="of the renderer")
    return parser


def _size(text: str) -> tuple[int, int]:
    return image_size(text, 64, 16384)


def _positive(text: str) -> float:
    return number(text, "number", 0.001, 1e6)


def _count(text: str) -> int:
    return whole_number(text, "number", 1, 64)


def _names(text: str) -> tuple[str, ...]:
    return listed(text, "runtime")
