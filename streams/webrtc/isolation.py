"""Work on a stranger's bytes in a process of its own, with a deadline and a bound on its memory.

A decoder is native code that nothing in the same process can stop: of a progressive JPEG of 1.5 MB whose last
scan is repeated, libjpeg decodes for eight minutes.  A process can be killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mien.engine.types import MienError

MODULE = "mien.streams.webrtc.isolated"

START_S = 20.0
"""Seconds within which the process must have imported what it needs: 0.4 on an idle machine."""


OUT_OF_TIME = -int(getattr(signal, "SIGXCPU", 0)) or None
"""Exit status of a process that has used up its processor time."""


class TimedOut(MienError):
    """The work was not done by its deadline."""


class Ended(MienError):
    """The server is shutting down, or the process died."""


@dataclass(frozen=True)
class Bounds:
    """What a job may cost.

    Attributes:
        cpu_s: processor seconds of the whole process (where the system can bound them: not on Windows).
        deadline_s: seconds on the clock, longer, because a busy machine is slow with honest files too.
        memory_mb: how much more memory than an idle process of this kind it may take (Linux).
    """

    cpu_s: int
    deadline_s: float
    memory_mb: int


@dataclass(frozen=True)
class Reply:
    """What the process answered.

    Attributes:
        fields: the answer's fields; ``error`` is there when the work failed.
        data: the result's bytes.
    """

    fields: Mapping[str, Any]
    data: bytes


class Isolation:
    """The server's processes for strangers' bytes; :meth:`close` kills those that still run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(self, job: str, data: bytes, bounds: Bounds, **fields: Any) -> Reply:
        """Do one job in a new process (blocks; in a worker thread).

        Args:
            job: ``"decode"`` or ``"sign"``.
            data: the stranger's bytes.
            bounds: what it may cost.
            fields: the job's other arguments.

        Raises:
            TimedOut: it took too long; the process is killed.
            Ended: the server is shutting down, or the process ended without an answer.
        """
        header = {"job": job, "memory_mb": bounds.memory_mb, "cpu_s": bounds.cpu_s, **fields}
        with self._process() as process:
            assert process.stdin is not None and process.stdout is not None
            with _killed_after(process, START_S):
                process.stdout.read(1)
            with _killed_after(process, bounds.deadline_s) as late, contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(header).encode() + b"\n")
                process.stdin.write(data)
                process.stdin.close()
                answer = process.stdout.read()
        if late.is_set() or process.returncode == OUT_OF_TIME:
            raise TimedOut(f"The work takes more than {bounds.cpu_s} s.")
        head, found, body = answer.partition(b"\n") if process.returncode == 0 else (b"", b"", b"")
        if not found:
            raise Ended(f"The process for {job} ended without an answer ({process.returncode}).")
        return Reply(json.loads(head), body)

    def close(self) -> None:
        """Kill what runs; nothing can be started afterwards."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            process.kill()

    @contextlib.contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            if self._closed:
                raise Ended("The server is shutting down.")
            process = _start()
            self._running.add(process)
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            process.wait()
            with self._lock:
                self._running.discard(process)


def _start() -> subprocess.Popen[bytes]:
    # The same packages as this process, whatever the working folder holds; and no pool of threads.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = "1"
    return subprocess.Popen(
        [sys.executable, "-c", f"from {MODULE} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        # Ctrl-C goes to the whole group; the server decides when this process ends.
        start_new_session=True,
    )


@contextlib.contextmanager
def _killed_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """Kill ``process`` when the body takes longer; the event says whether that happened."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
