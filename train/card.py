"""``python -m train card WEIGHTS --data DIR``: what a model was trained on and how good it is, as text."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from engine.types import MienError
from train.data.dataset import split_ids

LIMITS = """\
- Trained on a few hours of two CPU cores, on few people, mostly frontal talking heads at 256 pixels.
- The licence named for a collection is that of the repository in which its files were published. Much of the
  footage comes from third parties (VoxCeleb, HDTF, MEAD, GRID, public talks) whose own terms apply, so this
  model is for research and demonstration.
- Teeth, tongue and closed lids are painted from what other people's look like: they are plausible, not the
  portrait's own. Do not read identity, health or emotion from them.
- Turns of the head beyond about 30 degrees, hands before the face, and reflections on glasses are outside
  of what it has learned.
- Not for impersonating people without their consent."""


def card(weights: Path, data: Path, evaluation: Path | None, hardware: str) -> str:
    """A model card in Markdown.

    Args:
        weights: ``.safetensors`` file of ``fit``: its metadata has steps and hours.
        data: what ``prepare`` wrote.
        evaluation: Markdown table of ``evaluate``, or None.
        hardware: what it was trained on.

    Raises:
        MienError: a file cannot be read.
    """
    facts = _facts(weights)
    lines = ["# Model card: Mien `live`", "", "## Training", ""]
    lines.append(f"- steps: {facts.get('step', '?')}; hours: {facts.get('hours', '?')}; hardware: {hardware}")
    lines.append(
        "- method: motion part against teacher flow (DIS), then all parts with pyramid L1 and ImageNet"
    )
    lines.append("  features (EfficientNet-Lite0, Apache-2.0), weighted to mouth, eyes and uncovered places")
    lines += ["", "## Data", "", *_data(data), "", "## Evaluation on people not trained on", ""]
    lines.append(_evaluation(evaluation))
    lines += ["", "## Limits and intended use", "", LIMITS, ""]
    return "\n".join(lines)


def _facts(weights: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise MienError(
            f"{weights}: cannot read weights: {error}. Give a .safetensors file of fit."
        ) from error


def _data(root: Path) -> list[str]:
    """A table of collections: licence, clips and people to train on and to validate on."""
    table: dict[tuple[str, str], dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for part in ("train", "validation"):
        for name in split_ids(root, part):
            meta = json.loads((root / "clips" / name / "meta.json").read_text(encoding="utf-8"))
            clip = meta["clip"]
            table[clip["collection"], clip["licence"]][part].append(clip)
    lines = ["| collection | licence of the collection | clips (people) trained on | validated on |"]
    lines.append("|---|---|---|---|")
    for (collection, licence), parts in sorted(table.items()):
        cells = [
            f"{len(parts[part])} ({len({clip['subject'] for clip in parts[part]})})" if parts[part] else ""
            for part in ("train", "validation")
        ]
        lines.append(f"| {collection} | {licence or 'unknown'} | {cells[0]} | {cells[1]} |")
    return lines


def _evaluation(path: Path | None) -> str:
    if path is None:
        return "Not measured."
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MienError(f"{path}: cannot read: {error.strerror or error}. Run evaluate first.") from error
    # Its headings go below the card's own.
    lines = text.splitlines()
    return "\n".join("#" + line if line.startswith("#") else line for line in lines[2:]).strip()
