"""One packed clip or still, memory-mapped, and which of its pairs teach what."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.types import Floats, SourceError
from mien.train.data.choice import openness
from mien.train.data.packing import ARRAYS, FORMAT

SHUT_MOUTH = 0.04
MOVED = 0.03
"""Mouth and lid gaps in eye distances: below the first, a mouth is shut; from the second on, it (or a lid)
moved."""

OPENED = 12
"""Pixels of the mouth's inside from which on a pair teaches something about it."""


@dataclass(frozen=True, slots=True)
class PackedClip:
    """One packed folder, memory-mapped.

    Attributes:
        meta: ``meta.json``.
        arrays: by the names in :data:`mien.train.data.packing.ARRAYS`.
        sources: the rows of the pairs of each source frame.
        importance: ``(P,)``, how instructive a pair is (opening mouths and eyes, uncovered areas).
        opened: ``(P,) bool``, whether the engine opens the mouth beyond what the source shows of it.
    """

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]
    sources: tuple[np.ndarray, ...]
    importance: Floats
    opened: np.ndarray

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
        covered = (arrays["front"][..., 3] > 127).sum(axis=(1, 2))
        return PackedClip(meta, arrays, sources, _importance(arrays, pairs), covered >= OPENED)

    def only_opened(self) -> PackedClip | None:
        """The clip with the pairs alone in which the engine opens a mouth; None if there are none."""
        sources = tuple(rows for all_rows in self.sources if len(rows := all_rows[self.opened[all_rows]]))
        return replace(self, sources=sources) if sources else None


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
