"""A real Mien server in a process of its own, as a user starts it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class PageServer:
    """``mien --webrtc`` on a free port of the loopback address.

    Args:
        more: further arguments.
    """

    def __init__(self, *more: str) -> None:
        self.port = free_port()
        self._more = more
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def link(self) -> str:
        """The address with its token, as the server prints it."""
        return next(word for word in self.log().split() if word.startswith(self.url) and "token=" in word)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> PageServer:
        self.start_again()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()

    def start_again(self) -> None:
        command = [sys.executable, str(ROOT / "run_live.py"), "--webrtc", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, *self._more],
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, number: signal.Signals, seconds: float) -> int:
        """Send it a signal, and wait for its exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(seconds)

    def log(self) -> str:
        """What it has said so far."""
        self._log.flush()
        return Path(f"/proc/self/fd/{self._log.fileno()}").read_text(encoding="utf-8")

    def get(self, path: str) -> Any:
        """The JSON at ``path``."""
        return json.loads(self.text(path))

    def text(self, path: str) -> str:
        """What is at ``path``."""
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            return str(response.read().decode())

    def wait_until_ready(self, seconds: float = 180) -> None:
        self._wait(lambda: self._answers("readyz"), seconds, "ready")

    def wait_until_empty(self, seconds: float = 30) -> None:
        self._wait(lambda: self.get("api/state")["sessions"] == 0, seconds, "empty")

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def _wait(self, holds: Any, seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert self._process is not None and self._process.poll() is None, self.log()
            assert time.monotonic() < end, f"not {what} within {seconds} s:\n{self.log()}"
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
