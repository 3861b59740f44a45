"""The background that ``--background`` names."""

from __future__ import annotations

from pathlib import Path

from mien.engine.avatar.person.background import KEEP, Background, BackgroundKind
from mien.engine.types import UsageError
from mien.streams.images import load_image

CHROMA = {"green": (0, 255, 0), "blue": (0, 0, 255)}
"""What is meant by these names where a keyer takes them away; in CSS green is a dark one."""

PLAIN = {kind.value: kind for kind in (BackgroundKind.BLUR, BackgroundKind.NONE)}


def chosen_background(text: str) -> Background:
    """From ``keep``, ``blur``, ``transparent``, a colour (``green``, ``#20242b``) or an image file.

    Raises:
        MienError: neither, or a file that is no image.
    """
    name = text.strip()
    if name.lower() == KEEP.kind.value:
        return KEEP
    if name.lower() in PLAIN:
        return Background(PLAIN[name.lower()])
    colour = colour_of(name)
    if colour is not None:
        return Background(BackgroundKind.COLOUR, colour)
    if not Path(name).exists():
        raise UsageError(
            f"--background {name} is neither a colour nor a file. Give keep, blur, transparent, a colour "
            "such as green or #20242b, or an image file."
        )
    return Background(BackgroundKind.IMAGE, image=load_image(name))


def is_file_name(text: str) -> bool:
    """Whether the text can only be the name of an image file: neither a word that is known nor a colour."""
    name = text.strip().lower()
    return name != KEEP.kind.value and name not in PLAIN and colour_of(name) is None


def colour_of(name: str) -> tuple[int, int, int] | None:
    """Red, green and blue in 0..255 of a CSS colour; None where the text is none."""
    from PIL import ImageColor

    if name.lower() in CHROMA:
        return CHROMA[name.lower()]
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        return None
    return red, green, blue
