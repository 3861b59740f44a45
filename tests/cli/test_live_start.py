"""A live start loads what it needs to render, and nothing of the benchmarks, training or export."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

SCRIPT = """
import os, signal, sys
from fakes.face_camera import FaceCamera, main

deliver = FaceCamera.retrieve

def stop_after_a_while(self):
    if self.grabs == 12:
        os.kill(os.getpid(), signal.SIGINT)
    return deliver(self)

FaceCamera.retrieve = stop_after_a_while
status = main(sys.argv[1], sys.argv[2:])
print("loaded:", *sys.modules)
sys.exit(status)
"""


@pytest.mark.slow
def test_the_first_live_start_runs_no_code_of_benchmark_training_or_export(
    carphone: Path, tmp_path: Path
) -> None:
    """The first one: it measures the machine's speed, which the benchmark does, too."""
    folders = {"PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))}
    folders |= {name: str(tmp_path / name) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(carphone), "--output", "live.mp4"],
        cwd=tmp_path,
        env=os.environ | folders,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        encoding="utf-8",
    )
    assert (tmp_path / "live.mp4").exists(), done.stderr
    assert (tmp_path / "XDG_CACHE_HOME" / "mien" / "speed.json").exists(), "the speed was measured"
    loaded = done.stdout.partition("loaded:")[2].split()
    assert "mien.engine.session.throughput" in loaded
    rooms = ("mien.engine.benchmark", "mien.train", "mien.export", "torch")
    assert [name for name in loaded if name.startswith(rooms)] == []
