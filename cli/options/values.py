"""Option values: parsers whose errors say what would be right."""

from __future__ import annotations

import argparse

from mien.engine.utils.command_line import image_size, listed, number, whole_number


def rate(text: str) -> float:
    """Frames per second."""
    return number(text, "frame rate", 0.01, 10_000)


def count(text: str) -> int:
    """A number of threads."""
    return whole_number(text, "number of threads", 1, 256)


def pixels(text: str) -> int:
    """An image size."""
    return whole_number(text, "size in pixels", 64, 4096)


def bits(text: str) -> int:
    """A depth in bits."""
    return whole_number(text, "depth in bits", 8, 16)


def amount(text: str) -> float:
    """A gain."""
    return number(text, "gain", -8, 8)


def micro(text: str) -> float:
    """The amplification of small motion."""
    return number(text, "micro gain", 1, 8)


def size(text: str) -> tuple[int, int]:
    """``640x480`` as a pair."""
    return image_size(text, 16, 16384)


def reference(text: str) -> str:
    """``auto``, ``first``, ``best`` or a frame number."""
    if text not in ("auto", "first", "best") and not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid frame; give auto, first, best, or a number counted from 0"
        )
    return text


def background(text: str) -> str:
    """What is shown behind the person, as :func:`mien.cli.background.chosen_background` takes it."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give keep, blur, a colour or an image file")
    return text


def gain(text: str) -> tuple[str, float]:
    """``region=1.5`` as a pair."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid gain; write it as brow_inner=1.5"
        ) from error


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return listed(text, "region, such as brows")
