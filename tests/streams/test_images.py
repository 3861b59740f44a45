"""Portraits: upright, sRGB, 8 bits, or one clear line."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.media import gradient
from PIL import Image as Pil
from PIL import ImageCms

from mien.engine.types import MienError
from mien.streams.images import fit_within, list_portraits, load_image

# What a viewer does for each EXIF orientation, as numpy turns.
ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, -1)[:, ::-1],
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    stored = gradient(0, 40, 24)
    exif = Pil.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Pil.fromarray(stored).save(path, exif=exif)
    got = load_image(path)
    wanted = ORIENTATIONS[orientation](stored)
    if orientation == 7:  # transverse: mirrored along the other diagonal
        wanted = stored[::-1, ::-1].transpose(1, 0, 2)
    assert got.shape == wanted.shape
    assert (got == wanted).all()
    assert got.flags.c_contiguous and got.flags.writeable


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Pil.fromarray(gradient()).save(path, quality=95)
    got = load_image(path)
    assert got.shape == (48, 64, 3) and got.dtype == np.uint8
    assert np.abs(got.astype(int) - gradient()).mean() < 2


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0] = (10, 20, 30, 255), (10, 20, 30, 0)
    rgba[1] = (0, 0, 0, 128), (255, 0, 0, 128)
    Pil.fromarray(rgba).save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png").tolist() == [
        [[10, 20, 30], [255, 255, 255]],
        [[127, 127, 127], [255, 127, 127]],
    ]


def test_grey_with_transparency_and_transparent_palettes(tmp_path: Path) -> None:
    Pil.fromarray(np.array([[[50, 255], [50, 0]]], np.uint8), "LA").save(tmp_path / "la.png")
    assert load_image(tmp_path / "la.png").tolist() == [[[50] * 3, [255] * 3]]
    palette = Pil.new("P", (2, 1))
    palette.putpalette([9, 8, 7, 100, 110, 120])
    palette.putdata([0, 1])
    palette.save(tmp_path / "p.png", transparency=1)
    assert load_image(tmp_path / "p.png").tolist() == [[[9, 8, 7], [255] * 3]]


def test_one_bit_grey_and_palette(tmp_path: Path) -> None:
    Pil.fromarray(np.array([[True, False]])).save(tmp_path / "1.png")
    assert load_image(tmp_path / "1.png").tolist() == [[[255] * 3, [0] * 3]]
    Pil.fromarray(np.array([[7, 200]], np.uint8)).save(tmp_path / "l.png")
    assert load_image(tmp_path / "l.png").tolist() == [[[7] * 3, [200] * 3]]
    Pil.fromarray(gradient()).quantize(64).save(tmp_path / "p.png")
    assert np.abs(load_image(tmp_path / "p.png").astype(int) - gradient()).mean() < 12


def test_cmyk(tmp_path: Path) -> None:
    red = Pil.new("RGB", (16, 16), (255, 0, 0))
    red.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(load_image(tmp_path / "a.jpg").astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_scaled(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(4, 0)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), ramp)
    got = load_image(tmp_path / f"a.{suffix}")
    assert np.abs(got[..., 0] - ramp / 257).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_colour_is_scaled(tmp_path: Path, suffix: str) -> None:
    image = gradient()
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), image[..., ::-1].astype(np.uint16) * 257)
    assert np.abs(load_image(tmp_path / f"a.{suffix}").astype(int) - image).max() <= 1


def test_a_colour_profile_is_converted(tmp_path: Path) -> None:
    image = Pil.new("RGB", (8, 8), (120, 60, 200))
    srgb = ImageCms.createProfile("sRGB")
    image.save(tmp_path / "same.png", icc_profile=ImageCms.ImageCmsProfile(srgb).tobytes())
    assert np.abs(load_image(tmp_path / "same.png").astype(int) - (120, 60, 200)).max() <= 1
    image.save(
        tmp_path / "swapped.png", icc_profile=swapped_primaries(ImageCms.ImageCmsProfile(srgb).tobytes())
    )
    red, _, blue = load_image(tmp_path / "swapped.png")[0, 0]
    assert red > 190 and blue < 130
    image.save(tmp_path / "broken.png", icc_profile=b"this is no profile")
    assert load_image(tmp_path / "broken.png")[0, 0].tolist() == [120, 60, 200]


def swapped_primaries(profile: bytes) -> bytes:
    """The sRGB profile with its red and blue colorants exchanged: its effect cannot be overlooked."""
    count = struct.unpack(">I", profile[128:132])[0]
    tags = {profile[132 + 12 * i : 136 + 12 * i]: 132 + 12 * i for i in range(count)}
    data = bytearray(profile)
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data)


def test_an_animation_gives_its_first_picture(tmp_path: Path) -> None:
    pages = [Pil.new("RGB", (8, 8), (v, v, v)) for v in (10, 200)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    assert load_image(tmp_path / "a.gif")[0, 0].tolist() == [10, 10, 10]


def line_of(path: Path) -> str:
    with pytest.raises(MienError) as caught:
        load_image(path)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


def huge_png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    # All rows zero: the file is small, its picture is not.
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(64)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [30_000, 11_000, 60_000])
def test_a_decompression_bomb_is_refused_undecoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(side))
    start = time.perf_counter()
    text = line_of(path)
    assert time.perf_counter() - start < 1
    assert "100 megapixels" in text


def png_bytes() -> bytes:
    buffer = io.BytesIO()
    Pil.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jpg", b"", "is empty (0 bytes)"),
        ("a.jpg", b"Dear diary, today I took no picture.", "is not an image file"),
        ("a.png", png_bytes()[:5000], "is damaged or cut off"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC photo"),
        ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC photo"),
    ],
)
def test_what_is_no_portrait_is_refused(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in line_of(tmp_path / name)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "gif", "bmp", "tif"])
def test_cut_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Pil.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert path.name in line_of(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in line_of(tmp_path / "none.png")
    assert "is a folder" in line_of(tmp_path)


def test_portraits_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("img10.png", "img2.png", "Img1.jpg", "b.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_portraits(tmp_path)] == ["b.webp", "Img1.jpg", "img2.png", "img10.png"]


def test_folders_without_portraits(tmp_path: Path) -> None:
    for folder, expected in ((tmp_path, "holds no images"), (tmp_path / "none", "is not a folder")):
        with pytest.raises(MienError, match=expected):
            list_portraits(folder)


def test_fit_within_averages_areas() -> None:
    board = np.indices((64, 128)).sum(0) % 2 * 255
    image = board[..., None].repeat(3, -1).astype(np.uint8)
    small = fit_within(image, 32)
    assert small.shape == (16, 32, 3)
    assert np.abs(small.astype(int) - 127).max() <= 1


def test_fit_within_never_enlarges_and_never_vanishes() -> None:
    image = gradient()
    assert fit_within(image, 64) is image
    assert fit_within(image, 1000) is image
    assert fit_within(np.zeros((1, 1000, 3), np.uint8), 10).shape == (1, 10, 3)
