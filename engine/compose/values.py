"""The words of ``mien compose``: names, numbers with limits, strengths with units."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from mien.engine.face.regions import region_indices
from mien.engine.utils.command_line import number


@dataclass(frozen=True, slots=True)
class Strength:
    """A displacement's length: ``value`` in face units, or in pixels of the avatar."""

    value: float
    pixels: bool


def names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    region_indices(names)
    return names


def npz(text: str) -> Path:
    if not text.lower().endswith(".npz"):
        raise argparse.ArgumentTypeError(f"{text} must end in .npz")
    return Path(text)


def gain(text: str) -> float:
    return number(text, "gain", -8, 8)


def time(text: str) -> float:
    return number(text, "time in seconds", 0, 3600)


def positive(text: str) -> float:
    return number(text, "value", 0.01, 10_000)


def _pair(text: str, example: str) -> tuple[float, float]:
    first, comma, second = text.partition(",")
    try:
        if comma:
            return float(first), float(second)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text} must be two numbers with a comma between, as {example}")


def vector(text: str) -> tuple[float, float]:
    return _pair(text, "0.01,-0.02")


def passage(text: str) -> tuple[float, float]:
    return _pair(text, "1.0,2.5")


def strength(text: str) -> Strength:
    words = text.strip().lower()
    for unit, pixels, scale in (("%", False, 0.01), ("px", True, 1.0)):
        if words.endswith(unit):
            value = number(words.removesuffix(unit), "strength", 0.001, 1000)
            return Strength(value * scale, pixels)
    raise argparse.ArgumentTypeError(f"{text} has no unit: write 1.5% (of a face unit) or 2px")
