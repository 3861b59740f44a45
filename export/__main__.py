"""``mien export WEIGHTS.safetensors|--untrained [--to TARGET] --output DIR``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mien.engine.utils.exit_status import Extra, status_of
from mien.export.arguments import parse

NEEDED = Extra("export", "train", ("torch", "onnx", "onnxscript", "safetensors"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return status_of(lambda: _export(arguments), extra=NEEDED)


def _export(arguments: Sequence[str] | None) -> None:
    options = parse(arguments)
    from mien.export.targets import convert, write
    from mien.export.weights import exported_parts

    files = convert(exported_parts(options.weights), options)
    for path in write(files, options.output):
        sys.stdout.write(f"{path}  {path.stat().st_size / 2**20:.1f} MiB\n")


if __name__ == "__main__":
    sys.exit(main())
