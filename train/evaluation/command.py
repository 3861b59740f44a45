"""``mien train evaluate WEIGHTS --data DIR``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.types import MienError
from mien.train.data.dataset import PackedData, split_ids
from mien.train.evaluation.candidates import Candidate, load_candidate
from mien.train.evaluation.driving import Drive, Driving
from mien.train.evaluation.passages import SEARCHED, find_passages, portraits_of
from mien.train.evaluation.reconstruction import reconstruct
from mien.train.evaluation.report import Result, markdown, write_report
from mien.train.metrics.identity import FaceEmbedding


@dataclass(frozen=True, slots=True)
class Extent:
    """Extent of an evaluation.

    Attributes:
        pairs: approximate number of same-identity pairs.
        clips: number of clips whose passages drive other people; 0 leaves cross-identity driving out.
        length: frames of a passage.
    """

    pairs: int = 120
    clips: int = 5
    length: int = 32


QUICK = Extent(pairs=48, clips=3, length=24)


def evaluate(
    weights: Path,
    data: Path,
    output: Path,
    extent: Extent,
    focus: float,
    part: str,
    console: Console,
    leave_out: str = "",
) -> Result:
    """Measure, print the tables, and write report and contact sheets into ``output``.

    Args:
        leave_out: the subject left out by ``fit``, if any.

    Raises:
        MienError: unreadable weights or data, or the report cannot be written.
    """
    candidate = load_candidate(weights)
    packed = PackedData(data, split_ids(data, part, leave_out), None, 0)
    notes: list[str] = []
    embed = _embedding(notes)
    with make_landmarker() as landmarker, Progress(console=console, transient=True) as bar:
        task = bar.add_task("same identity", total=-(-extent.pairs // 3))
        with torch.inference_mode():
            cases = reconstruct(
                candidate, packed, extent.pairs, focus, landmarker, lambda: bar.advance(task), embed
            )
        drives = _drive(candidate, packed, extent, landmarker, embed, notes, bar) if extent.clips else []
    title = f"{weights.name} (preset {candidate.preset}) on {part} people"
    result = Result(title, cases, drives, notes, candidate.preset, candidate.inside)
    write_report(result, output, weights.stem)
    console.print(markdown(result), highlight=False, soft_wrap=True, markup=False)
    return result


def _drive(
    candidate: Candidate,
    packed: PackedData,
    extent: Extent,
    landmarker: Landmarker,
    embed: FaceEmbedding | None,
    notes: list[str],
    bar: Progress,
) -> list[Drive]:
    """Cross-identity driving; left out with a note if there are no passages or no other people."""
    portraits = portraits_of(packed.clips)
    if len({group for _, group, _ in portraits}) < 2:
        notes.append("cross-identity driving is left out: it needs at least two people. Prepare more clips.")
        return []
    task = bar.add_task("passages", total=min(len(packed.clips), SEARCHED * extent.clips))
    passages, missing = find_passages(
        packed.clips, extent.clips, extent.length, landmarker, lambda: bar.advance(task)
    )
    notes.extend(f"left out: {line}" for line in missing)
    if not passages:
        notes.append(
            "cross-identity driving is left out: no clip has a passage. It needs the original clips at the "
            "paths seen by prepare."
        )
        return []
    task = bar.add_task("cross identity", total=len(passages))
    return Driving(candidate.runtimes(), landmarker, embed).run(
        passages, portraits, lambda: bar.advance(task)
    )


def _embedding(notes: list[str]) -> FaceEmbedding | None:
    try:
        return FaceEmbedding()
    except MienError as error:
        notes.append(f"identity is left out: {error}")
        return None
