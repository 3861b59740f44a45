"""Option groups that ``mien`` and its subcommands share."""

from __future__ import annotations

import argparse

from mien.cli.options import values
from mien.engine.landmarks import LANDMARKERS
from mien.engine.mouth.mode import MODES, OWN, PAINTED, MouthMode


def add_amounts(group: argparse._ArgumentGroup) -> None:
    """Add the gains: how much of the motion is taken over."""
    group.add_argument("--expression", metavar="G", type=values.amount, default=1.0, help="facial expression")
    group.add_argument(
        "--micro-gain",
        dest="micro",
        metavar="G",
        type=values.micro,
        default=1.0,
        help="amplify only small facial motion, 1 to 8; noise and large motion stay unchanged",
    )
    group.add_argument(
        "--head",
        metavar="G",
        type=values.amount,
        default=1.0,
        help="translation, scale and roll of head and shoulders",
    )
    group.add_argument(
        "--turn", metavar="G", type=values.amount, default=1.0, help="yaw and pitch of the head"
    )
    group.add_argument(
        "--gain",
        dest="gains",
        metavar="REGION=G",
        type=values.gain,
        action="append",
        help="gain of one region, repeatable: brow_inner=2, mouth_corner_left=0, brows=1.5",
    )
    group.add_argument(
        "--only", metavar="REGION,...", type=values.names, default=(), help="animate only these regions"
    )


def add_mouth(group: argparse._ArgumentGroup, default: MouthMode) -> None:
    """Add ``--mouth``."""
    group.add_argument(
        "--mouth",
        metavar="MODE",
        choices=MODES,
        default=default,
        help=f"what an opened mouth shows: {OWN} (the driver's own teeth and tongue, where their mouth is at "
        f"least 24 pixels wide, lit and not covered) or {PAINTED} (none of the driver's pixels); {default} "
        "unless given",
    )


def add_background(group: argparse._ArgumentGroup, transparent: str) -> None:
    """Add ``--background``; ``transparent`` says where that is possible."""
    group.add_argument(
        "--background",
        metavar="WHAT",
        type=values.background,
        default="keep",
        help="behind the person: keep, blur, a colour (green for a chroma key, '#20242b'), an image file, or "
        f"{transparent}",
    )


def add_machine(group: argparse._ArgumentGroup) -> None:
    """Add the model, the tracker, the runtime, its precision and its threads."""
    group.add_argument(
        "--model",
        metavar="MODEL",
        default="live",
        help="live (built in; live-fast and live-exact set how often its network runs, warp runs without "
        "it: landmarks and measured motion only), weights (.safetensors; needs torch), or a folder "
        "written by mien export",
    )
    group.add_argument(
        "--tracker",
        metavar="NAME",
        choices=tuple(LANDMARKERS),
        default=next(iter(LANDMARKERS)),
        help="face landmarker: "
        + ", or ".join(f"{name} ({kind.help})" for name, kind in LANDMARKERS.items()),
    )
    group.add_argument(
        "--runtime",
        metavar="NAME",
        choices=("auto", "openvino", "tensorrt", "torch"),
        default="auto",
        help="runtime of the renderer: auto (TensorRT on an NVIDIA GPU, else OpenVINO), openvino, tensorrt "
        "or torch",
    )
    group.add_argument(
        "--precision",
        metavar="P",
        choices=("auto", "f32", "bf16", "int8"),
        default="auto",
        help="precision of the renderer on the CPU: auto (the fastest), f32, bf16 or int8",
    )
    group.add_argument("--threads", metavar="N", type=values.count, help="CPU threads of the renderer (2)")
