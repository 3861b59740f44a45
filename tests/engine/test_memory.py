"""Memory goes back to the system when a start is over."""

from __future__ import annotations

import os
import platform
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


ARENAS = """
import ctypes, os, sys, tempfile, threading
from mien.engine.utils.memory import share_arenas
if "share" in sys.argv:
    assert share_arenas()
met = threading.Barrier(6)
def work():
    kept = [bytearray(3000) for _ in range(100)]
    met.wait()
threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as told:
    file = ctypes.c_void_p(libc.fopen(told.name.encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    print(told.read().count(b"<heap nr="))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's habit")
def test_threads_share_two_arenas() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}

    def arenas(*words: str) -> int:
        command = [sys.executable, "-c", ARENAS, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", env=environment, check=True
        )
        return int(done.stdout)

    assert arenas("share") <= 2 < arenas()
