"""Results of one update of the weights, as read by the training loop."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Losses(NamedTuple):
    """Results of one update.

    Attributes:
        total: the minimised value.
        parts: each loss before weighting, detached, for the log.
        image: ``(B, 3, H, W)`` finished image, or crops of it.
        points: ``(B, K, 2)`` its key points, if the preset has any.
        target: target of ``image``, if a discriminator compares them.
    """

    total: Tensor
    parts: dict[str, Tensor]
    image: Tensor
    points: Tensor | None = None
    target: Tensor | None = None
