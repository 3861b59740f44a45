"""Batches for the ``paper`` preset from packed clips: pairs of images with the 18 points of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.paper.points import given_points
from mien.engine.types import Floats, Image
from mien.train.data.augment import AugmentConfig, Change
from mien.train.data.packed_clip import PackedClip
from mien.train.data.tracking import WHOLE


class PaperBatch(NamedTuple):
    """Pairs of one person each.

    Attributes:
        source, driving: ``(B, 3, size, size)`` in 0..1.
        source_points, driving_points: ``(B, 18, 2)`` pixel indices, each image's own.
    """

    source: Tensor
    source_points: Tensor
    driving: Tensor
    driving_points: Tensor


class PaperData:
    """Batches from packed clips; batch ``k`` depends on the seed and on ``k`` alone.

    Args:
        root: output folder of ``prepare``.
        ids: of the clips.
        augment: augmentation (the same for both images of a pair); None for none.
        seed: of the order and of the augmentation.
        size: side of the images.
    """

    def __init__(
        self, root: Path, ids: Sequence[str], augment: AugmentConfig | None, seed: int, size: int = IMAGE_SIZE
    ) -> None:
        self.clips = [PackedClip.open(root / "clips" / name) for name in ids]
        self._augment, self._seed, self._size = augment, seed, size

    def batch(self, index: int, count: int, focus: float, rank: int = 0) -> PaperBatch:
        """Batch number ``index`` with ``count`` pairs; ``focus`` as in :meth:`PackedData.batch`."""
        rng = np.random.default_rng((self._seed, rank, index))
        pairs = [self._pair(rng, focus) for _ in range(count)]
        return PaperBatch(*(torch.from_numpy(np.stack(column)) for column in zip(*pairs, strict=True)))

    def _pair(self, rng: np.random.Generator, focus: float) -> tuple[np.ndarray, ...]:
        clip = self.clips[rng.integers(len(self.clips))]
        weights = clip.importance.astype(np.float64) ** focus
        row = rng.choice(len(weights), p=weights / weights.sum())
        change = Change.drawn(self._augment, rng) if self._augment else Change()
        found: list[np.ndarray] = []
        for frame in clip.arrays["pairs"][row]:
            image = change.image(np.asarray(clip.arrays["frames"][frame]))
            # Mirroring swaps a face's left and right landmarks, and so its 18 points.
            seen = WHOLE.normalised(np.asarray(clip.arrays["landmarks"][frame, :, :2]))
            points = (given_points(change.points(seen)) + 1) * ((IMAGE_SIZE - 1) / 2)
            found += self._resized(image, points)
        return tuple(found)

    def _resized(self, image: Image, points: Floats) -> tuple[Floats, Floats]:
        size = self._size
        if size != IMAGE_SIZE:
            image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
            points = (points + 0.5) * (size / IMAGE_SIZE) - 0.5
        planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32) / 255.0
        return planes.astype(np.float32), points.astype(np.float32)
