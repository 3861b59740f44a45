"""``mien train prepare SOURCE --output DIR``: packs every clip once; existing results are kept."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.types import MienError, SinkError, SourceError, UsageError
from mien.engine.utils.files import replacing
from mien.engine.utils.workers import Died, Workers
from mien.train.data.clips import Clip
from mien.train.data.closed_mouths import ClosedConfig, pack_closed
from mien.train.data.packing import FORMAT, PackConfig, pack_clip
from mien.train.data.readers import find_clips
from mien.train.data.repacking import can_repack, repack_clip
from mien.train.data.split import validation_groups
from mien.train.data.stills import StillConfig, pack_still


class _Kept(threading.local):
    """The landmarker of a thread: a worker of a cluster may have several threads."""

    landmarker: Landmarker | None = None


_kept = _Kept()


@dataclass(frozen=True, slots=True)
class Prepared:
    """Summary of ``prepare``.

    Attributes:
        packed, kept, left_out: clips packed now, packed before, and unusable.
        reasons: one line for each clip or still left out.
        stills, mouths: packed stills and closed mouths, now or before.
    """

    packed: int
    kept: int
    left_out: int
    reasons: tuple[str, ...]
    stills: int = 0
    mouths: int = 0


Config = PackConfig | StillConfig | ClosedConfig


@dataclass(frozen=True, slots=True)
class Job:
    """One folder to pack: a clip, a still with ``donors`` of motion, or a still whose mouth is closed."""

    clip: Clip
    folder: Path
    config: Config
    donors: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Additions:
    """What is packed besides the clips.

    Attributes:
        stills: number of stills to move by clips' motion, into ``output/stills``.
        mouths: number of open-mouthed stills to close, into ``output/mouths``.
        again: also pack what is packed already, with the engine as it is now.
    """

    stills: int = 0
    mouths: int = 0
    again: bool = False


def prepare(
    source: Path,
    output: Path,
    config: PackConfig,
    workers: Workers | None,
    share: float,
    console: Console,
    extra: Additions | None = None,
    leave_out: Collection[str] = (),
) -> Prepared:
    """Pack the clips in ``source`` into ``output/clips`` and write ``output/split.json``.

    Both are taken as absolute paths: workers elsewhere have another working folder.

    Args:
        workers: who packs, each with one thread; None: this process.
        share: share of the clips that is kept for validation (whole groups).
        extra: what to pack besides; no stills of people to validate on.
        leave_out: subjects to validate on instead of ``share`` of the clips.

    Raises:
        MienError: no usable clip, no subject of that name, or ``output`` cannot be written.
    """
    source, output = source.absolute(), output.absolute()
    extra = extra or Additions()
    found = find_clips(source)
    clips, reasons = found.clips, list(found.missing)
    out = _validation(clips, share, leave_out)
    _make(output / "clips")
    done = {clip.id for clip in clips if is_packed(output / "clips" / clip.id, config) and not extra.again}
    # In a fixed random order, so that an interrupted run leaves a fair sample of the whole.
    waiting = [clip for clip in clips if clip.id not in done]
    waiting.sort(key=lambda clip: crc32(clip.id.encode()))
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
    for reason in reasons:
        _tell(console, reason)
    jobs = [Job(clip, output / "clips" / clip.id, config) for clip in waiting]
    failures = _run(jobs, workers, "prepare", len(clips), console)
    packed = len(waiting) - len(failures)
    reasons += failures
    there = {clip.id for clip in clips if is_packed(output / "clips" / clip.id, config)}
    if not there:
        raise SourceError(f"{source}: none of {len(clips)} clips can be used. The lines above say why.")
    kinds: dict[Kind, Sequence[str]] = {kind: _packed_before(output, kind) for kind in KINDS}
    _write_split(output, clips, there, out, kinds)
    for kind, packed_as in KINDS.items():
        if getattr(extra, kind):
            reasons += _pack_stills(found.stills, kind, extra, output, out, workers, console)
            kinds[kind] = [s.id for s in found.stills if is_packed(output / kind / s.id, packed_as)]
            _write_split(output, clips, there, out, kinds)
    stills, mouths = (len(kinds[kind]) for kind in KINDS)
    return Prepared(packed, len(done), len(reasons), tuple(reasons), stills, mouths)


Kind = Literal["stills", "mouths"]

KINDS: Mapping[Kind, StillConfig | ClosedConfig] = {"stills": StillConfig(), "mouths": ClosedConfig()}
"""Folders of the portraits that are packed besides the clips: moved, and with their mouths closed."""


def _validation(clips: Sequence[Clip], share: float, leave_out: Collection[str]) -> set[str]:
    """Groups to validate on."""
    if not leave_out:
        return validation_groups([clip.group for clip in clips], share)
    subjects = {clip.subject for clip in clips}
    unknown = sorted(set(leave_out) - subjects)
    if unknown:
        raise UsageError(f"--leave-out {unknown[0]}: no such subject; known: {', '.join(sorted(subjects))}.")
    return {clip.group for clip in clips if clip.subject in leave_out}


def _pack_stills(
    stills: Sequence[Clip],
    kind: Kind,
    extra: Additions,
    output: Path,
    out: Collection[str],
    workers: Workers | None,
    console: Console,
) -> list[str]:
    """Pack stills of people not validated on; returns a line for each left out."""
    folder, config, donors = output / kind, KINDS[kind], tuple[Path, ...]()
    _make(folder)
    usable = sorted((s for s in stills if s.group not in out), key=lambda still: crc32(still.id.encode()))
    if kind == "stills":
        train = json.loads((output / "split.json").read_text(encoding="utf-8"))["train"]
        donors = tuple(output / "clips" / name for name in train)
        if not donors:
            raise UsageError(f"{output}: stills need training clips as sources of motion.")
    jobs = [Job(still, folder / still.id, config, donors) for still in usable[: getattr(extra, kind)]]
    if not jobs:
        _tell(console, f"no {kind}: the data set has no stills of people to train on")
    waiting = [job for job in jobs if extra.again or not is_packed(job.folder, job.config)]
    return _run(waiting, workers, kind, len(jobs), console)


def _packed_before(output: Path, kind: Kind) -> list[str]:
    """Ids of stills that are in the existing split and still present."""
    try:
        before = json.loads((output / "split.json").read_text(encoding="utf-8")).get(kind, [])
    except (OSError, ValueError):
        return []
    return [name for name in before if is_packed(output / kind / name, KINDS[kind])]


def _run(jobs: Sequence[Job], workers: Workers | None, what: str, total: int, console: Console) -> list[str]:
    """Run the jobs with a progress bar; returns a line for each that failed."""
    failures = []
    with _progress(console) as progress:
        task = progress.add_task(what, total=total, completed=total - len(jobs))

        def ended(job: Job, failure: str | Died | None) -> None:
            if isinstance(failure, Died):
                failure = (
                    f"{job.clip.path}: its process died, as it does when memory runs out. Use fewer workers."
                )
            if failure:
                failures.append(failure)
                _tell(console, failure)
            progress.advance(task)

        if workers is None:
            for job in jobs:
                ended(job, _pack(job))
        elif jobs:
            workers.run(_pack_alone, jobs, ended)
    return failures


def _tell(console: Console, reason: str) -> None:
    console.print(f"left out: {reason}", highlight=False, soft_wrap=True, markup=False)


def _write_split(
    output: Path,
    clips: Sequence[Clip],
    usable: Collection[str],
    out: Collection[str],
    kinds: Mapping[Kind, Sequence[str]],
) -> None:
    split = {
        "train": sorted(clip.id for clip in clips if clip.id in usable and clip.group not in out),
        "validation": sorted(clip.id for clip in clips if clip.id in usable and clip.group in out),
        "validation_groups": sorted(out),
        **{str(kind): sorted(names) for kind, names in kinds.items() if names},
    }
    path = output / "split.json"
    try:
        with replacing(path) as part:
            part.write_text(json.dumps(split, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(
            f"{path}: cannot write: {error.strerror or error}. Free space and run again."
        ) from error


def is_packed(folder: Path, config: Config) -> bool:
    """Whether ``folder`` was packed with exactly this configuration."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = json.loads(json.dumps(asdict(config)))
    return bool(meta.get("format") == FORMAT and meta.get("config") == wanted)


def _pack_alone(job: Job) -> str | None:
    """Pack in a process that is one of several."""
    import cv2

    # One thread each: OpenCV starts one per core in every process, and they contend.
    cv2.setNumThreads(1)
    return _pack(job)


def _pack(job: Job) -> str | None:
    landmarker = _kept.landmarker = _kept.landmarker or make_landmarker()
    if shutil.disk_usage(job.folder.parent).free < 2**30:
        raise SinkError(f"{job.folder}: less than 1 GiB of disk space left. Free some and run prepare again.")
    try:
        if isinstance(job.config, StillConfig):
            pack_still(job.clip, job.donors, job.config, landmarker, job.folder)
        elif isinstance(job.config, ClosedConfig):
            pack_closed(job.clip, job.config, landmarker, job.folder)
        elif can_repack(job.folder, job.config):
            repack_clip(job.folder, job.config, landmarker)
        else:
            pack_clip(job.clip, job.config, landmarker, job.folder)
    except MienError as error:
        return str(error)
    return None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot create the folder: {error.strerror or error}") from error


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=os.environ.get("TERM") == "dumb",
    )
