"""Evaluation results as Markdown, JSON and contact sheets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.types import MienError
from train.evaluation.reconstruction import MEASURES, METHODS, Case
from train.sheet import contact_sheet, write_sheet

NAMES = {"still": "still image", "warp": "untrained warp", "ours": "ours"}
HIGHER = ("psnr", "ssim")
TITLES = ("source", "driving", "untrained warp", "ours", "painted")


def summary(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """method -> measure -> mean; pairs in which a method's face was not found count for no method's AKD."""
    means: dict[str, dict[str, float]] = {}
    seen = [case for case in cases if all(np.isfinite(case.scores[m]["akd"]) for m in METHODS)]
    for method in METHODS:
        means[method] = {
            name: _mean([case.scores[method][name] for case in (seen if name == "akd" else cases)])
            for name in MEASURES
        }
    return means


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def groups(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """All pairs, then those of each tag."""
    tags = sorted({tag for case in cases for tag in case.tags})
    return {"all pairs": list(cases), **{tag: [c for c in cases if tag in c.tags] for tag in tags}}


def markdown(cases: Sequence[Case], title: str) -> str:
    """A table for each group of pairs, with ours against the untrained warp."""
    lines = [f"# {title}", ""]
    for name, members in groups(cases).items():
        means = summary(members)
        clips = len({case.clip for case in members})
        lines += [f"## {name}: {len(members)} pairs of {clips} clips", ""]
        lines += ["| | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
        for method in METHODS:
            cells = " | ".join(f"{means[method][m]:.4g}" for m in MEASURES)
            lines.append(f"| {NAMES[method]} | {cells} |")
        change = (100 * (means["ours"][m] / means["warp"][m] - 1) for m in MEASURES)
        lines += ["| ours against warp | " + " | ".join(f"{c:+.1f} %" for c in change) + " |", ""]
    lines += [
        "l1, mouth, eyes: mean absolute difference (0..1), of the whole picture and of crops; psnr in dB; "
        "perceptual: distance of EfficientNet-Lite0 features; akd: mean landmark distance in pixels of 256; "
        "sharpness: mean absolute Laplacian over the target's (1 is as sharp).",
        "",
    ]
    return "\n".join(lines)


def ordered(cases: Sequence[Case]) -> list[Case]:
    """From the case in which ours gains most over the warp to the one in which it gains least."""

    def ratio(case: Case) -> float:
        pairs = [(case.scores["ours"][m], case.scores["warp"][m]) for m in ("l1", "perceptual", "mouth")]
        return sum(ours / max(warp, 1e-6) for ours, warp in pairs)

    return sorted(cases, key=ratio)


def write_report(cases: Sequence[Case], output: Path, stem: str, title: str, rows: int = 8) -> None:
    """Write ``STEM.md``, ``STEM.json``, and contact sheets of best, median, worst and tagged cases.

    Raises:
        MienError: it cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / f"{stem}.md").write_text(markdown(cases, title), encoding="utf-8")
        found = {name: summary(members) for name, members in groups(cases).items()}
        text = json.dumps({"title": title, "pairs": len(cases), "groups": found}, indent=1)
        (output / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise MienError(f"{output}: cannot write: {error.strerror or error}") from error
    for name, chosen in _chosen(cases, rows).items():
        sheet = contact_sheet([case.pictures for case in chosen], TITLES)
        write_sheet(str(output / f"{stem}-{name}.png"), sheet)


def _chosen(cases: Sequence[Case], rows: int) -> dict[str, Sequence[Case]]:
    order = ordered(cases)
    middle = max(0, len(order) // 2 - rows // 2)
    sheets: dict[str, Sequence[Case]] = {
        "best": order[:rows],
        "median": order[middle : middle + rows],
        "worst": order[-rows:],
    }
    for name, members in groups(cases).items():
        if name != "all pairs":
            # Evenly from the best to the worst: no choice of what looks good.
            ranked = ordered(members)
            places = np.unique(np.linspace(0, len(ranked) - 1, min(rows, len(ranked))).astype(int))
            sheets[name.replace(" ", "-")] = [ranked[i] for i in places]
    return {name: members for name, members in sheets.items() if members}
