"""``mien train card WEIGHTS --data DIR``: the training data and the quality of a model, as text."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mien.engine.types import ModelError
from mien.train.data.dataset import split_ids, still_ids
from mien.train.model.weights import facts_in, preset_name
from mien.train.tasks import TASKS

Kind = Literal["stills", "mouths"]

TRAINED_ON: Mapping[Kind, str] = {"stills": "stills trained on", "mouths": "open mouths trained on"}
"""Kinds of portraits besides the clips, and their columns' headings."""

PARTS = ("trained on", *TRAINED_ON.values(), "validated on")

FOOTAGE = """\
The licence named for a collection is that of the repository or data set in which its files were published.
Much of the footage of public repositories comes from third parties (VoxCeleb, HDTF, MEAD, GRID, public talks)
whose own terms apply and which that licence cannot grant. So the weights are for research and demonstration.
No footage is distributed with them."""

FEW = """\
- The people trained on are few (see the tables) and not balanced in age, skin tone or lighting; how good the
  results are for others has not been measured."""

USE = """\
- Intended: live avatars of people who agreed to it, stimuli for research on facial expression, and comparison
  with other methods; through Mien's engine, which gives the network what it was trained to see.
- Not intended: impersonating anyone, passing results off as recordings, inferring people's feelings or
  intentions, identification, or any decision about a person."""


def card(weights: Path, data: Path, evaluation: Path | None, hardware: str) -> str:
    """A model card in Markdown.

    Args:
        weights: ``.safetensors`` file of ``fit``: its metadata has preset, steps and hours; the run's
            ``config.json`` next to it, if there is one, has stages and batch size.
        data: output folder of ``prepare``.
        evaluation: Markdown table of ``evaluate``, or None.
        hardware: on which it was trained.

    Raises:
        MienError: a file cannot be read, or the weights are exported or those of a published checkpoint.
    """
    facts, preset = facts_in(weights), preset_name(weights)
    wording = TASKS[preset]().card
    if wording.imported and "step" not in facts:
        raise ModelError(
            f"{weights}: imported and not trained here: what it was trained on is not known. "
            "Refer to its authors' own description."
        )
    if weights.is_dir():
        raise ModelError(
            f"{weights}: exported files do not record their training. Give the .safetensors file of fit."
        )
    run = _run(weights.parent / "config.json")
    shares = run.get("data", {}) if wording.stills else {}
    kinds = [kind for kind in TRAINED_ON if float(shares.get(kind, 0.0))]
    lines = [f"# Model card: Mien `{preset}`", "", "## Training", ""]
    lines.append(f"- steps: {facts.get('step', '?')}; hours: {facts.get('hours', '?')}; hardware: {hardware}")
    features = "VGG-19" if run.get("run", {}).get("perceptual") else "EfficientNet-Lite0, Apache-2.0"
    lines.append(wording.method.format(features=features, points=facts.get("points", "?")))
    lines += [*_recipe(run), "", "## Data", ""]
    lines += _data(data, str(run.get("data", {}).get("leave_out", "")), kinds)
    lines += ["", FOOTAGE, "", "## Evaluation on people not trained on", ""]
    lines.append(_evaluation(evaluation))
    lines += ["", "## Intended use", "", USE, "", "## Limits", "", FEW, wording.limits, ""]
    return "\n".join(lines)


def _run(path: Path) -> dict[str, Any]:
    """The run's configuration; empty if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot read the run's configuration: {error}. Move it away.") from error
    return found if isinstance(found, dict) else {}


def _recipe(run: Mapping[str, Any]) -> Iterator[str]:
    if not run:
        return
    data, settings = run["data"], run["run"]
    stages = ", ".join(f"{stage['name']} {stage['steps']}" for stage in run["stages"])
    processes = int(settings["devices"]) * int(settings["nodes"])
    if settings.get("start"):
        start = Path(settings["start"]).name
        yield f"- started from {start}, whose training data are not in the tables below"
    yield f"- planned stages and their steps: {stages}; seed {settings['seed']}, {settings['precision']}"
    yield (
        f"- a step: {data['sources'] * processes} portraits with {data['drivings']} driving frames each; "
        f"share of stills {data.get('stills', 0.0):g}, of "
        f"open-mouthed stills {data.get('mouths', 0.0):g}; moving average {run['optim']['ema']}"
    )


def _data(root: Path, leave_out: str, kinds: Sequence[Kind]) -> Iterator[str]:
    """Tables of collections and of licences: clips, stills and people, to train on and to validate on."""
    ids = {
        "trained on": [root / "clips" / name for name in split_ids(root, "train", leave_out)],
        **{
            TRAINED_ON[kind]: [root / kind / name for name in still_ids(root, leave_out, kind)]
            for kind in kinds
        },
        "validated on": [root / "clips" / name for name in split_ids(root, "validation", leave_out)],
    }
    clips = {part: [_clip(folder) for folder in ids.get(part, [])] for part in PARTS}
    shown = [part for part in PARTS if clips[part]]
    people = {part: len({clip["subject"] for clip in clips[part]}) for part in shown}
    total = "; ".join(f"{part}: {len(clips[part])} of {people[part]} people" for part in shown)
    yield f"Clips {total}. As far as the data sets name their people, nobody is on both sides of the split."
    for title, key in (("collection", ("collection", "licence")), ("licence", ("licence",))):
        table: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for part in shown:
            for clip in clips[part]:
                table[tuple(clip[name] or "unknown" for name in key)][part].append(clip["subject"])
        yield from ("", f"By {title}; in brackets the people:", "")
        yield f"| {' | '.join((*key, *shown))} |"
        yield "|---" * (len(key) + len(shown)) + "|"
        for names, parts in sorted(table.items()):
            cells = [f"{len(parts[p])} ({len(set(parts[p]))})" if parts[p] else "" for p in shown]
            yield f"| {' | '.join((*names, *cells))} |"


def _clip(folder: Path) -> dict[str, str]:
    try:
        clip = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["clip"]
        return {name: str(clip[name]) for name in ("subject", "collection", "licence")}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder} is damaged ({error}). Run prepare again.") from error


def _evaluation(path: Path | None) -> str:
    if path is None:
        return "Not measured."
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror or error}. Run evaluate first.") from error
    # Its headings become subheadings of the card's own.
    lines = text.splitlines()
    return "\n".join("#" + line if line.startswith("#") else line for line in lines[2:]).strip()
