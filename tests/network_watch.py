"""Connections of a run, watched system call by system call with strace."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


CALLS = "connect,sendto,sendmsg,sendmmsg"


ADDRESS = re.compile(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)')


ADDRESS_6 = re.compile(r'sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"')


RESOLVERS = re.compile(r'sun_path="[^"]*(nscd|systemd/resolve)[^"]*"')


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    # Some containers have strace but forbid ptrace.
    return (
        subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode
        == 0
    )


def traced(tmp_path: Path, *words: object) -> list[str]:
    """Run Python with ``words`` under strace; the lines of all network calls of all its threads."""
    log = tmp_path / "strace.log"
    command = ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(log), sys.executable]
    done = subprocess.run(
        [*command, *(str(word) for word in words)],
        cwd=tmp_path,
        capture_output=True,
        # A program of a test before may have set the C locale.
        encoding="utf-8",
        timeout=300,
        check=False,
        env=untracked_environment(),
    )
    assert done.returncode == 0, done.stderr
    return log.read_text(encoding="utf-8").splitlines()


def untracked_environment() -> dict[str, str]:
    import os

    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    # As on a user's machine: CI systems are known to packages that report usage, which then keep silent.
    for name in ("CI", "DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(name, None)
    return environment


def leaks(lines: list[str]) -> list[str]:
    """The lines that reach for another machine, or ask for a machine's name."""
    return [line for line in lines if _leaves(line)]


def _leaves(line: str) -> bool:
    if RESOLVERS.search(line):
        return True
    for port, address in [*ADDRESS.findall(line), *ADDRESS_6.findall(line)]:
        # A name look-up is a leak even where the resolver is on this machine.
        if port == "53" or not (address.startswith("127.") or address == "::1"):
            return True
    return False
