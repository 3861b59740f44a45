"""The comparison of two checkouts: a version beside itself."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_worker_finds_everything_in_this_version() -> None:
    path = ROOT / "scripts" / "frame_times.py"
    spec = spec_from_file_location("frame_times", path)
    assert spec is not None and spec.loader is not None
    worker = module_from_spec(spec)
    spec.loader.exec_module(worker)
    for name, (newest, *_) in worker.PLACES.items():
        assert worker.named(name).__module__.startswith(newest.rsplit(".", 1)[0])


def test_a_checkout_without_an_environment_is_refused(tmp_path: Path) -> None:
    done = _compare(tmp_path)
    assert done.returncode == 2
    assert ".venv is missing" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_version_is_as_fast_as_itself(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    done = _compare(tmp_path, "--rounds", "4", "--part", "track, 640x480")
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("track, 640x480"))
    assert 0.5 < float(row.split()[-1]) < 2.0  # CPU time; the machine may be busy


def _compare(other: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "compare_commits"), str(other), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, encoding="utf-8")
