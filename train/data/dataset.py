"""Batches from packed clips; batch ``k`` depends on the seed and on ``k`` alone, so runs can be resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mien.engine.types import Floats, Image, SourceError, UsageError
from mien.train.data.augment import AugmentConfig, Change, worse_tracking
from mien.train.data.choice import openness
from mien.train.data.openings import with_openings
from mien.train.data.packing import ARRAYS, FORMAT
from mien.train.data.tracking import WHOLE

SHUT_MOUTH = 0.04
MOVED = 0.03
"""Mouth and lid gaps in eye distances: below the first, a mouth is shut; from the second on, it (or a lid)
moved."""


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
    """

    source: Tensor
    source_points: Tensor
    inside: Tensor
    driving: Tensor
    driving_points: Tensor
    dense: Tensor
    teacher: Tensor


@dataclass(frozen=True, slots=True)
class PackedClip:
    """One packed folder, memory-mapped.

    Attributes:
        meta: ``meta.json``.
        arrays: by the names in :data:`mien.train.data.packing.ARRAYS`.
        sources: the rows of the pairs of each source frame.
        importance: ``(P,)``, how instructive a pair is (opening mouths and eyes, uncovered areas).
    """

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]
    sources: tuple[np.ndarray, ...]
    importance: Floats

    @staticmethod
    def open(folder: Path) -> PackedClip:
        """Map a folder written by ``prepare``.

        Raises:
            MienError: it is damaged or of another format.
        """
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            if meta["format"] != FORMAT:
                raise ValueError(f"format {meta['format']}, not {FORMAT}")
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        except (OSError, ValueError, KeyError) as error:
            raise SourceError(f"{folder} is damaged ({error}). Delete it and run prepare again.") from error
        pairs = np.asarray(arrays["pairs"])
        sources = tuple(np.flatnonzero(pairs[:, 0] == s) for s in np.unique(pairs[:, 0]))
        return PackedClip(meta, arrays, sources, _importance(arrays, pairs))


def _importance(arrays: dict[str, np.ndarray], pairs: np.ndarray) -> Floats:
    change = np.abs(np.diff(openness(np.asarray(arrays["landmarks"]))[pairs], axis=1))[:, 0]
    hidden = 1.0 - np.asarray(arrays["teacher"][:, 2, ::2, ::2], np.float32).mean(axis=(1, 2))
    return np.asarray(0.1 + 5.0 * change[:, 0] + 8.0 * change[:, 1] + 0.7 * hidden, dtype=np.float32)


def untorn(still: PackedClip) -> PackedClip | None:
    """A packed still without pairs whose lips or lids a warp cannot have moved; None if none is left.

    A still's driving image is the still itself, warped: where a shut mouth opens, it shows stretched lips and
    no teeth, where eyes close, squeezed eyes and no lids.  A painter must not learn that.
    """
    pairs = np.asarray(still.arrays["pairs"])
    before, after = openness(np.asarray(still.arrays["landmarks"]))[pairs.T]
    torn = (before[:, 0] < SHUT_MOUTH) & (after[:, 0] > before[:, 0] + MOVED)
    torn |= after[:, 1] < before[:, 1] - MOVED
    sources = tuple(rows for all_rows in still.sources if len(rows := all_rows[~torn[all_rows]]))
    return replace(still, sources=sources) if sources else None


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


def still_ids(root: Path, leave_out: str = "") -> list[str]:
    """Ids of the packed stills to train on, without those of the subject that is left out.

    Raises:
        MienError: there are none.
    """
    try:
        split = json.loads((root / "split.json").read_text(encoding="utf-8"))
        ids = [str(name) for name in split.get("stills", ())]
        if leave_out:
            groups = {group for _, group in people(root, split_ids(root, "validation", leave_out)).values()}
            ids = [name for name in ids if _still_group(root, name) not in groups]
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{root} is not an output of prepare. Run mien train prepare first.") from error
    if not ids:
        raise SourceError(f"{root} contains no stills. Run prepare with --stills N, or set data.stills to 0.")
    return ids


def _still_group(root: Path, name: str) -> str:
    meta = json.loads((root / "stills" / name / "meta.json").read_text(encoding="utf-8"))
    return str(meta["clip"]["group"])


class PackedData:
    """Batches from packed clips.

    Args:
        root: output folder of ``prepare``.
        ids: of the clips.
        augment: augmentation of the samples; None for none.
        seed: of the order and of the augmentation.
        stills: ids of packed stills to mix in.
        share: share of sources that are stills; with 0, batches are the same as without stills.
    """

    def __init__(
        self,
        root: Path,
        ids: Sequence[str],
        augment: AugmentConfig | None,
        seed: int,
        stills: Sequence[str] = (),
        share: float = 0.0,
    ) -> None:
        self.clips = [PackedClip.open(root / "clips" / name) for name in ids]
        opened = (PackedClip.open(root / "stills" / name) for name in stills)
        self.stills = [still for clip in opened if (still := untorn(clip)) is not None]
        self._share = share if self.stills else 0.0
        self._augment = augment
        self._seed = seed

    def batch(self, index: int, sources: int, drivings: int, focus: float, rank: int = 0) -> Batch:
        """Assemble batch number ``index``.

        Args:
            sources, drivings: ``S`` and ``D``.
            focus: 0 draws pairs uniformly, 1 in proportion to their importance.
            rank: of the process in distributed training.
        """
        rng = np.random.default_rng((self._seed, rank, index))
        parts = [self._group(rng, drivings, focus) for _ in range(sources)]
        return Batch(*(torch.from_numpy(np.concatenate(column)) for column in zip(*parts, strict=True)))

    def _group(self, rng: np.random.Generator, drivings: int, focus: float) -> tuple[np.ndarray, ...]:
        # Without stills no random number is drawn for them, so that batch k stays the same.
        still = self._share > 0 and rng.random() < self._share
        clips = self.stills if still else self.clips
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
        source = _planes(change.image(np.asarray(arrays["frames"][pairs[0, 0]])))
        driving = [_planes(change.image(np.asarray(arrays["frames"][d]))) for d in pairs[:, 1]]
        moved, dense = [], []
        for row in rows:
            seen = WHOLE.normalised(np.asarray(arrays["landmarks"][arrays["pairs"][row, 1], :, :2]))
            points, measured = with_openings(
                np.asarray(arrays["driving_points"][row]),
                np.asarray(arrays["dense"][row], np.float32),
                seen,
                np.asarray(arrays["source_points"][row]),
            )
            points, measured = change.points(points), change.field(measured)
            if self._augment:
                points, measured = worse_tracking(points, measured, self._augment, rng)
            moved.append(points)
            dense.append(measured)
        teacher = [change.field(np.asarray(arrays["teacher"][row], np.float32)) for row in rows]
        return (
            source[None],
            change.points(np.asarray(arrays["source_points"][rows[0]]))[None],
            change.inside()[None, None],
            np.stack(driving),
            np.stack(moved),
            np.stack(dense),
            np.stack(teacher),
        )


def _planes(image: Image) -> Floats:
    planes: Floats = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
    planes /= 255.0
    return planes
