"""``mien train card WEIGHTS --data DIR``: what a model was trained on and how good it is, as text."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mien.engine.types import ModelError
from mien.train.data.dataset import split_ids, still_ids
from mien.train.model.weights import Preset, facts_in, preset_of

PARTS = ("trained on", "stills trained on", "validated on")

FOOTAGE = """\
The licence named for a collection is that of the repository or data set in which its files were published.
Much of the footage of public repositories comes from third parties (VoxCeleb, HDTF, MEAD, GRID, public talks)
whose own terms apply and which that licence cannot grant. So the weights are for research and demonstration.
No footage is distributed with them."""

FEW = """\
- The people trained on are few (see the tables) and not balanced in age, skin tone or lighting; how good the
  results are for others has not been measured."""

LIMITS: dict[Preset, str] = {
    "live": """\
- Teeth, tongue and closed lids are painted from what other people's look like: they are plausible, not the
  portrait's own. Do not read identity, health or emotion from them.
- Turns of the head beyond about 30 degrees, hands before the face, and reflections on glasses are outside
  of what it has learned.
- What is painted is computed at 256 pixels and enlarged; only moved pixels keep the portrait's
  resolution.""",
    "paper": """\
- All of the face's picture is the network's own, at 256 pixels: teeth, tongue and closed lids are what other
  people's look like. Do not read identity, health or emotion from them.
- It needs the driver's pictures; recorded motion does not do. Of the gains it has one, for all motion.
- A frame costs some 90 GFLOP: too many for live use on most CPUs.""",
}

METHODS: dict[Preset, str] = {
    "live": """\
- method: motion part against teacher flow (DIS), then all parts with pyramid L1 and ImageNet
  features ({features}), weighted to mouth, eyes and uncovered places""",
    "paper": """\
- method: Zhang et al., MM '21: detector and generator with ImageNet features ({features}) at several
  scales, LSGAN, feature matching and equivariance; {points} key points""",
}

USE = """\
- Intended: live avatars of people who agreed to it, stimuli for research on facial expression, and comparison
  with other methods; through Mien's engine, which gives the network what it was trained to see.
- Not intended: impersonating anyone, passing results off as recordings, inferring people's feelings or
  intentions, identification, or any decision about a person."""


def card(weights: Path, data: Path, evaluation: Path | None, hardware: str) -> str:
    """A model card in Markdown.

    Args:
        weights: ``.safetensors`` file of ``fit``: its metadata has preset, steps and hours; the run's
            ``config.json``, where it lies beside it, has stages and batch size.
        data: what ``prepare`` wrote.
        evaluation: Markdown table of ``evaluate``, or None.
        hardware: what it was trained on.

    Raises:
        MienError: a file cannot be read, or the weights are exported or a published checkpoint's.
    """
    facts, preset = facts_in(weights), preset_of(weights)
    if preset == "paper" and "step" not in facts:
        raise ModelError(
            f"{weights}: imported and not trained here: what it was trained on is not known. "
            "Its authors' words belong beside it."
        )
    if weights.is_dir():
        raise ModelError(
            f"{weights}: exported files do not say how they were trained: give fit's .safetensors."
        )
    run = _run(weights.parent / "config.json")
    stills = float(run.get("data", {}).get("stills", 0.0)) if preset == "live" else 0.0
    lines = [f"# Model card: Mien `{preset}`", "", "## Training", ""]
    lines.append(f"- steps: {facts.get('step', '?')}; hours: {facts.get('hours', '?')}; hardware: {hardware}")
    features = "VGG-19" if run.get("run", {}).get("perceptual") else "EfficientNet-Lite0, Apache-2.0"
    lines.append(METHODS[preset].format(features=features, points=facts.get("points", "?")))
    lines += [*_recipe(run), "", "## Data", ""]
    lines += _data(data, str(run.get("data", {}).get("leave_out", "")), stills)
    lines += ["", FOOTAGE, "", "## Evaluation on people not trained on", ""]
    lines.append(_evaluation(evaluation))
    lines += ["", "## Intended use", "", USE, "", "## Limits", "", FEW, LIMITS[preset], ""]
    return "\n".join(lines)


def _run(path: Path) -> dict[str, Any]:
    """The run's configuration; empty where there is none."""
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
        yield f"- began with {start}: what that was trained on is not in the tables below"
    yield f"- planned stages and their steps: {stages}; seed {settings['seed']}, {settings['precision']}"
    yield (
        f"- a step: {data['sources'] * processes} portraits with {data['drivings']} driving frames each; "
        f"share of stills {data.get('stills', 0.0):g}; moving average {run['optim']['ema']}"
    )


def _data(root: Path, leave_out: str, stills: float) -> Iterator[str]:
    """Tables of collections and of licences: clips, stills and people, to train on and to validate on."""
    ids = {
        "trained on": [root / "clips" / name for name in split_ids(root, "train", leave_out)],
        "stills trained on": [root / "stills" / n for n in (still_ids(root, leave_out) if stills else [])],
        "validated on": [root / "clips" / name for name in split_ids(root, "validation", leave_out)],
    }
    clips = {part: [_clip(folder) for folder in folders] for part, folders in ids.items()}
    shown = [part for part in PARTS if clips[part]]
    people = {part: len({clip["subject"] for clip in clips[part]}) for part in shown}
    total = "; ".join(f"{part}: {len(clips[part])} of {people[part]} people" for part in shown)
    yield f"Clips {total}. As far as the data set names its people, nobody is on both sides of the split."
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
    # Its headings go below the card's own.
    lines = text.splitlines()
    return "\n".join("#" + line if line.startswith("#") else line for line in lines[2:]).strip()
