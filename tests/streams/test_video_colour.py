"""Colours of cameras and phones: matrices of every name, high dynamic range, pixels that are not square."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.media import gradient, make_video

from mien.streams.factory import open_source
from mien.streams.video import VideoFileSource
from mien.streams.video.colour import square_pixels
from mien.streams.video.ffmpeg import av

HLG, PQ, BT2020 = 18, 16, 9


def written(path: Path, planes: np.ndarray, pixel_format: str, **tags: int) -> Path:
    """A lossless file of three frames, tagged as told."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = planes.shape[-1], planes.shape[-2], pixel_format
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index in range(3):
            # PyAV wants deep planes side by side.
            array = planes if planes.dtype == np.uint8 else np.ascontiguousarray(np.moveaxis(planes, 0, -1))
            frame = av.VideoFrame.from_ndarray(array, format=pixel_format)
            for name, value in tags.items():
                setattr(frame, name, value)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def yuv(image: np.ndarray, kr: float, kb: float, bits: int = 8) -> np.ndarray:
    """``(3, H, W)`` limited-range planes of ``(H, W, 3)`` R'G'B' in 0..1."""
    r, g, b = np.moveaxis(image.astype(np.float64), -1, 0)
    luma = kr * r + (1 - kr - kb) * g + kb * b
    planes = [
        16 + 219 * luma,
        128 + 224 * (b - luma) / (2 - 2 * kb),
        128 + 224 * (r - luma) / (2 - 2 * kr),
    ]
    return np.round(np.stack(planes) * 2 ** (bits - 8)).astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("matrix", [10, 11, 12, 13, 14, 15])
def test_a_matrix_that_is_not_known_is_replaced_by_the_nearest(tmp_path: Path, matrix: int) -> None:
    image = gradient(0)
    wide = matrix in (10, 11, 14, 15)
    planes = yuv(image / 255, *((0.2627, 0.0593) if wide else (0.299, 0.114)))
    path = written(tmp_path / "m.mkv", planes, "yuv444p", colorspace=matrix, color_range=1)
    with VideoFileSource(path) as source:
        got = list(source)
    assert len(got) == 3
    assert np.abs(got[0].image.astype(int) - image).mean() < 1.5
    assert len(source.notes) == 1
    assert source.notes[0].endswith("is not known; the nearest one was used.")


def test_ycgco_is_exact(tmp_path: Path) -> None:
    image = gradient(3)
    r, g, b = np.moveaxis(image.astype(np.float64), -1, 0)
    planes = np.stack([r / 4 + g / 2 + b / 4, g / 2 - r / 4 - b / 4 + 128, r / 2 - b / 2 + 128])
    path = written(
        tmp_path / "m.mkv", planes.round().astype(np.uint8), "yuv444p", colorspace=8, color_range=2
    )
    with VideoFileSource(path) as source:
        got = next(iter(source)).image
    assert np.abs(got.astype(int) - image).mean() < 1.2


def linear(image: np.ndarray) -> np.ndarray:
    code = image / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def hlg(light: np.ndarray) -> np.ndarray:
    """Signal of display light, 1 for a white surface of 203 cd/m2, on a display of 1000 cd/m2."""
    display = light * 0.203
    luma = display @ [0.2627, 0.6780, 0.0593]
    scene = display * np.maximum(luma, 1e-9)[..., None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def pq(light: np.ndarray) -> np.ndarray:
    y = (light * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


@pytest.mark.parametrize(("transfer", "encode"), [(HLG, hlg), (PQ, pq)])
def test_high_dynamic_range_looks_like_ordinary_video(tmp_path: Path, transfer: int, encode) -> None:
    """Skin, grey and shadows as bright as in SDR; what is brighter than white keeps its shades."""
    image = (gradient(2) * 0.72).astype(np.uint8)
    to_2020 = np.linalg.inv(
        np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
    )
    light = np.clip(linear(image) @ to_2020.T, 0, None)
    light[:, -8:] = 4.5  # a lamp
    light[:, -16:-8] = 1.0  # a sheet of paper
    planes = yuv(encode(light), 0.2627, 0.0593, bits=16)
    path = written(
        tmp_path / "hdr.mkv",
        planes,
        "yuv444p16le",
        colorspace=BT2020,
        color_range=1,
        color_trc=transfer,
        color_primaries=BT2020,
    )
    with VideoFileSource(path) as source:
        got, *_ = (frame.image.astype(int) for frame in source)
    assert np.abs(got[:, :-16] - image[:, :-16]).mean() < 3
    paper, lamp = got[:, -13:-10].mean(), got[:, -5:-2].mean()
    assert 200 < paper < lamp <= 255
    assert "high dynamic range" in source.notes[0]


def test_ordinary_ten_bits_are_left_alone(tmp_path: Path) -> None:
    image = gradient(1)
    path = written(
        tmp_path / "sdr.mkv",
        yuv(image / 255, 0.2126, 0.0722, bits=16),
        "yuv444p16le",
        colorspace=1,
        color_range=1,
        color_trc=1,
        color_primaries=1,
    )
    with VideoFileSource(path) as source:
        assert np.abs(next(iter(source)).image.astype(int) - image).mean() < 1.2
    assert source.notes == []


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(16, 15), (68, 48)),
        (Fraction(32, 27), (76, 48)),
        (Fraction(8, 9), (64, 54)),
        (Fraction(1, 100), (64, 48)),
        (Fraction(1), (64, 48)),
    ],
)
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    """DV, DVD, anamorphic lenses; nothing is reduced, and damage is not believed."""
    path = tmp_path / "a.mp4"
    image = gradient(2)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux([*stream.encode(frame), *stream.encode(None)])
    with VideoFileSource(path) as source:
        got = next(iter(source)).image
        assert (source.info.width, source.info.height) == size
    assert got.shape == (size[1], size[0], 3)
    assert np.abs(got.reshape(-1, 3).mean(0) - image.reshape(-1, 3).mean(0)).max() < 2


def test_square_pixels_and_rotation(tmp_path: Path) -> None:
    assert square_pixels((720, 576), Fraction(64, 45)) == (1024, 576)
    assert square_pixels((720, 480), Fraction(8, 9)) == (720, 540)
    path = make_video(tmp_path / "r.mp4", [gradient(0)] * 2, rotation=90)
    with open_source(str(path)) as source:
        assert next(iter(source)).image.shape == (64, 48, 3)
