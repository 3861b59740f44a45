"""Losses of one update of the weights, as the training loop reads them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Losses(NamedTuple):
    """Results of one update.

    Attributes:
        total: what is minimised.
        parts: each loss before its weight, detached, for the log.
        image: ``(B, 3, H, W)`` finished picture, or crops of it.
        points: ``(B, K, 2)`` its key points, where the preset has some.
        target: what ``image`` should be, where a discriminator compares them.
    """

    total: Tensor
    parts: dict[str, Tensor]
    image: Tensor
    points: Tensor | None = None
    target: Tensor | None = None
