"""Argument types of ``mien compose``: names, bounded numbers, strengths with units."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from mien.engine.face.regions import region_indices
from mien.engine.utils.command_line import number


@dataclass(frozen=True, slots=True)
class Strength:
    """Length of a displacement: ``value`` in face units, or in pixels of the avatar."""

    value: float
    pixels: bool


def names(text: str) -> tuple[str, ...]:
    """Names of regions, sides or groups, separated by commas."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    region_indices(names)
    return names


def npz(text: str) -> Path:
    """A motion file to write."""
    if not text.lower().endswith(".npz"):
        raise argparse.ArgumentTypeError(f"{text} must end in .npz")
    return Path(text)


def gain(text: str) -> float:
    """A factor of recorded movement; negative turns it round."""
    return number(text, "gain", -8, 8)


def time(text: str) -> float:
    """Seconds from the beginning."""
    return number(text, "time in seconds", 0, 3600)


def positive(text: str) -> float:
    """A length in seconds or a rate in frames per second."""
    return number(text, "value", 0.01, 10_000)


def _pair(text: str, example: str) -> tuple[float, float]:
    first, comma, second = text.partition(",")
    try:
        if comma:
            return float(first), float(second)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text} must be two numbers separated by a comma, such as {example}")


def vector(text: str) -> tuple[float, float]:
    """A displacement, face units, y down."""
    return _pair(text, "0.01,-0.02")


def passage(text: str) -> tuple[float, float]:
    """Beginning and end of a passage, seconds."""
    return _pair(text, "1.0,2.5")


def strength(text: str) -> Strength:
    """A length at the apex: face units, ``2%`` of one, or pixels of the portrait (``3px``)."""
    words = text.strip().lower()
    for unit, pixels, scale in (("%", False, 0.01), ("px", True, 1.0)):
        if words.endswith(unit):
            value = number(words.removesuffix(unit), "strength", 0.001, 1000)
            return Strength(value * scale, pixels)
    raise argparse.ArgumentTypeError(f"{text} has no unit: write 1.5% (of a face unit) or 2px")
