"""``python -m export WEIGHTS.safetensors|--untrained [--to TARGET] --output DIR``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from engine.types import MienError
from export.arguments import parse

NEEDED = ("torch", "onnx", "onnxscript", "safetensors")
"""Packages of the extra ``train`` that exports cannot do without."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    try:
        options = parse(arguments)
        from export.targets import convert, exported_parts, write

        files = convert(exported_parts(options.weights), options)
        for path in write(files, options.output):
            sys.stdout.write(f"{path}  {path.stat().st_size / 2**20:.1f} MiB\n")
    except MienError as error:
        sys.stderr.write(f"mien: {error}\n")
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.stderr.write(f"mien: export needs {error.name}: pip install 'mien[train]'\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
