"""``python -m train prepare SOURCE --output DIR``: every clip packed once; what is there already is kept."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine.types import MienError
from train.data.clips import Clip
from train.data.packing import FORMAT, PackConfig, pack_clip
from train.data.readers import find_clips
from train.data.split import validation_groups

_landmarker: Any = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``prepare`` did.

    Attributes:
        packed, kept, left_out: clips packed now, packed before, and unusable.
        reasons: one line for each clip left out.
    """

    packed: int
    kept: int
    left_out: int
    reasons: tuple[str, ...]


def prepare(
    source: Path, output: Path, config: PackConfig, workers: int, share: float, console: Console
) -> Prepared:
    """Pack the clips in ``source`` into ``output/clips`` and write ``output/split.json``.

    Args:
        workers: processes; each uses one thread.
        share: part of the clips that is kept for validation (whole groups).

    Raises:
        MienError: no usable clip, or ``output`` cannot be written.
    """
    clips, reasons = find_clips(source)
    _make(output / "clips")
    done = {clip.id for clip in clips if is_packed(output / "clips" / clip.id, config)}
    # In a fixed random order: what is there after an interruption is a fair sample of the whole.
    waiting = sorted(
        (clip for clip in clips if clip.id not in done), key=lambda clip: crc32(clip.id.encode())
    )
    for reason in reasons:
        _tell(console, reason)
    missing = len(reasons)
    with _progress(console) as progress:
        task = progress.add_task("prepare", total=len(clips), completed=len(done))
        for failure in _pack_all(waiting, output, config, workers):
            if failure:
                reasons.append(failure)
                _tell(console, failure)
            progress.advance(task)
    there = [clip for clip in clips if (output / "clips" / clip.id / "meta.json").is_file()]
    if not there:
        raise MienError(f"{source}: none of {len(clips)} clips can be used. The lines above say why.")
    write_split(output, clips, {clip.id for clip in there}, share)
    packed = len(waiting) - (len(reasons) - missing)
    return Prepared(packed, len(done), len(reasons), tuple(reasons))


def _tell(console: Console, reason: str) -> None:
    console.print(f"left out: {reason}", highlight=False, soft_wrap=True, markup=False)


def write_split(output: Path, clips: Sequence[Clip], usable: Collection[str], share: float) -> None:
    """``split.json``: the usable ids to train on and to validate on.

    The split is drawn from all ``clips``, so that it stays the same when more of them become usable.
    """
    out = validation_groups([clip.group for clip in clips], share)
    split = {
        "train": sorted(clip.id for clip in clips if clip.id in usable and clip.group not in out),
        "validation": sorted(clip.id for clip in clips if clip.id in usable and clip.group in out),
        "validation_groups": sorted(out),
    }
    (output / "split.json").write_text(json.dumps(split, indent=1) + "\n", encoding="utf-8")


def is_packed(folder: Path, config: PackConfig) -> bool:
    """Whether ``folder`` was packed with this very configuration."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(meta.get("format") == FORMAT and meta.get("config") == asdict(config))


def _pack_all(clips: list[Clip], output: Path, config: PackConfig, workers: int) -> Iterator[str | None]:
    """Yields for each clip, as it is done, None or why it was left out."""
    if workers <= 1:
        for clip in clips:
            yield _pack(clip, output, config)
        return
    # One thread each: BLAS and OpenCV would start one per core in every process and wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Spawned, not forked: OpenVINO and OpenCV hold threads that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        waiting: list[Future[str | None]] = [pool.submit(_pack, clip, output, config) for clip in clips]
        for future in as_completed(waiting):
            yield future.result()


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def _pack(clip: Clip, output: Path, config: PackConfig) -> str | None:
    global _landmarker
    from engine.landmarks import make_landmarker

    if _landmarker is None:
        _landmarker = make_landmarker()
    if shutil.disk_usage(output).free < 2**30:
        raise MienError(f"{output}: less than 1 GiB of space is left. Free some and run prepare again.")
    try:
        pack_clip(clip, config, _landmarker, output / "clips" / clip.id)
    except MienError as error:
        return str(error)
    return None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MienError(f"{folder}: cannot make the folder: {error.strerror or error}") from error


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=os.environ.get("TERM") == "dumb",
    )
