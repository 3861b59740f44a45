"""Subcommands of ``mien``, and their short forms in a checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mien.cli.commands import COMMANDS
from mien.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    "generate": "engine.generate",
    "compose": "engine.compose",
    "metrics": "train.metrics",
    "benchmark": "engine.benchmark",
    "train": "train",
    "export": "export",
}
"""What a checkout runs with ``python -m`` instead."""


def test_every_command_of_a_room_has_its_form_in_a_checkout() -> None:
    # The others are of the command line itself: ``python -m mien NAME``.
    own = {"compare", "enroll"}
    assert {command.name for command in COMMANDS} == set(MODULES) | own


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_python_m_mien_is_the_command_mien(name: str) -> None:
    words = [sys.executable, "-m", "mien", name, "--help"]
    found = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False, encoding="utf-8")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(f"usage: mien {name} ")


@pytest.mark.parametrize("name", MODULES)
def test_a_command_explains_itself_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: mien {name} ")
    assert "python -m" not in text


@pytest.mark.parametrize("room", ["", "mien."])
@pytest.mark.parametrize("module", MODULES.values())
def test_a_module_of_a_checkout_is_the_same_command(module: str, room: str) -> None:
    words = [sys.executable, "-m", f"{room}{module}", "--help"]
    found = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False, encoding="utf-8")
    assert found.returncode == 0, found.stderr
    (name,) = (name for name, path in MODULES.items() if path == module)
    assert found.stdout.startswith(f"usage: mien {name} ")


def test_the_help_of_mien_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"mien {command.name} " in text
        assert command.help in text


def test_a_word_that_is_no_command_is_refused_with_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clip.mp4"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mien: 'clip.mp4' is not a command (generate, ")
    assert "--driving" in line


WRONG = [
    "generate",
    "compose --bogus",
    "metrics",
    "metrics a.mp4 --frames x",
    "metrics a.mp4 --self --avatar b.png",
    "compare only-a-driver.mp4",
    "benchmark --threads many",
    "benchmark --clip no-such.mp4",
    "train",
    "train fit --bogus",
    "train evaluate x --data d --part nix",
    "export",
    "export a.safetensors --output o --batch x",
]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_one_line_and_status_2(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mien")
    assert said.err.count("\n") == 1


def test_the_benchmark_refuses_a_clip_before_it_loads_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.engine.benchmark.setup.default_runtime", lambda *_: pytest.fail("too late"))
    assert main(["benchmark", "--clip", "no-such.mp4"]) == 2
