"""The benchmark's profile, and its comparison with an earlier result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mien.engine.benchmark.__main__ import main
from mien.engine.benchmark.against import changes, read_result
from mien.engine.benchmark.differences import print_changes
from mien.engine.types import SourceError


def result(track: float, noise: float | None = 0.1, processor: str = "CPU") -> dict[str, Any]:
    """A benchmark's result with one stage."""
    figures = {"stages": {"track": {"median": track, "p95": 2 * track, "noise": noise}}}
    return {"machine": {"processor": processor}, "runs": {"live": figures}}


@pytest.mark.parametrize(
    ("now", "noise", "slower", "faster"),
    [(10.4, 0.1, False, False), (11.0, 0.1, True, False), (9.0, 0.1, False, True), (11.0, 0.5, False, False)],
)
def test_only_what_exceeds_the_noise_of_both_runs_is_a_change(
    now: float, noise: float, slower: bool, faster: bool
) -> None:
    (change,) = changes(result(10.0, noise), result(now, noise))
    assert change.name == "runs / live / track"
    assert (change.slower, change.faster) == (slower, faster)


def test_a_result_without_noise_is_taken_for_a_noisy_one() -> None:
    (change,) = changes(result(10.0, None), result(13.0))
    assert change.limit == pytest.approx(0.3, abs=0.02)


def test_something_slower_is_named_and_gives_status_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_changes(Console(), result(10.0), result(20.0, processor="other")) == 1
    said = capsys.readouterr().out
    assert "track" in said and "+100 %" in said and "1 got slower" in said
    assert "another processor (CPU)" in said
    assert print_changes(Console(), result(10.0), result(10.0)) == 0


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"runs": {"a": 1}}'])
def test_a_file_that_is_no_result_is_named_before_anything_is_measured(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "before.json"
    path.write_text(text, encoding="utf-8")
    assert main(["--against", str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error and error.count("\n") == 1
    with pytest.raises(SourceError, match="cannot be read"):
        read_result(tmp_path / "missing.json")


def test_without_its_profiler_a_profile_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyinstrument", None)
    assert main(["--profile", "--flame", str(tmp_path / "flame.html")]) == 2
    assert "mien[profile]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_profile_names_functions_and_layers_and_draws_a_flame_graph(tmp_path: Path) -> None:
    flame, figures = tmp_path / "flame.html", tmp_path / "profile.json"
    words = ["--profile", "--seconds", "3", "--flame", str(flame), "--json", str(figures)]
    # A process of its own: the networks that tests share were compiled without their layers' times.
    done = subprocess.run(
        [sys.executable, "-m", "mien", "benchmark", *words],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text(encoding="utf-8"))["profile"]
    functions = {row["function"]: row for row in found["functions"]}
    assert any(name.startswith("calc < _measured (engine/tracking/alignment.py") for name in functions)
    # What the functions take by themselves is the frame, but for the loop around it.
    own = sum(row["own_ms"] for row in found["functions"])
    assert own == pytest.approx(found["frame_ms"], rel=0.05)
    networks = {row["network"] for row in found["layers"]}
    assert {"LandmarkNetwork", "BlendshapeNetwork", "encoder"} <= networks
    assert any("Convolution" in row["kind"] for row in found["layers"])
    assert b"<html" in flame.read_bytes().lower()
    assert "own ms" in done.stdout and str(flame) in done.stdout
