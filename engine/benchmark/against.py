"""Comparison with an earlier result of the benchmark: what got slower, beyond both runs' noise."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.engine.types import SourceError

SIGNIFICANT = 3.0
"""Differences of medians below so many standard deviations of the blocks' medians are noise."""

LEAST = 0.05
"""Smallest relative difference that is reported: below it, the same code measured twice differs as well."""

UNKNOWN_NOISE = 0.1
"""Relative noise assumed of results that do not state it (version 0.1's)."""


@dataclass(frozen=True, slots=True)
class Change:
    """A median of both results.

    Attributes:
        name: path of the figure in the results, as ``runs / live-fast, full speed / track``.
        before, now: milliseconds.
        limit: relative difference up to which the two count as equal.
    """

    name: str
    before: float
    now: float
    limit: float

    @property
    def relative(self) -> float:
        """Relative difference; positive is slower."""
        return self.now / self.before - 1.0

    @property
    def slower(self) -> bool:
        """Whether it got slower beyond noise."""
        return self.relative > self.limit

    @property
    def faster(self) -> bool:
        """Whether it got faster beyond noise."""
        return self.relative < -self.limit


def read_result(path: Path) -> dict[str, Any]:
    """Read an earlier ``--json`` result.

    Raises:
        SourceError: missing, or not a result of the benchmark.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}). Give a file that --json wrote."
        ) from error
    except ValueError as error:
        raise SourceError(f"{path} is not JSON. Give a file that mien benchmark --json wrote.") from error
    if not isinstance(result, dict) or not any(True for _ in _medians(result)):
        raise SourceError(f"{path} has no figures. Give a file that mien benchmark --json wrote.")
    return result


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[Change]:
    """Compare the medians that both results have; the largest slowdown first."""
    old = dict(_medians(before))
    found = []
    for name, (median, noise) in _medians(now):
        if name in old:
            reference, reference_noise = old[name]
            limit = SIGNIFICANT * math.hypot(noise, reference_noise)
            found.append(Change(name, reference, median, max(LEAST, limit)))
    return sorted(found, key=lambda change: -change.relative)


def _medians(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[float, float]]]:
    """All spreads of a result: ``name, (median, relative noise)``."""
    if not isinstance(value, dict):
        return
    median = value.get("median")
    if isinstance(median, int | float) and median > 0:
        noise = value.get("noise")
        yield " / ".join(path), (float(median), UNKNOWN_NOISE if noise is None else float(noise) / median)
        return
    for key, item in value.items():
        yield from _medians(item, path if key in ("stages", "figures") else (*path, str(key)))
