"""A network namespace: loopback, one more address, and no way to any other machine."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ADDRESS = "10.77.0.1"
"""Of this machine inside the namespace: what a peer offers that leaves loopback out."""


def refused() -> str:
    """Why no namespace can be made here; empty when one can."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return "needs Linux and iproute2"
    name = f"mien-try-{os.getpid()}"
    made = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    if made.returncode:
        return f"may make no network namespace ({made.stderr.strip()[-80:]})"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


class Process:
    """A program inside the namespace, and what it has said."""

    def __init__(self, words: list[str]) -> None:
        self._process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    def until(self, holds: Callable[[str], Any], seconds: float = 45) -> str:
        """The first line of which ``holds`` is true."""
        end, place = time.monotonic() + seconds, 0
        while True:
            while place < len(self.lines):
                if holds(self.lines[place]):
                    return self.lines[place]
                place += 1
            ended = self._process.poll() is not None and place >= len(self.lines)
            assert time.monotonic() < end and not ended, "\n".join(self.lines[-25:])
            time.sleep(0.05)

    def end(self) -> None:
        # With what it has started itself: the Janus behind its endpoint went on for good.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Network:
    """The namespace and the processes in it; both end with the ``with`` statement."""

    def __init__(self) -> None:
        self.name = f"mien-{os.getpid()}-{time.monotonic_ns() % 10**6}"
        self._processes: list[Process] = []

    def __enter__(self) -> Network:
        self._ip("netns", "add", self.name)
        self._ip("-n", self.name, "link", "set", "lo", "up")
        self._ip("-n", self.name, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        self._ip("-n", self.name, "addr", "add", f"{ADDRESS}/24", "dev", "v0")
        for end in ("v0", "v1"):
            self._ip("-n", self.name, "link", "set", end, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.end()
        self._ip("netns", "del", self.name)

    def run(self, *words: str) -> Process:
        """Start a program inside."""
        process = Process(["ip", "netns", "exec", self.name, *words])
        self._processes.append(process)
        return process

    def server(self, *options: str) -> tuple[Process, str]:
        """A Mien server inside, and its address."""
        process = self.run(sys.executable, str(HERE / "tint_server.py"), *options)
        return process, process.until(lambda line: line.startswith("http"))

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)
