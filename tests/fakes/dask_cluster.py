"""A Dask scheduler and its workers: real ones, in processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path


class DaskCluster:
    """A scheduler on the loopback and its workers; close it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(self._file),
        )
        deadline = time.monotonic() + 60
        while not self._file.is_file():
            assert self.scheduler.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)

    @property
    def file(self) -> str:
        """The scheduler's file, which says where it is."""
        return str(self._file)

    def add_worker(
        self, threads: int = 1, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a worker, without a nanny: nothing starts it again when it is killed."""
        return self._start(
            "worker",
            "--scheduler-file",
            str(self._file),
            "--host",
            "127.0.0.1",
            "--no-nanny",
            "--no-dashboard",
            "--nthreads",
            str(threads),
            "--local-directory",
            str(self._folder),
            environment=environment,
        )

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(
        self, kind: str, *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", kind, *words],
            # Not the tests' folder: relative paths must not work by chance.
            cwd=self._folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process
