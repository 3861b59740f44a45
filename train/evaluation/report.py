"""Evaluation results as Markdown, JSON and contact sheets."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mien.engine.types import Image, SinkError
from mien.train.evaluation import driving
from mien.train.evaluation.driving import Drive
from mien.train.evaluation.reconstruction import MEASURES, METHODS, Case
from mien.train.evaluation.targets import Target, block, compared, comparison, targets
from mien.train.sheet import contact_sheet, write_sheet

NAMES = {
    "still": "still image",
    "landmarks": "landmark warp",
    "warp": "without the network",
    "ours": "ours",
}
TITLES = ("source", "driving", "without the network", "ours")
DRIVEN_TITLES = ("portrait", "driver", "without the network", "ours")
EVERYWHERE = ("akd", "identity")
"""Measures that need a face; pairs in which any method's face was not found are excluded for all."""

MEANINGS = (
    "Same identity: a frame of a clip driven by another frame of it. Landmark warp: the smooth field through "
    "the landmarks, without mesh or network; without the network: what the engine draws with none. l1, "
    "mouth, eyes: mean absolute difference (0..1), of the whole image and of crops; psnr in dB; perceptual: "
    "distance of EfficientNet-Lite0 features; akd: mean landmark distance in pixels of 256; identity: cosine "
    "of face embeddings; sharpness: mean absolute Laplacian over the target's (1 is as sharp)."
)
DRIVEN_MEANINGS = (
    "Cross identity: a passage of a clip drives another person's portrait, through the engine. "
    "correlation (fidelity), gain, jitter: facial motion against the driver's; identity: cosine of face "
    "embeddings with the portrait's; lost, torn: shares of examined frames without a face, with a torn "
    "one; ceiling: the correlation of a noiseless copy. docs/metrics.md has the formulas."
)

Means = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Result:
    """Results of an evaluation.

    Attributes:
        title: of the report.
        cases: same-identity pairs.
        drives: cross-identity passages.
        notes: a line for everything left out.
        preset: of the weights.
        inside: heading of the last image of a case, an intermediate result of the network.
    """

    title: str
    cases: Sequence[Case]
    drives: Sequence[Drive] = ()
    notes: Sequence[str] = ()
    preset: str = "live"
    inside: str = "painted"

    def targets(self) -> list[Target]:
        """The targets against the landmark warp; presets other than ``live`` have no wanted values."""
        subtle = kinds(self.drives).get("subtle passages")
        measure = targets if self.preset == "live" else compared
        return measure(summary(self.cases), driven_summary(subtle) if subtle else None)


def summary(cases: Sequence[Case]) -> Means:
    """Means by method and measure; NaN if there are no values."""
    means: Means = {method: {} for method in METHODS}
    for name in MEASURES:
        counted = cases
        if name in EVERYWHERE:
            counted = [c for c in cases if all(np.isfinite(c.scores[m][name]) for m in METHODS)]
        for method in METHODS:
            means[method][name] = _mean([case.scores[method][name] for case in counted])
    return means


