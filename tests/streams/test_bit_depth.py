"""Ten and twelve bits in files of sixteen: as bright as they were meant, over a whole folder or clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.media import gradient
from PIL import Image as Pil

from mien.engine.utils.bit_depth import depth_of
from mien.streams.factory import open_source
from mien.streams.images import load_image
from mien.streams.video.ffmpeg import av

GREY = gradient(1)[..., 1]


def deep(bits: int, image: np.ndarray = GREY) -> np.ndarray:
    values = np.round(image / 255.0 * ((1 << bits) - 1)).astype(np.uint16)
    values[0, 0] = (1 << bits) - 1
    return values


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("colour", [False, True])
def test_an_image_is_as_bright_as_it_was_meant(tmp_path: Path, bits: int, ending: str, colour: bool) -> None:
    image = gradient(1) if colour else np.repeat(GREY[..., None], 3, 2)
    values = deep(bits, image if colour else GREY)
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), values[..., ::-1] if colour else values)
    got = load_image(path)
    assert np.abs(got[1:].astype(int) - image[1:]).max() <= 1
    assert np.abs(load_image(path, white=65535.0)[1:].astype(int) - (image[1:] >> (16 - bits))).max() <= 1


def test_a_folder_has_one_depth(tmp_path: Path) -> None:
    """A dark frame is dark, and not a frame of fewer bits."""
    for index, level in enumerate((0.1, 1.0, 0.5)):
        Pil.fromarray((deep(12) * level).astype(np.uint16)).save(tmp_path / f"{index}.png")
    with open_source(str(tmp_path)) as source:
        got = [frame.image.astype(int) for frame in source]
    assert np.abs(got[1][1:, :, 0] - GREY[1:]).max() <= 1
    assert np.abs(got[0][1:, :, 0] - GREY[1:] * 0.1).max() <= 1
    assert source.notes == [
        f"The 16-bit files in {tmp_path.name} hold 12-bit values and were read so; --bits overrules it."
    ]


def test_bits_overrule(tmp_path: Path) -> None:
    Pil.fromarray(deep(10)).save(tmp_path / "0.png")
    with open_source(str(tmp_path), bits=12) as source:
        (frame,) = source
    assert np.abs(frame.image[1:, :, 0].astype(int) - GREY[1:] / 4).max() <= 1
    assert source.notes == []


def test_eight_bits_and_full_sixteen_say_nothing(tmp_path: Path) -> None:
    for name, values in (("eight", GREY), ("sixteen", deep(16))):
        (tmp_path / name).mkdir()
        Pil.fromarray(values).save(tmp_path / name / "0.png")
        with open_source(str(tmp_path / name)) as source:
            (frame,) = source
        assert np.abs(frame.image[1:, :, 0].astype(int) - GREY[1:]).max() <= 1
        assert source.notes == []


def test_shares_of_white_in_floats(tmp_path: Path) -> None:
    for index, level in enumerate((0.25, 1.0)):
        Pil.fromarray((GREY / 255 * level).astype(np.float32)).save(tmp_path / f"{index}.tif")
    with open_source(str(tmp_path)) as source:
        got = [frame.image.astype(int) for frame in source]
    assert np.abs(got[1][..., 0] - GREY).max() <= 1
    assert np.abs(got[0][..., 0] - GREY * 0.25).max() <= 1


@pytest.mark.parametrize("bits", [10, 12])
def test_a_clip_of_sixteen_bit_frames(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "high-speed.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=200)
        stream.width, stream.height, stream.pix_fmt = GREY.shape[1], GREY.shape[0], "gray16le"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(deep(bits), format="gray16le")
            frame.pts, frame.time_base = index, Fraction(1, 200)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with open_source(str(path)) as source:
        got = list(source)
    assert len(got) == 5
    assert np.abs(got[4].image[1:, :, 0].astype(int) - GREY[1:]).max() <= 1
    assert f"hold {bits}-bit values" in source.notes[0]
    with open_source(str(path), bits=16) as source:
        assert next(iter(source)).image.max() <= 256 >> (16 - bits)


def test_depths() -> None:
    assert [depth_of(v) for v in (0, 255, 256, 1023, 1024, 4095, 4096, 16383, 65535)] == [
        *(8, 8, 10, 10, 12, 12, 14, 14, 16)
    ]


def test_damaged_exif_says_nothing_and_costs_nothing(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "exif.jpg"
    exif = Pil.Exif()
    exif[274] = 6
    Pil.fromarray(gradient(0)).save(path, exif=exif)
    data = path.read_bytes()
    start = data.index(b"Exif") + 6
    rng = np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(3):
            broken[start + int(rng.integers(0, 26))] = int(rng.integers(0, 256))
        path.write_bytes(bytes(broken))
        assert load_image(path).shape[2] == 3
    assert list(recwarn) == []
