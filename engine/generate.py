"""Checkout form of ``mien generate``: ``python -m engine.generate PAIRS.csv --output DIR``."""

from __future__ import annotations

import sys

from mien.cli.batch.run import main

if __name__ == "__main__":
    sys.exit(main())
