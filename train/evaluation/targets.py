"""Targets against the landmark warp, which decide whether weights are worth shipping, as one block.

The targets are those of the ``live`` preset; weights of other presets are compared by the same measures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

LOWER = {"l1": -25.0, "perceptual": -22.0, "mouth": -20.0, "eyes": -8.0, "akd": -10.0}
"""Measure over all reconstructed pairs -> required change in percent."""

NAMES = {
    "l1": "L1",
    "perceptual": "perceptual distance",
    "mouth": "L1 of the mouth",
    "eyes": "L1 of the eyes",
    "akd": "landmark distance (AKD)",
}

ROUNDING = 0.005
"""Fidelity counts as lower from here on: half of the last digit shown in tables."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target.

    Attributes:
        name: of the measure.
        warp, ours: values of the landmark warp (fidelity: of the engine without the network), and of the
            weights.
        wanted: in words; empty if there is no target.
        met: whether it is reached; None if it was not measured.
    """

    name: str
    warp: float
    ours: float
    wanted: str
    met: bool | None

    @property
    def change(self) -> float:
        """Change in percent."""
        return 100.0 * (self.ours / self.warp - 1.0) if self.warp else float("nan")


def compared(
    pairs: Mapping[str, Mapping[str, float]], subtle: Mapping[str, Mapping[str, float]] | None
) -> list[Target]:
    """The targets' measures without wanted values; arguments as for :func:`targets`."""
    return [replace(target, wanted="", met=None) for target in targets(pairs, subtle)]


def targets(
    pairs: Mapping[str, Mapping[str, float]], subtle: Mapping[str, Mapping[str, float]] | None
) -> list[Target]:
    """Evaluate the targets.

    Args:
        pairs: method -> measure -> mean over all reconstructed pairs.
        subtle: the same over subtle passages of cross-identity driving, or None.
    """
    found = []
    for name, wanted in LOWER.items():
        warp, ours = pairs["landmarks"][name], pairs["ours"][name]
        met = None if math.isnan(warp + ours) else 100.0 * (ours / warp - 1.0) <= wanted
        found.append(Target(NAMES[name], warp, ours, f"{wanted:+.0f} % or less", met))
    warp, ours = (subtle[m]["correlation"] if subtle else float("nan") for m in ("warp", "ours"))
    met = None if math.isnan(warp + ours) else ours > warp - ROUNDING
    found.append(Target("fidelity on subtle passages", warp, ours, "not lower", met))
    return found


def block(found: list[Target]) -> list[str]:
    """Markdown: one line per target, and a summary."""
    words = {True: "met", False: "**not met**", None: "not measured"}
    lines = ["| target | landmark warp | ours | change | wanted | |", "|---" * 6 + "|"]
    lines += [f"{_line(t)} {t.wanted} | {words[t.met]} |" for t in found]
    count = sum(t.met is True for t in found)
    return [f"**{count} of {len(found)} targets met.**", "", *lines, ""]


def comparison(found: list[Target]) -> list[str]:
    """Markdown: the same measures without targets."""
    lines = ["| | landmark warp | ours | change |", "|---" * 4 + "|"]
    return [*lines, *(_line(t) for t in found), ""]


def _line(target: Target) -> str:
    values = (format(v, ".4g") if math.isfinite(v) else "–" for v in (target.warp, target.ours))
    change = f"{target.change:+.1f} %" if math.isfinite(target.change) else "–"
    return f"| {target.name} | {' | '.join(values)} | {change} |"
