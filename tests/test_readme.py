"""What the README shows works: its Python, its commands' words, its pictures."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from mien.engine.types import Image

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = "\n".join(blocks("sh")).replace(" && ", "\n").splitlines()
    return [shlex.split(line) for line in lines if line.strip()]


def test_the_python_of_the_readme_runs(
    tmp_path: Path, astronaut: Image, close_up: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pillow.fromarray(astronaut).save(tmp_path / "me.jpg")
    with av.open(str(tmp_path / "talk.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(close_up, format="rgb24")))
        container.mux(stream.encode())
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    image = names["image"]
    assert isinstance(image, np.ndarray)
    assert image.shape == astronaut.shape


def of_mien() -> list[list[str]]:
    """The words of every command of the README after ``mien`` (or ``python run_live.py``)."""
    found = [words for words in commands() if words[0] == "mien" or words[:2] == ["python", "run_live.py"]]
    return [words[1 if words[0] == "mien" else 2 :] for words in found]


def test_every_mien_command_of_the_readme_is_understood() -> None:
    from mien.cli.commands import find_command
    from mien.cli.options.arguments import parse

    plain = [words for words in of_mien() if find_command(words) is None]
    assert len(plain) >= 5
    for words in plain:
        parse(words)


def test_every_subcommand_that_the_readme_runs_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    from mien.cli.commands import COMMANDS, find_command

    used = {command.name for words in of_mien() if (command := find_command(words)) is not None}
    assert used == {command.name for command in COMMANDS}
    steps = {words[1] for words in of_mien() if words[0] == "train"}
    for words in [*([name] for name in used), *(["train", step] for step in steps)]:
        command = find_command(words)
        assert command is not None
        with pytest.raises(SystemExit) as ended:
            command.run([*words[1:], "--help"])
        assert ended.value.code == 0
        assert "usage" in capsys.readouterr().out


def test_the_composed_stimulus_of_the_readme_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.engine.compose.__main__ import main
    from mien.engine.motion.recording import load_recording

    (words,) = [words for words in of_mien() if words[0] == "compose" and "--neutral" in words]
    monkeypatch.chdir(tmp_path)
    assert main(words[1:]) == 0
    assert len(load_recording(tmp_path / "smirk.npz")) == 200


def test_the_pictures_and_files_that_the_readme_links_are_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        path, _, place = link.partition("#")
        assert (ROOT / path).exists(), link
        if place:
            titles = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}, link
