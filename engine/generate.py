"""Drives many portraits by many clips: ``python -m engine.generate PAIRS.csv --output DIR``.

The work needs frames from ``streams``, which ``engine`` does not know; it is done by :mod:`cli.generate`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the batch; see :func:`cli.generate.main`."""
    from cli.generate import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
