"""Who uses the processor: ours, or other programs, beside which no speed can be judged (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

DISTURBED = 0.2
"""Cores that other programs may use beside a measurement that counts."""

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Use:
    """Processor seconds so far.

    Attributes:
        time: monotonic seconds.
        server, browser: of the server's process, and of all else that this one started.
        all: of the whole machine.
    """

    time: float
    server: float
    browser: float
    all: float

    @staticmethod
    def now(server: int) -> Use:
        """The use until now; ``server`` is a process id."""
        mine, all_started = _used(server), sum(map(_used, _family(os.getpid())))
        fields = [
            int(field)
            for field in Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
        ]
        busy = sum(fields[:3]) + sum(fields[5:8])  # without idle and waiting for disks
        return Use(monotonic(), mine, all_started - mine, busy / TICK)

    def since(self, before: Use) -> tuple[float, float, float]:
        """Cores that the server, the browser, and other programs used since then."""
        seconds = self.time - before.time
        server, browser = self.server - before.server, self.browser - before.browser
        others = self.all - before.all - server - browser
        return server / seconds, browser / seconds, max(0.0, others / seconds)


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:  # ended meanwhile
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def _family(pid: int) -> list[int]:
    """The process and all that it started, and so on."""
    found = [pid]
    for known in found:
        for children in Path(f"/proc/{known}/task").glob("*/children"):
            try:
                found += map(int, children.read_text(encoding="utf-8").split())
            except OSError:
                continue
    return found
