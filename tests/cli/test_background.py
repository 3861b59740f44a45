"""``--background``: what it takes, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.cli.background import chosen_background
from mien.cli.checks import check
from mien.cli.main import main
from mien.cli.options.arguments import parse
from mien.engine.avatar.person.background import BackgroundKind
from mien.engine.types import Image, MienError


@pytest.mark.parametrize(
    ("text", "kind", "colour"),
    [
        ("keep", BackgroundKind.KEEP, (0, 0, 0)),
        ("Blur", BackgroundKind.BLUR, (0, 0, 0)),
        ("transparent", BackgroundKind.NONE, (0, 0, 0)),
        ("green", BackgroundKind.COLOUR, (0, 255, 0)),
        ("#20242b", BackgroundKind.COLOUR, (32, 36, 43)),
        ("white", BackgroundKind.COLOUR, (255, 255, 255)),
    ],
)
def test_words_and_colours(text: str, kind: BackgroundKind, colour: tuple[int, int, int]) -> None:
    found = chosen_background(text)
    assert (found.kind, found.colour) == (kind, colour)


def test_an_image_file(tmp_path: Path, close_up: Image) -> None:
    from PIL import Image as Pil

    Pil.fromarray(close_up).save(tmp_path / "room.png")
    found = chosen_background(str(tmp_path / "room.png"))
    assert found.kind is BackgroundKind.IMAGE
    np.testing.assert_array_equal(found.image, close_up)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--demo", "--background", "gren"], "neither a colour nor a file.*such as green"),
        (["--demo", "--background", " "], "empty"),
        (["--demo", "--background", __file__], "is not an image file"),
        (["--demo", "--background", "transparent"], "MP4 file, cannot be transparent.*out.webm"),
        (["--demo", "--background", "transparent", "--output", "a.mp4"], "a.mp4 cannot be transparent"),
        (["--webrtc", "--background", "transparent"], "WebRTC carries no transparency.*--background green"),
        (["--virtual-camera", "--background", "transparent"], "camera carries no transparency"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], says: str) -> None:
    with pytest.raises(MienError, match=says) as caught:
        check(parse(arguments))
    assert "\n" not in str(caught.value)


def test_a_portrait_without_an_outline_is_said_and_nothing_is_written(
    tmp_path: Path, close_up: Image, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mien.engine.avatar.avatar.matte_of", lambda *_: None)
    arguments = ["--demo", "--model", "warp", "--background", "green", "--output", str(tmp_path / "a.mp4")]
    assert main(arguments) == 2
    assert "No outline of a person was found in the portrait" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
