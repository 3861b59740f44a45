"""The command ``mien``; ``python -m mien`` is the same."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mien import installation


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the installation, then run Mien; see :func:`mien.cli.main.main`.

    Returns:
        the exit status: 0 done, 2 one line said why not, 130 stopped before there was anything.
    """
    if (problem := installation.problem()) is not None:
        sys.stderr.write(f"mien: {problem}\n")
        return 2
    if (warning := installation.warning()) is not None:
        sys.stderr.write(f"mien: {warning}\n")
    from mien.cli.main import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
