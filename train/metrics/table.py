"""The measured figures as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from statistics import mean


@dataclass(frozen=True)
class Row:
    """One clip driven by one method.

    Attributes:
        clip, method: their names.
        correlation, gain, jitter: see :class:`mien.train.metrics.fidelity.Fidelity`.
        scores: the other available measures by name: ``identity``, ``lost``; against the true frames
            ``l1``, ``psnr``, ``ssim``, ``akd``, ``perceptual``, ``l1_wide``.
    """

    clip: str
    method: str
    correlation: float
    gain: float
    jitter: float
    scores: dict[str, float] = field(default_factory=dict)


SCORES = {
    "before": ("by 0.1's measure", 2),
    "identity": ("identity", 3),
    "l1": ("L1", 4),
    "psnr": ("PSNR dB", 2),
    "ssim": ("SSIM", 3),
    "akd": ("AKD px", 2),
    "perceptual": ("perceptual", 3),
    "l1_wide": ("L1 wide", 4),
}
"""Measure -> its column's title and decimals, in the table's order."""


def markdown(rows: Sequence[Row]) -> str:
    """One line per method: every clip's correlation, then the means over the clips.

    A measure that no row has gets no column; one that a method lacks (no face was found in any frame) is a
    dash.  ``lost``, the share of frames without a face, has a column only if it is not 0.
    """
    clips = list(dict.fromkeys(row.clip for row in rows))
    shown = [name for name in SCORES if any(name in row.scores for row in rows)]
    lost = any(row.scores.get("lost", 0) > 0 for row in rows)
    titles = ["method", *clips, "mean", "gain", "jitter", *(SCORES[name][0] for name in shown)]
    titles += ["lost"] if lost else []
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for method in dict.fromkeys(row.method for row in rows):
        mine = [row for row in rows if row.method == method]
        cells = [_figure(row.correlation, 2) for row in mine]
        cells += [
            f"**{_figure(mean(row.correlation for row in mine), 2)}**",
            _figure(mean(row.gain for row in mine), 2),
            _figure(mean(row.jitter for row in mine), 2),
        ]
        cells += [_mean(mine, name, SCORES[name][1]) for name in shown]
        cells += [_mean(mine, "lost", 3)] if lost else []
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(rows: Sequence[Row], name: str, decimals: int) -> str:
    values = [row.scores[name] for row in rows if name in row.scores]
    return f"{mean(values):.{decimals}f}" if values else "–"


def _figure(value: float, decimals: int) -> str:
    """A dash where there is nothing to say."""
    return f"{value:.{decimals}f}" if isfinite(value) else "–"


def plain(row: Row) -> dict[str, object]:
    """The row for JSON, which has no NaN."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in asdict(row).items()
    }
