"""Memory goes back to the system when a start is over."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
from mien.engine.session.throughput import resident_mb
from mien.engine.utils.memory import release_freed
blocks = [bytes(60_000) for _ in range(2_000)]
kept = blocks[::200]
full = resident_mb()
del blocks
before = resident_mb()
release_freed()
print(full, before, resident_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's habit")
def test_what_was_freed_between_used_blocks_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, encoding="utf-8")
    full, before, after = map(float, done.stdout.split())
    assert after < full - 60, "most of 120 MB"
    assert after <= before
