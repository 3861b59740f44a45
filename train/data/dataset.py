"""Batches from packed clips; batch ``k`` depends on the seed and on ``k`` alone, so runs can be resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.types import Floats, Image, SourceError, UsageError
from mien.train.data.augment import AugmentConfig, Change, worse_tracking
from mien.train.data.packed_clip import PackedClip, untorn


class Batch(NamedTuple):
    """``S`` sources with ``D`` driving frames each; ``B = S * D``, grouped by source.

    Attributes:
        source: ``(S, 3, 256, 256)`` in 0..1.
        source_points: ``(S, 478, 2)``.
        inside: ``(S, 1, 64, 64)`` 1 inside the images, 0 where their border repeats.
        driving: ``(B, 3, 256, 256)``, the target images.
        driving_points: ``(B, 478, 2)``.
        dense: ``(B, 3, 64, 64)``, as measured by the live tracker.
        teacher: ``(B, 3, 64, 64)``, teacher flow and visibility.
        mesh: ``(B, 3, 256, 256)``, what the engine draws without the network.
        front: ``(B, 4, 256, 256)``, the mouth's inside and how far it covers the rest, 0..1.
    """

    source: Tensor
    source_points: Tensor
    inside: Tensor
    driving: Tensor
    driving_points: Tensor
    dense: Tensor
    teacher: Tensor
    mesh: Tensor
    front: Tensor


def split_ids(root: Path, part: str, leave_out: str = "") -> list[str]:
    """Ids of the clips in a part (``train`` or ``validation``) of the output of ``prepare``.

    Args:
        leave_out: a subject (leave-one-subject-out): validation uses all of its clips, and training all
            others that share no group with them, regardless of the split made by ``prepare``.

    Raises:
        MienError: ``root`` is not such a folder, the part is empty, or there is no such subject.
    """
    try:
        split = json.loads((root / "split.json").read_text(encoding="utf-8"))
        ids = [str(name) for name in split[part]]
        if leave_out:
            ids = _left_out(root, [*split["train"], *split["validation"]], part, leave_out)
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{root} is not an output of prepare. Run mien train prepare first.") from error
    if not ids:
        raise SourceError(
            f"{root}: no clips in the part {part}. Prepare more people, or choose another share."
        )
    return ids


def people(root: Path, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Subject and group of packed clips by id.

    Raises:
        OSError, ValueError, KeyError: a clip is missing or damaged.
    """
    found = {}
    for name in ids:
        clip = json.loads((root / "clips" / name / "meta.json").read_text(encoding="utf-8"))["clip"]
        found[name] = (str(clip["subject"]), str(clip["group"]))
    return found


def _left_out(root: Path, ids: Sequence[str], part: str, subject: str) -> list[str]:
    who = people(root, ids)
    inside = [name for name in ids if who[name][0] == subject]
    if not inside:
        known = ", ".join(sorted({person for person, _ in who.values()}))
        raise UsageError(f"{root}: {subject} is not a subject; known: {known}.")
    groups = {who[name][1] for name in inside}
    return inside if part == "validation" else [name for name in ids if who[name][1] not in groups]


def still_ids(root: Path, leave_out: str = "", kind: Literal["stills", "mouths"] = "stills") -> list[str]:
    """Ids of the packed stills to train on, without those of the subject that is left out.

    Raises:
        MienError: there are none.
    """
    try:
        split = json.loads((root / "split.json").read_text(encoding="utf-8"))
        ids = [str(name) for name in split.get(kind, ())]
        if leave_out:
            groups = {group for _, group in people(root, split_ids(root, "validation", leave_out)).values()}
            ids = [name for name in ids if _still_group(root / kind, name) not in groups]
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{root} is not an output of prepare. Run mien train prepare first.") from error
    if not ids:
        raise SourceError(f"{root} contains no {kind}. Run prepare with --{kind} N, or set data.{kind} to 0.")
    return ids


def _still_group(folder: Path, name: str) -> str:
    meta = json.loads((folder / name / "meta.json").read_text(encoding="utf-8"))
    return str(meta["clip"]["group"])


@dataclass(frozen=True, slots=True)
class Extra:
    """A kind of portraits that sources are drawn from besides the clips.

    Attributes:
        kind: its folder: ``stills`` (moved by clips' motion) or ``mouths`` (closed by the engine).
        share: of the sources.
        ids: of the packed folders.
    """

    kind: Literal["stills", "mouths"]
    share: float
    ids: Sequence[str]

    def opened(self, root: Path) -> list[PackedClip]:
        """Map the folders, without pairs that a warp cannot have made."""
        clips = [PackedClip.open(root / self.kind / name) for name in self.ids]
        if self.kind == "stills":
            return [still for clip in clips if (still := untorn(clip)) is not None]
        return clips


