"""The words of the command line, checked one by one, with errors that say what would be right."""

from __future__ import annotations

import argparse


def rate(text: str) -> float:
    """Frames per second."""
    return _number(text, "frame rate", 0.01, 10_000)


def count(text: str) -> int:
    """A number of threads."""
    return _whole(text, "number of threads", 1, 256)


def pixels(text: str) -> int:
    """A picture size."""
    return _whole(text, "size in pixels", 64, 4096)


def amount(text: str) -> float:
    """A gain."""
    return _number(text, "gain", -8, 8)


def micro(text: str) -> float:
    """The amplification of small motion."""
    return _number(text, "micro gain", 1, 8)


def _number(text: str, what: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}; give a number from {low:g} to {high:g}")
    return value


def _whole(text: str, what: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}; give a whole number from {low} to {high}")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """``640x480`` as a pair."""
    width, _, height = text.lower().partition("x")
    try:
        return _whole(width, "", 16, 16384), _whole(height, "", 16, 16384)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 640x480") from error


def reference(text: str) -> str:
    """``first``, ``best`` or a frame number."""
    if text not in ("first", "best") and not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no frame; give first, best, or a number counted from 0"
        )
    return text


def gain(text: str) -> tuple[str, float]:
    """``region=1.5`` as a pair."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no gain; write it as brow_inner=1.5") from error


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one region, such as brows")
    return names
