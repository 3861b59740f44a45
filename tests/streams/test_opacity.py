"""Files that can be transparent keep what is clear; the others say which can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.engine.types import Image, UsageError
from mien.engine.utils.image_files import load_image
from mien.engine.utils.images import fit_into, over_checks
from mien.streams.factory import open_sink
from mien.streams.video.encodings import QUALITY, encoding_for
from mien.streams.video.ffmpeg import av


@pytest.fixture(scope="module")
def rgba() -> Image:
    """Half clear, half opaque, with a soft edge; smooth colours."""
    across = np.linspace(0, 255, 96).astype(np.uint8)
    image = np.zeros((64, 96, 4), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = across, 120, across[::-1]
    image[..., 3] = np.clip(np.linspace(-500, 700, 96), 0, 255)
    return image


def frames(path: Path, decoder: str | None) -> list[Any]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if decoder is None:
            return [frame.to_ndarray(format="rgba") for frame in container.decode(stream)]
        context = av.CodecContext.create(decoder, "r")
        found = [frame for packet in container.demux(stream) for frame in context.decode(packet)]
        return [frame.to_ndarray(format="rgba") for frame in found]


@pytest.mark.parametrize(
    ("name", "decoder", "lossless", "allowed"),
    [("a.webm", "libvpx-vp9", False, 4), ("a.mov", None, False, 2), ("a.mkv", None, True, 0)],
)
def test_opacity_is_kept(
    tmp_path: Path, rgba: Image, name: str, decoder: str | None, lossless: bool, allowed: float
) -> None:
    path = tmp_path / name
    with open_sink(path, width=96, height=64, fps=25, lossless=lossless, opacity=True) as sink:
        for index in range(3):
            sink.write(rgba, index / 25)
    found = frames(path, decoder)
    assert len(found) == 3
    opacity, solid = np.abs(found[1][..., 3].astype(int) - rgba[..., 3]), rgba[..., 3] == 255
    assert opacity.mean() <= allowed
    assert np.abs(found[1][..., :3].astype(int) - rgba[..., :3])[solid].mean() <= allowed


def test_a_folder_of_png_keeps_every_value(tmp_path: Path, rgba: Image) -> None:
    with open_sink(tmp_path / "frames", width=96, height=64, fps=25, opacity=True) as sink:
        sink.write(rgba, 0.0)
    from PIL import Image as Pil

    with Pil.open(tmp_path / "frames" / "000000.png") as found:
        np.testing.assert_array_equal(np.asarray(found), rgba)


@pytest.mark.parametrize(
    ("name", "lossless"),
    [("a.mp4", False), ("a.gif", False), ("a.avi", False), ("a.webm", True), ("a.mkv", False)],
)
def test_a_format_without_opacity_names_those_with_it(name: str, lossless: bool) -> None:
    with pytest.raises(UsageError, match=r"cannot be transparent.*folder name.*--background green"):
        encoding_for(Path(name), lossless=lossless, quality=QUALITY, opacity=True)


def test_a_portraits_own_opacity_is_read(tmp_path: Path, rgba: Image) -> None:
    from PIL import Image as Pil

    Pil.fromarray(rgba).save(tmp_path / "a.png")
    Pil.fromarray(rgba[..., :3]).convert("RGBA").save(tmp_path / "solid.png")
    found = load_image(tmp_path / "a.png", opacity=True)
    np.testing.assert_array_equal(found[..., 3], rgba[..., 3])
    assert (found[rgba[..., 3] == 0][:, :3] == 255).all(), "over white"
    assert load_image(tmp_path / "a.png").shape[2] == 3
    assert load_image(tmp_path / "solid.png", opacity=True).shape[2] == 3, "nothing in it is clear"


def test_what_is_clear_stays_clear_in_a_recording_and_is_checked_in_a_window(rgba: Image) -> None:
    fitted = fit_into(rgba, (96, 96))
    assert fitted.shape == (96, 96, 4) and fitted[0].max() == 0
    shown = over_checks(rgba)
    assert set(np.unique(shown[:, 0, 0])) == {110, 150}
    np.testing.assert_array_equal(shown[:, -1], rgba[:, -1, :3])
