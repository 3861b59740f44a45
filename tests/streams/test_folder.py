"""Folders of pictures, in and out."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.media import gradient
from PIL import Image as Pil

from mien.engine.types import MienError
from mien.streams.factory import names_folder, open_sink, open_source
from mien.streams.folder import FrameFolderSink, FrameFolderSource


def save(folder: Path, name: str, value: int, size: tuple[int, int] = (8, 6)) -> None:
    Pil.new("RGB", size, (value, value, value)).save(folder / name)


def test_natural_order_and_times(tmp_path: Path) -> None:
    for name, value in (("img10.png", 30), ("img2.png", 20), ("img1.png", 10)):
        save(tmp_path, name, value)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    with open_source(str(tmp_path), fps=10) as source:
        got = list(source)
        info = source.info
    assert [f.image[0, 0, 0] for f in got] == [10, 20, 30]
    assert [(f.index, f.time) for f in got] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert (info.width, info.height, info.fps, info.frames, info.live) == (8, 6, 10, 3, False)


def test_the_rate_is_25_unless_told(tmp_path: Path) -> None:
    save(tmp_path, "a.png", 1)
    assert open_source(str(tmp_path)).info.fps == 25
    with pytest.raises(MienError, match="make no sequence"):
        FrameFolderSource(tmp_path, fps=0)


def test_grey_of_8_and_16_bits(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.full((6, 8), 77, np.uint8))
    cv2.imwrite(str(tmp_path / "1.png"), np.full((6, 8), 77 * 257, np.uint16))
    assert [f.image[0, 0].tolist() for f in FrameFolderSource(tmp_path)] == [[77] * 3] * 2


def test_mixed_sizes_name_both_files(tmp_path: Path) -> None:
    save(tmp_path, "a.png", 1)
    save(tmp_path, "b.png", 1)
    save(tmp_path, "c.png", 1, (9, 6))
    with pytest.raises(MienError, match=r"a\.png is 8 x 6 pixels but c\.png is 9 x 6\."):
        list(FrameFolderSource(tmp_path))


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="holds no images"):
        open_source(str(tmp_path))


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    save(tmp_path, "a.png", 1)
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with pytest.raises(MienError, match=r"b\.png"):
        list(FrameFolderSource(tmp_path))


@pytest.mark.parametrize("name", ["out", "out/"])
def test_pictures_come_back_bit_exact(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), np.uint8)
    with open_sink(f"{tmp_path}/{name}", width=8, height=6, fps=25) as sink:
        for index, image in enumerate(noise):
            sink.write(image, index / 25)
        assert not (tmp_path / "out").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{i:06d}.png" for i in range(12)]
    assert (np.array([f.image for f in FrameFolderSource(tmp_path / "out")]) == noise).all()


def test_which_paths_mean_a_folder(tmp_path: Path) -> None:
    (tmp_path / "dotted.d").mkdir()
    assert names_folder("out") and names_folder("out.mp4/") and names_folder(tmp_path / "dotted.d")
    assert not names_folder("out.mp4")


def test_abort_and_errors_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FrameFolderSink(tmp_path / "out")
    sink.write(gradient(), 0)
    sink.abort()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MienError, match="No image was written"):
        FrameFolderSink(tmp_path / "out").close()
    assert list(tmp_path.iterdir()) == []

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sink = FrameFolderSink(tmp_path / "out")
    monkeypatch.setattr(Pil.Image, "save", full)
    with pytest.raises(MienError, match="The disk is full"):
        sink.write(gradient(), 0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/000000.png").write_bytes(b"precious")
    with pytest.raises(MienError, match="is not empty"):
        FrameFolderSink(tmp_path / "out")
    assert (tmp_path / "out/000000.png").read_bytes() == b"precious"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MienError, match="is a file"):
        FrameFolderSink(tmp_path / "file")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with FrameFolderSink(tmp_path / "out") as sink:
        sink.write(gradient(), 0)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["000000.png"]