def driven_summary(drives: Sequence[Drive]) -> Means:
    """Means over passages, by method and measure."""
    return {
        method: {
            name: _mean([v for d in drives if np.isfinite(v := d.scores[method][name])])
            for name in driving.MEASURES
        }
        for method in driving.METHODS
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def groups(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """All pairs, then those of each tag."""
    tags = sorted({tag for case in cases for tag in case.tags})
    return {"all pairs": list(cases), **{tag: [c for c in cases if tag in c.tags] for tag in tags}}


def kinds(drives: Sequence[Drive]) -> dict[str, list[Drive]]:
    """Passages by kind."""
    names = list(dict.fromkeys(drive.kind for drive in drives))
    return {f"{name} passages": [d for d in drives if d.kind == name] for name in sorted(names, reverse=True)}


def markdown(result: Result) -> str:
    """The targets, then a table for each group of pairs and each kind of passage."""
    lines = [f"# {result.title}", "", *_first(result)]
    for name, members in groups(result.cases).items():
        clips = len({case.clip for case in members})
        lines += [f"## Same identity, {name}: {len(members)} pairs of {clips} clips", ""]
        lines += [*_table(summary(members), MEASURES), ""]
    for name, driven in kinds(result.drives).items():
        people = len({drive.portrait for drive in driven})
        lines += [f"## Cross identity, {name}: {len(driven)}, driving {people} portraits", ""]
        lines += [*_table(driven_summary(driven), driving.MEASURES), ""]
    lines.append(MEANINGS)
    lines += ["", DRIVEN_MEANINGS] if result.drives else []
    lines += ["", *(f"- Note: {note}" for note in result.notes)] if result.notes else []
    return "\n".join([*lines, ""])


def _first(result: Result) -> list[str]:
    if result.preset == "live":
        return ["## Targets", "", *block(result.targets())]
    return [
        "## Against the landmark warp",
        "",
        f"Preset `{result.preset}`; the targets are those of `live`.",
        "",
        *comparison(result.targets()),
    ]


def _table(means: Means, measures: Sequence[str]) -> list[str]:
    lines = ["| | " + " | ".join(measures) + " |", "|---" * (len(measures) + 1) + "|"]
    for method, values in means.items():
        lines.append(f"| {NAMES[method]} | {' | '.join(_figure(values[m], '.4g') for m in measures)} |")
    ours, warp = means["ours"], means["warp"]
    changes = (100 * (ours[m] / warp[m] - 1) if warp[m] else float("nan") for m in measures)
    cells = (f"{c:+.1f} %" if math.isfinite(c) else "–" for c in changes)
    return [*lines, f"| ours against without | {' | '.join(cells)} |"]


def _figure(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"


def ordered(cases: Sequence[Case]) -> list[Case]:
    """Cases from the largest gain of ours over the warp to the smallest."""

    def ratio(case: Case) -> float:
        pairs = [(case.scores["ours"][m], case.scores["warp"][m]) for m in ("l1", "perceptual", "mouth")]
        return sum(ours / max(warp, 1e-6) for ours, warp in pairs)

    return sorted(cases, key=ratio)


def ordered_drives(drives: Sequence[Drive]) -> list[Drive]:
    """Passages from the largest gain (fidelity, identity) of ours over the warp to the smallest."""

    def gain(drive: Drive) -> float:
        ours, warp = drive.scores["ours"], drive.scores["warp"]
        return sum(float(np.nan_to_num(ours[m] - warp[m])) for m in ("correlation", "identity"))

    return sorted(drives, key=gain, reverse=True)


def write_report(result: Result, output: Path, stem: str, rows: int = 8) -> None:
    """Write ``STEM.md``, ``STEM.json``, and contact sheets of best, median, worst and tagged cases.

    Raises:
        MienError: it cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / f"{stem}.md").write_text(markdown(result), encoding="utf-8")
        (output / f"{stem}.json").write_text(json.dumps(_plain(result), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{output}: cannot write: {error.strerror or error}") from error
    for name, chosen in _chosen(result.cases, rows).items():
        sheet = contact_sheet([case.images for case in chosen], (*TITLES, result.inside))
        write_sheet(str(output / f"{stem}-{name}.png"), sheet)
    for name, images in _driven_sheets(ordered_drives(result.drives), rows // 2).items():
        write_sheet(str(output / f"{stem}-driving-{name}.png"), contact_sheet(images, DRIVEN_TITLES))


def _plain(result: Result) -> dict[str, object]:
    drives = [
        {"clip": d.clip, "portrait": d.portrait, "kind": d.kind, "scores": _finite(d.scores)}
        for d in result.drives
    ]
    found = [{**asdict(t), "change": t.change} for t in result.targets()]
    return {
        "title": result.title,
        "preset": result.preset,
        "targets": [{k: None if v != v else v for k, v in t.items()} for t in found],
        "pairs": len(result.cases),
        "groups": {name: _finite(summary(members)) for name, members in groups(result.cases).items()},
        "driving": {n: _finite(driven_summary(members)) for n, members in kinds(result.drives).items()},
        "passages": drives,
        "notes": list(result.notes),
    }


def _finite(means: Means) -> dict[str, dict[str, float | None]]:
    """Replace NaN, which JSON does not have, by null."""
    return {
        method: {name: value if math.isfinite(value) else None for name, value in values.items()}
        for method, values in means.items()
    }


def _chosen(cases: Sequence[Case], rows: int) -> dict[str, Sequence[Case]]:
    order = ordered(cases)
    sheets: dict[str, Sequence[Case]] = _best_median_worst(order, rows)
    for name, members in groups(cases).items():
        if name != "all pairs":
            # Evenly from best to worst: no cherry-picking.
            ranked = ordered(members)
            places = np.unique(np.linspace(0, len(ranked) - 1, min(rows, len(ranked))).astype(int))
            sheets[name.replace(" ", "-")] = [ranked[i] for i in places]
    return {name: members for name, members in sheets.items() if members}


def _best_median_worst(order: Sequence[Case], rows: int) -> dict[str, Sequence[Case]]:
    middle = max(0, len(order) // 2 - rows // 2)
    return {"best": order[:rows], "median": order[middle : middle + rows], "worst": order[-rows:]}


def _driven_sheets(order: Sequence[Drive], rows: int) -> dict[str, list[tuple[Image, ...]]]:
    """One sheet if all fit, otherwise best, median and worst."""
    if not order:
        return {}
    if len(order) <= 3 * rows:
        return {"all": [drive.images for drive in order]}
    middle = len(order) // 2 - rows // 2
    parts = {"best": order[:rows], "median": order[middle : middle + rows], "worst": order[-rows:]}
    return {name: [drive.images for drive in part] for name, part in parts.items()}
