"""Errors of the system are reported in one line; bugs of our own are not hidden."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mien.engine.types import MienError
from mien.engine.utils.exit_status import status_of

LONG = 300 * "x"


def fails_with(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (LONG, "too long"),
        (f"{__file__}/b", "Not a directory"),
        (".", "Is a directory"),
        ("nowhere/b", "No such file"),
        ("a\0b", "NUL"),
    ],
)
def test_an_impossible_path_is_reported_in_one_line(
    path: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(lambda: Path(path).write_text("x", encoding="utf-8"), "program") == 2
    said = capsys.readouterr().err
    assert line in said and said.startswith("program: ") and said.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_full_disk_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(lambda: Path("/dev/full").write_bytes(b"x")) == 2
    assert capsys.readouterr().err == "mien: The disk is full. Free some space or write elsewhere.\n"
    assert status_of(lambda: fails_with(OSError(errno.ENOSPC, "No space left on device", "out.mp4"))) == 2
    assert "full: out.mp4 was not written." in capsys.readouterr().err


def test_a_broken_disk_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(lambda: fails_with(OSError(errno.EIO, "Input/output error"))) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [ConnectionResetError(104, "reset"), ValueError("bad shape"), OSError("no number"), KeyError("x")],
)
def test_other_errors_are_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)):
        status_of(lambda: fails_with(error))


def test_a_name_with_line_breaks_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(lambda: fails_with(MienError("a\nb.png is empty. Copy it again."))) == 2
    assert capsys.readouterr().err == "mien: a\\nb.png is empty. Copy it again.\n"


def test_an_undecodable_name_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(lambda: print("made \udcff.mp4")) == 0
    assert capsys.readouterr().out == "made \\udcff.mp4\n"


def test_an_error_of_ours_keeps_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(lambda: fails_with(MienError("No face. Give another photo."))) == 2
    assert capsys.readouterr().err == "mien: No face. Give another photo.\n"
