"""Rules of the house: imports point one way, nothing hides from that check, and all of it is packaged."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("cli", "engine", "export", "streams", "train")
LINT = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"


def setuptools_table() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]
    return table


def sources() -> Iterator[Path]:
    for room in ("mien", *ROOMS):
        yield from sorted((ROOT / room).rglob("*.py"))


def link_tree(folder: Path) -> Path:
    subprocess.run([sys.executable, ROOT / "scripts" / "link_tree.py", folder], check=True)
    return folder / "mien"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT, str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")


def test_imports_obey_the_contracts(tmp_path: Path) -> None:
    link_tree(tmp_path)
    found = lint(tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("engine/utils/stray.py", "import mien.streams.source", "rooms: imports point one way"),
        ("engine/motion/stray.py", "import mien.engine.runtime", "stages of the engine"),
        ("streams/stray.py", "import mien.engine.tracking", "streams know frames, not faces"),
        ("engine/face/stray.py", "def late():\n    import mien.engine.motion", "no circles"),
    ],
)
def test_an_import_against_the_rules_is_named(tmp_path: Path, module: str, line: str, contract: str) -> None:
    stray = link_tree(tmp_path) / module
    stray.write_text(line + "\n", encoding="utf-8")
    found = lint(tmp_path)
    assert found.returncode == 1, found.stderr
    assert "stray" in found.stdout
    assert any(row.startswith(contract) and "BROKEN" in row for row in found.stdout.splitlines())


def test_no_stage_of_the_engine_is_open_to_streams_but_the_ground_floor() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (forbidden,) = (c["forbidden_modules"] for c in contracts if c["name"].startswith("streams know"))
    folders = {path.parent.name for path in (ROOT / "engine").glob("*/__init__.py")}
    assert set(forbidden) == {f"mien.engine.{name}" for name in folders - {"utils"}}


def test_nothing_is_loose_at_the_top_of_the_engine() -> None:
    loose = {path.name for path in (ROOT / "engine").glob("*.py")}
    assert loose == {"__init__.py", "types.py", "generate.py"}, "generate.py is the short name of a command"


def hidden_imports(code: str) -> list[str]:
    """What the code imports through a function, by a literal name that means one of our rooms."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        target = node.args[0]
        if isinstance(target, ast.JoinedStr) and target.values:
            target = target.values[0]
        if name in ("import_module", "__import__") and isinstance(target, ast.Constant):
            words = str(target.value)
            if words.split(".")[0] in ("", "mien", *ROOMS):
                found.append(words)
    return found


def test_no_import_of_ours_hides_behind_a_function() -> None:
    assert {
        path: names for path in sources() if (names := hidden_imports(path.read_text(encoding="utf-8")))
    } == {}


def test_hidden_imports_are_seen() -> None:
    assert hidden_imports("importlib.import_module('mien.export.onnx_export')") == ["mien.export.onnx_export"]
    assert hidden_imports("import_module(f'train.{name}'); __import__('.utils')") == ["train.", ".utils"]
    assert hidden_imports("importlib.import_module('torch'); import_module(name)") == []


def texts_by_locale(code: str) -> list[int]:
    """Lines that read or write text in whatever encoding the process's locale says."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call) or any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        decodes = any(
            word.arg in ("text", "universal_newlines") and getattr(word.value, "value", None) is True
            for word in node.keywords
        )
        if decodes or len(node.args) < {"read_text": 1, "write_text": 2}.get(name, 0):
            found.append(node.lineno)
    return found


def test_text_has_an_encoding_of_its_own() -> None:
    # A library may change the process's locale: what was read as UTF-8 is then ASCII in the same process.
    paths = [*sources(), *sorted((ROOT / "tests").rglob("*.py")), ROOT / "scripts" / "check"]
    found = {path: lines for path in paths if (lines := texts_by_locale(path.read_text(encoding="utf-8")))}
    assert found == {}


def test_text_in_the_locales_encoding_is_seen() -> None:
    assert texts_by_locale("path.read_text()\npath.write_text('a')\nrun(words, text=True)") == [1, 2, 3]
    assert texts_by_locale("path.read_text(encoding='utf-8'); path.write_text('a', 'utf-8')") == []
    assert texts_by_locale("run(words, text=True, encoding='utf-8'); run(words)") == []


def test_every_folder_of_modules_is_packaged() -> None:
    folders = {path.parent.relative_to(ROOT) for path in sources() if path.name == "__init__.py"}
    packages = {".".join(folder.parts) for folder in folders - {Path("mien")}}
    assert setuptools_table()["packages"] == sorted({"mien", *(f"mien.{name}" for name in packages)})
    loose = {path for path in sources() if not (path.parent / "__init__.py").exists()}
    assert loose == set()


def test_every_file_beside_the_modules_is_packaged() -> None:
    table = setuptools_table()
    folders = {package: ROOT / folder for package, folder in table["package-dir"].items()}

    def folder(package: str) -> Path:
        if package in folders:
            return folders[package]
        above, _, name = package.rpartition(".")
        return folder(above) / name

    patterns = [
        (folder(package), pattern) for package, rows in table["package-data"].items() for pattern in rows
    ]
    left_out = [
        path.relative_to(ROOT)
        for room in ("mien", *ROOMS)
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
        if not any(
            path.is_relative_to(base) and fnmatch(path.relative_to(base).as_posix(), pattern)
            for base, pattern in patterns
        )
    ]
    assert left_out == []


def test_the_container_image_is_built_from_all_that_is_packaged() -> None:
    docker = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {name for line in docker if line.startswith("COPY ") for name in line.split()[1:-1]}
    admitted = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert copied == admitted
    assert copied >= {"pyproject.toml", *setuptools_table()["package-dir"].values()}
    assert [name for name in copied if not (ROOT / name).exists()] == []
