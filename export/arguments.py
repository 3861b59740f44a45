"""Command-line options of ``mien export``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser

Target = Literal["onnx", "openvino", "tensorrt", "tensorrt-rtx"]
TARGETS: tuple[Target, ...] = ("onnx", "openvino", "tensorrt", "tensorrt-rtx")

EXAMPLES = """\
examples:
  mien export --untrained --output engine/assets
      the shipped files
  mien export weights.safetensors --output model
      ONNX, FP32, batch 1, to be used with mien --model model
  mien export engine/assets --to openvino --output shipped
      the shipped weights for another target
  mien export weights.safetensors --to tensorrt-rtx --batch 8 --output engines
      FP16 engines for NVIDIA GPUs, batch 1 to 8; no GPU is needed to build them
"""


@dataclass(frozen=True, slots=True)
class Options:
    """Parsed options.

    Attributes:
        weights: trained weights; None for the untrained ``live`` model.
        target: kind of the files.
        precision: of the convolutions; None for the target's default (FP16 for TensorRT, otherwise FP32).
        size: side of the finished image; see :mod:`mien.export.targets`.
        batch: the network's largest batch.
    """

    weights: Path | None
    target: Target
    precision: Literal["fp16", "fp32"]
    size: int | None
    batch: int
    output: Path


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Parse ``arguments``.

    Raises:
        UsageError: invalid ones.
    """
    parser = Parser(
        prog="mien export",
        description="Convert weights to files that a runtime loads.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "weights",
        nargs="?",
        type=Path,
        help="trained weights, live or paper (.safetensors); or an exported folder",
    )
    which.add_argument("--untrained", action="store_true", help="the live model as the plain landmark warp")
    add = parser.add_argument
    add("--to", dest="target", choices=TARGETS, default="onnx", help="kind of the files (onnx)")
    add("--precision", choices=("fp16", "fp32"), help="of the convolutions (fp16 for TensorRT, else fp32)")
    add(
        "--size", type=int, choices=(256, 512), help="TensorRT: side of the image to optimise for (live: 512)"
    )
    add("--batch", type=int, default=1, metavar="N", help="largest batch, 1 to 64 (1)")
    add("--output", type=Path, required=True, metavar="DIR", help="folder to write the files into")
    found = parser.parse_args(arguments)
    usual: Literal["fp16", "fp32"] = "fp16" if found.target.startswith("tensorrt") else "fp32"
    if not 1 <= found.batch <= 64:
        raise UsageError(f"--batch {found.batch} is not possible; choose 1 to 64")
    return Options(
        found.weights, found.target, found.precision or usual, found.size, found.batch, found.output
    )