@dataclass(frozen=True, slots=True)
class Pool:
    """What sources are drawn from: clips, and other portraits with their shares."""

    clips: list[PackedClip]
    extra: list[tuple[float, list[PackedClip]]]

    def drawn(self, rng: np.random.Generator) -> list[PackedClip]:
        """One of the kinds.  Without others no number is drawn, so that batch k stays the same."""
        there = [(share, clips) for share, clips in self.extra if clips and share > 0]
        chance = rng.random() if there else 1.0
        for share, clips in there:
            if chance < share or not self.clips:
                return clips
            chance -= share
        return self.clips


def _only_opened(clips: list[PackedClip]) -> list[PackedClip]:
    return [found for clip in clips if (found := clip.only_opened()) is not None]


class PackedData:
    """Batches from packed clips.

    Args:
        root: output folder of ``prepare``.
        ids: of the clips.
        augment: augmentation of the samples; None for none.
        seed: of the order and of the augmentation.
        extra: what else sources are drawn from.
    """

    def __init__(
        self,
        root: Path,
        ids: Sequence[str],
        augment: AugmentConfig | None,
        seed: int,
        extra: Sequence[Extra] = (),
    ) -> None:
        self.clips = [PackedClip.open(root / "clips" / name) for name in ids]
        self.extra = [(kind.share, kind.opened(root)) for kind in extra]
        self._augment = augment
        self._seed = seed
        self._opened: Pool | None = None

    def batch(
        self, index: int, sources: int, drivings: int, focus: float, rank: int = 0, opened: bool = False
    ) -> Batch:
        """Assemble batch number ``index``.

        Args:
            sources, drivings: ``S`` and ``D``.
            focus: 0 draws pairs uniformly, 1 in proportion to their importance.
            rank: of the process in distributed training.
            opened: draw only pairs in which the engine opens a mouth.
        """
        rng = np.random.default_rng((self._seed, rank, index))
        pool = self._opened_pool() if opened else Pool(self.clips, self.extra)
        parts = [self._group(pool, rng, drivings, focus) for _ in range(sources)]
        return Batch(*(torch.from_numpy(np.concatenate(column)) for column in zip(*parts, strict=True)))

    def _opened_pool(self) -> Pool:
        if self._opened is None:
            extra = [(share, _only_opened(clips)) for share, clips in self.extra]
            self._opened = Pool(_only_opened(self.clips), extra)
            if not self._opened.clips and not any(clips for share, clips in extra if share > 0):
                raise SourceError("No packed pair opens a mouth. Prepare clips of people who speak.")
        return self._opened

    def _group(
        self, pool: Pool, rng: np.random.Generator, drivings: int, focus: float
    ) -> tuple[np.ndarray, ...]:
        clips = pool.drawn(rng)
        clip = clips[rng.integers(len(clips))]
        rows = clip.sources[rng.integers(len(clip.sources))]
        weights = clip.importance[rows].astype(np.float64) ** focus
        chosen = rng.choice(rows, drivings, replace=len(rows) < drivings, p=weights / weights.sum())
        change = Change.drawn(self._augment, rng) if self._augment else Change()
        return self.assemble(clip, chosen, change, rng)

    def assemble(
        self, clip: PackedClip, rows: np.ndarray, change: Change, rng: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """The arrays of a :class:`Batch` with one source, for pairs ``rows`` of one source frame."""
        arrays = clip.arrays
        pairs = arrays["pairs"][rows]
        source = change.portrait(np.asarray(arrays["frames"][pairs[0, 0]]))
        driving = [_planes(change.image(np.asarray(arrays["frames"][d]))) for d in pairs[:, 1]]
        moved, dense = [], []
        for row in rows:
            points = change.points(np.asarray(arrays["driving_points"][row]))
            measured = change.field(np.asarray(arrays["dense"][row], np.float32))
            if self._augment:
                points, measured = worse_tracking(points, measured, self._augment, rng)
            moved.append(points)
            dense.append(measured)
        teacher = [change.field(np.asarray(arrays["teacher"][row], np.float32)) for row in rows]
        return (
            _planes(source)[None],
            change.points(np.asarray(arrays["source_points"][rows[0]]))[None],
            change.inside()[None, None],
            np.stack(driving),
            np.stack(moved),
            np.stack(dense),
            np.stack(teacher),
            np.stack([_planes(change.image(np.asarray(arrays["mesh"][row]))) for row in rows]),
            np.stack([_planes(change.layer(_front(arrays, row))) for row in rows]),
        )


def _front(arrays: dict[str, np.ndarray], row: int) -> Image:
    """``(256, 256, 4) uint8`` of the packed square."""
    packed, (top, left) = arrays["front"][row], arrays["corner"][row]
    whole = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 4), np.uint8)
    whole[top : top + packed.shape[0], left : left + packed.shape[1]] = packed
    return whole


def _planes(image: Image) -> Floats:
    planes: Floats = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
    planes /= 255.0
    return planes
