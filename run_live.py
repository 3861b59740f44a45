"""Front door of a checkout: ``python run_live.py`` is the command ``mien``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Mien; see :func:`mien.__main__.main`.

    The command of version 0.1 calls this function, where ``mien`` may not be importable.
    """
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from mien.__main__ import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
