"""Command lines: a parser whose errors are one line, and words with limits.

The functions that read a word raise :class:`argparse.ArgumentTypeError` with what would be right; the parser
names the option before it.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from mien.engine.types import UsageError


class Parser(argparse.ArgumentParser):
    """An argument parser that raises :class:`UsageError`, in one line, instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise the error.

        Raises:
            UsageError: always.
        """
        message = message.removeprefix("argument ")
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")


def number(text: str, what: str, low: float, high: float) -> float:
    """A number from ``low`` to ``high``; ``what`` is what it stands for."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:  # also catches NaN
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid {what}; give a number from {low:g} to {high:g}"
        )
    return value


def whole_number(text: str, what: str, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, in plain digits; ``what`` is what it stands for."""
    # isdigit alone is true of digits in other scripts and of superscripts, which int() may refuse.
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid {what}; give a whole number from {low} to {high}"
        )
    return int(text)


def image_size(text: str, low: int, high: int) -> tuple[int, int]:
    """Width and height, ``640x480``, each from ``low`` to ``high``."""
    width, _, height = text.lower().partition("x")
    try:
        return whole_number(width, "width", low, high), whole_number(height, "height", low, high)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid size; write it as 640x480, each from {low} to {high}"
        ) from error


def listed(text: str, example: str) -> tuple[str, ...]:
    """Names with commas between them, at least one; ``example`` says what of."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"name at least one {example}")
    return names
