"""``scripts/check``: which tests belong to a change, and that it explains itself."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("check", str(ROOT / "scripts" / "check"))
    spec = importlib.util.spec_from_loader("check", loader)
    assert spec is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("tests/engine/test_lips.py", "tests/engine/test_lips.py"),
        ("engine/tracking/tracker.py", "tests/engine/test_tracker.py"),
        ("engine/compose/__main__.py", "tests/engine/test_compose.py"),
        ("docs/webrtc.md", "tests/test_docs.py"),
        ("deploy/compose.yaml", "tests/test_readme.py"),
        ("pyproject.toml", "tests/test_contracts.py"),
        ("streams/webrtc/static/gains.js", "tests/webrtc/test_page.py"),
    ],
)
def test_the_nearest_test_of_a_change_comes_first(check: ModuleType, path: str, first: str) -> None:
    assert check.tests_of([path])[0] == first


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("engine/face/lips.py", "from mien.engine.face.lips import gap"),
        ("engine/face/lips.py", "from mien.engine.face import layout, lips"),
        ("engine/face/lips.py", "from mien.engine.face import (\n    layout,\n    lips,\n)"),
        ("engine/face/lips.py", "import mien.engine.face.lips"),
        ("engine/face/lips.py", "monkeypatch.setattr('mien.engine.face.lips.gap', wide)"),
        ("mien/animator.py", "from mien.animator import Animator"),
        ("tests/fakes/camera.py", "from fakes.camera import Steady"),
        ("tests/known_motion.py", "from known_motion import moved"),
    ],
)
def test_a_test_that_imports_what_changed_belongs_to_it(
    check: ModuleType, tmp_path: Path, path: str, line: str
) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(f"import numpy\n{line}\n", encoding="utf-8")
    (folder / "test_other.py").write_text(
        "from mien.engine.face import layout\n# lips\nimport fakes\n", encoding="utf-8"
    )
    assert check.tests_of([path], tmp_path) == ["tests/test_it.py"]


def test_what_no_test_knows_runs_none(check: ModuleType) -> None:
    assert check.tests_of(["LICENSE", "deploy", "engine/no_such_module.py", "elsewhere/engine.py"]) == []


def test_every_test_that_the_table_names_is_there(check: ModuleType) -> None:
    assert [name for names in check.ELSEWHERE.values() for name in names if not (ROOT / name).exists()] == []


def test_it_explains_itself_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert all(re.search(word, done.stdout) for word in ("--all", "--no-tests", "--fix", "--against"))
