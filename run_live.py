"""Front door of a checkout: ``python run_live.py`` is the command ``mien``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

NOT_INSTALLED = "mien: Mien is not installed for this Python. Run: {python} -m pip install -e ."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Mien; see :func:`mien.cli.main.main`."""
    try:
        from mien.cli.main import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mien":
            raise
        print(NOT_INSTALLED.format(python=sys.executable), file=sys.stderr)
        return 2
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
