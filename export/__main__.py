"""``python -m export [WEIGHTS.safetensors | --untrained] --output DIR``: the live model as ONNX files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.types import MienError


def export_live(weights: Path | None, output: Path) -> list[Path]:
    """Write encoder and renderer into ``output`` after checking them against torch; returns their paths.

    Both are written beside their final names first, so a failed export leaves the old files as they were.
    """
    from export import onnx_export, parity

    source = onnx_export.untrained_model() if weights is None else onnx_export.load_weights(weights)
    model = onnx_export.deployable(source)
    contents = onnx_export.build(model, untrained=weights is None)
    parity.measure(model, *contents).check()
    paths = [output / onnx_export.ENCODER_FILE, output / onnx_export.RENDERER_FILE]
    beside = [path.with_name(path.name + ".part") for path in paths]
    try:
        output.mkdir(parents=True, exist_ok=True)
        for path, content in zip(beside, contents, strict=True):
            path.write_bytes(content)
        for path, final in zip(beside, paths, strict=True):
            path.replace(final)
    except OSError as error:
        raise MienError(f"{output}: cannot write: {error.strerror or error}") from error
    finally:
        for path in beside:
            path.unlink(missing_ok=True)
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("weights", nargs="?", type=Path, help="trained weights (.safetensors)")
    which.add_argument("--untrained", action="store_true", help="export the plain landmark warp")
    parser.add_argument("--output", type=Path, required=True, help="folder to write the ONNX files into")
    options = parser.parse_args(arguments)
    try:
        for path in export_live(options.weights, options.output):
            sys.stdout.write(f"{path}  {path.stat().st_size / 2**20:.1f} MiB\n")
    except MienError as error:
        sys.stderr.write(f"mien: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
