"""Schedule of the measurements: the important ones first, so that a deadline cuts the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

BATCHES = (1, 2, 4, 8)
METHODS = ("TensorRT FP16", "torch eager FP32", "CUDA graph FP16", "torch FP16", "torch.compile FP16")
PRESETS = ("live", "paper")
COMPILED_BATCHES = (1, 8)
"""Allowance for torch.compile, which takes half a minute per shape."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement."""

    preset: str
    method: str
    batch: int


def cases() -> list[Case]:
    """All cases: batch 1 and 8 of every method before 2 and 4, torch.compile last."""
    slow = METHODS[-1]

    def rank(case: Case) -> tuple[bool, bool, int, int]:
        return (
            case.method == slow,
            case.batch not in (1, max(BATCHES)),
            PRESETS.index(case.preset),
            METHODS.index(case.method),
        )

    found = [
        Case(preset, method, batch)
        for preset in PRESETS
        for method in METHODS
        for batch in (COMPILED_BATCHES if method == slow else BATCHES)
    ]
    return sorted(found, key=rank)


class Deadline:
    """Remaining time of ``seconds`` since its creation."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._end = clock, clock() + seconds

    @property
    def left(self) -> float:
        return self._end - self._clock()

    def allows(self, seconds: float) -> bool:
        """Whether something that takes ``seconds`` may still start."""
        return self.left >= seconds
