"""The painter's inputs, computed once per sample and kept in memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mien.train.config import StageConfig
from mien.train.data.dataset import PackedData
from mien.train.losses.objective import Objective
from mien.train.losses.painting import Painting

APART = 1 << 40
"""Numbers of kept samples begin here: those of batches, which count from 0, never meet them."""


class KeptPaintings:
    """Batches of ``count`` samples; batch ``k`` and sample ``j`` depend on the seed and their number alone.

    Args:
        data: where the samples come from.
        objective: its model computes what the painter is given; all but the painter must be frozen.
        count: number of samples.
        seed: of the order.
    """

    def __init__(self, data: PackedData, objective: Objective, count: int, seed: int) -> None:
        self._data, self._objective = data, objective
        self._count, self._seed = count, seed
        self._kept: dict[int, tuple[Tensor, ...]] = {}

    def batch(self, index: int, size: int, stage: StageConfig, rank: int) -> Painting:
        """Batch number ``index``."""
        rng = np.random.default_rng((self._seed, rank, index))
        chosen = rng.choice(self._count, size, replace=self._count < size)
        parts = [self._sample(int(number), stage) for number in chosen]
        columns = [torch.cat(column).float() for column in zip(*parts, strict=True)]
        strokes = len(columns) - len(Painting._fields) + 1
        return Painting(tuple(columns[:strokes]), *columns[strokes:])

    def _sample(self, number: int, stage: StageConfig) -> tuple[Tensor, ...]:
        found = self._kept.get(number)
        if found is None:
            batch = self._data.batch(APART + number, 1, 1, stage.focus, opened=True)
            device = next(self._objective.model.parameters()).device
            batch = type(batch)(*(x.to(device) for x in batch))
            made = self._objective.painting(batch, number, stage.loss.crop)
            found = tuple(x.half().cpu() for x in (*made.strokes, *made[1:]))
            self._kept[number] = found
        return found
