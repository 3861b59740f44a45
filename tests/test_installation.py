"""An installation that cannot work, or that holds an older Mien, is named with the command that mends it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from mien import installation

ROOT = Path(__file__).resolve().parents[1]
FORMER = ("cli", "engine", "export", "streams", "train", "run_live")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of a new, empty environment."""
    folder = tmp_path / "env"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    return folder / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name


def site_of(python: Path) -> Path:
    paths = sysconfig.get_paths(vars={"base": str(python.parents[1]), "platbase": str(python.parents[1])})
    return Path(paths["purelib"])


def install_former(site: Path, *, known: bool = True, editable: bool = False) -> None:
    """What version 0.1 left in ``site``: its packages (or a mapping to a checkout), and pip's record."""
    site.mkdir(parents=True, exist_ok=True)
    if known:
        record = site / "mien-0.1.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: mien\nVersion: 0.1.0\n", encoding="utf-8"
        )
        (record / "top_level.txt").write_text("\n".join(sorted(FORMER)), encoding="utf-8")
    if editable:
        return
    for name in FORMER[:-1]:
        (site / name).mkdir()
        (site / name / "__init__.py").write_text("", encoding="utf-8")
    (site / "run_live.py").write_text("", encoding="utf-8")
    (site / "engine" / "assets").mkdir()
    (site / "engine" / "assets" / "face_landmarker.task").write_text("", encoding="utf-8")


def refused(python: Path, *words: str, cwd: Path = ROOT) -> str:
    """The one line with which a program ends."""
    found = subprocess.run(
        [python, *words], capture_output=True, text=True, cwd=cwd, check=False, encoding="utf-8"
    )
    assert found.returncode == 2, found.stderr
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "words",
    [
        ("run_live.py",),
        ("run_live.py", "--demo"),
        ("-m", "mien"),
        ("-m", "engine.benchmark"),
        ("-m", "engine.compose"),
        ("-m", "engine.generate"),
        ("-m", "train.metrics"),
        ("-m", "train"),
        ("-m", "export"),
    ],
)
def test_a_checkout_that_is_not_installed_gives_the_command(python: Path, words: tuple[str, ...]) -> None:
    line = refused(python, *words)
    assert line == f"mien: Mien is not installed for this Python. Run: {python} -m pip install -e {ROOT}"


def test_importing_from_a_checkout_that_is_not_installed_gives_the_command(python: Path) -> None:
    code = "import mien\ntry: mien.open_source\nexcept ImportError as error: print(error)"
    found = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True, encoding="utf-8"
    )
    assert f"Run: {python} -m pip install -e {ROOT}" in found.stdout


@pytest.mark.parametrize("editable", [False, True])
def test_former_packages_in_place_of_the_new_one_are_named(python: Path, editable: bool) -> None:
    site = site_of(python)
    install_former(site, editable=editable)
    line = refused(python, "run_live.py", "--demo")
    assert "older version of Mien" in line
    assert all(name in line for name in FORMER)
    assert str(site) in line
    assert line.endswith(f"Replace it: {python} -m pip install -e {ROOT}")


def test_the_former_command_of_an_editable_install_is_told_the_same(python: Path, tmp_path: Path) -> None:
    install_former(site_of(python), editable=True)
    # Such an install maps the module run_live to the checkout, and no module mien.
    code = (
        "import sys, importlib.util as u\n"
        f"s = u.spec_from_file_location('run_live', {str(ROOT / 'run_live.py')!r})\n"
        "m = u.module_from_spec(s); s.loader.exec_module(m); sys.exit(m.main(['--demo']))"
    )
    assert "Replace it: " in refused(python, "-c", code, cwd=tmp_path)


def test_former_packages_beside_the_new_one_are_a_warning(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install_former(site)
    done = subprocess.run(
        [sys.executable, "-m", "mien", "--version"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0
    assert done.stdout.startswith("mien ")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "mien: This Python still has an older version of Mien, with the top-level packages"
    )
    assert f"{sys.executable} -m pip uninstall --yes mien" in line


def test_former_packages_that_pip_has_forgotten_are_to_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_former(tmp_path, known=False)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    line = installation.warning()
    assert line is not None
    assert f"Delete {tmp_path / 'cli'}, " in line
    assert str(tmp_path / "run_live.py") in line


def test_a_users_own_module_named_engine_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert installation.warning() is None
    assert installation.problem() is None
