"""Users' files are written atomically, and each failure to read one is reported in one clear line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mien.engine.types import SinkError, SourceError
from mien.engine.utils.files import read_user_file, replacing, write_atomic


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    place = tmp_path / "out.bin"
    write_atomic(place, b"old")
    with replacing(place) as part:
        part.write_bytes(b"new")
        assert place.read_bytes() == b"old", "the older one stays until the end"
    assert place.read_bytes() == b"new"
    write_atomic(place, "täglich\n")
    assert place.read_bytes() == "täglich\n".encode()
    write_atomic(place, lambda file: file.write(b"by a function"))
    assert place.read_bytes() == b"by a function"
    assert list(tmp_path.iterdir()) == [place]


def test_a_failure_half_way_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "out.bin"
    place.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(place) as part:
        part.write_bytes(b"half")
        raise ZeroDivisionError
    with pytest.raises(FileNotFoundError), replacing(place):
        pass  # nothing was written
    assert place.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [place]


def test_leftovers_of_a_dead_process_with_the_same_id_do_no_harm(tmp_path: Path) -> None:
    place = tmp_path / "out.bin"
    left = tmp_path / f".out.bin.part-{os.getpid()}"
    left.write_bytes(b"of old")
    with replacing(place) as part:
        assert part == left and not part.exists()
        part.write_bytes(b"new")
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.skipif(os.name == "nt", reason="links need a permission there")
def test_a_link_still_points_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    real, link, circle = tmp_path / "deep" / "real.bin", tmp_path / "link.bin", tmp_path / "circle"
    link.symlink_to(real)
    circle.symlink_to(circle)
    for content in (b"first", b"second"):
        write_atomic(link, content)
        assert link.is_symlink() and real.read_bytes() == content
    write_atomic(circle, b"a link to nothing is replaced")
    assert circle.read_bytes() == b"a link to nothing is replaced"


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no such device")
def test_a_device_is_written_to_and_not_replaced() -> None:
    write_atomic(Path("/dev/null"), b"gone")
    assert not Path("/dev/null").is_file()


def test_an_unusable_path_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot be written \(No such file or directory\)\. Choose another"):
        write_atomic(tmp_path / "none" / "out.txt", "x")
    with pytest.raises(SinkError, match=r"cannot be written"):
        write_atomic(tmp_path, "x")
    with pytest.raises(SinkError, match=r"cannot be written"):
        write_atomic(tmp_path / ("long" * 100), "x")

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SinkError, match=r"^The disk is full: .*out\.txt was not written\. Free some space"):
        write_atomic(tmp_path / "out.txt", full)
    assert list(tmp_path.iterdir()) == []


def test_reading_reports_the_problem_with_the_path(tmp_path: Path) -> None:
    wanted = "Give a CSV file."
    with pytest.raises(SourceError, match=r"is a folder\. Give a CSV file\."):
        read_user_file(tmp_path, wanted)
    with pytest.raises(SourceError, match=r"does not exist\. Check the spelling; relative paths start at"):
        read_user_file(tmp_path / "none.csv", wanted)
    with pytest.raises(SourceError, match=r"does not exist\. Give a CSV file\."):
        read_user_file(tmp_path / "none.csv", wanted, missing=wanted)
    (tmp_path / "there.csv").write_bytes(b"a,b\n")
    assert read_user_file(tmp_path / "there.csv", wanted) == b"a,b\n"
    with pytest.raises(SourceError, match=r"cannot be read \(Not a directory\)"):
        read_user_file(tmp_path / "there.csv" / "within", wanted)
