"""Command line of the benchmark: ``mien benchmark``, or ``python -m engine.benchmark`` in a checkout."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mien.engine.benchmark.arguments import Options, parse
from mien.engine.types import ModelError
from mien.engine.utils.exit_status import status_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Returns:
        The exit status: 0 success, 1 slower than ``--against``, 2 user error, 130 interrupted.
    """
    return status_of(lambda: _run(arguments), "mien benchmark")


def _run(arguments: Sequence[str] | None) -> int:
    options = parse(arguments)
    if options.gpu:
        _run_gpu(options)
        return 0
    from mien.engine.benchmark.cpu import run

    return run(options)


def _run_gpu(options: Options) -> None:
    try:
        # Imported lazily: only machines with an NVIDIA GPU have its requirements.
        from mien.engine.benchmark.gpu.run import run
    except ModuleNotFoundError as error:
        raise ModelError(
            f"The GPU benchmark needs {error.name}, which is not installed. Leave out --gpu."
        ) from error
    run(options)


if __name__ == "__main__":
    sys.exit(main())
