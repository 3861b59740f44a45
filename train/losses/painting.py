"""The painter's step: what it is given, what the engine shows of its paint, and the losses on that.

Nothing before the painter depends on it, so where it alone is trained its inputs can be kept.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mien.train.config import LossConfig
from mien.train.data.dataset import Batch
from mien.train.losses.gan import generator_losses
from mien.train.losses.image import LIPS, mouth_square, pyramid_distance, square_crop
from mien.train.losses.perceptual import Perceptual
from mien.train.model.live import Composition, LiveModel, Observation
from mien.train.model.opened_mouth import with_mouth
from mien.train.model.paper import Discriminator

EDGE = 8
"""Ignored border of a crop, pixels: convolutions see zeros beyond it instead of the image."""


def crop_corners(points: Tensor, side: int, step: int) -> list[tuple[int, int]]:
    """Top left nodes (x, y) of each sample's crop around the mouth.

    Multiples of four, so that the painter's coarser levels stay on the same nodes.
    """
    generator = torch.Generator().manual_seed(step)
    jitter = torch.randint(-1, 2, (len(points), 2), generator=generator)
    nodes = (points[:, list(LIPS)].mean(dim=1) + 1) * (63 / 2) - side / 2 + jitter.to(points)
    found = (nodes / 4).round().mul(4).clamp(0, 64 - side).int().tolist()
    return [(x, y) for x, y in found]


def cut_out(values: Tensor, corners: list[tuple[int, int]], side: int) -> Tensor:
    """The crops of ``(B, C, 64, 64)`` or ``(B, C, 256, 256)``: ``side`` nodes, or four pixels per node.

    Several crops of a sample follow each other.
    """
    pixels, crops = values.shape[-1] // 64, len(corners) // len(values)
    return torch.stack(
        [
            values[k // crops, :, pixels * y : pixels * (y + side), pixels * x : pixels * (x + side)]
            for k, (x, y) in enumerate(corners)
        ]
    )


def pasted(whole: Tensor, crops: Tensor, corners: list[tuple[int, int]]) -> Tensor:
    """Images ``(B, 3, 256, 256)`` with their crops, without :data:`EDGE`, pasted back."""
    result, times, side = whole.clone(), len(corners) // len(whole), crops.shape[-1]
    for k, (x, y) in enumerate(corners):
        rows, columns = (slice(4 * at + EDGE, 4 * at + side - EDGE) for at in (y, x))
        result[k // times, :, rows, columns] = crops[k, :, EDGE:-EDGE, EDGE:-EDGE].to(result.dtype)
    return result


class Painting(NamedTuple):
    """The painter's step on crops around mouths (B samples, n nodes, ``4 n`` pixels).

    Attributes:
        strokes: the painter's inputs, in its order: ``(B, C, n, n)``, the last ``(B, 3, 4 n, 4 n)``.
        need: ``(B, 1, 4 n, 4 n)`` how much of the paint passes.
        mesh, front: what the engine draws, ``(B, 3, ...)`` and ``(B, 4, ...)``.
        truth: ``(B, 3, ...)`` the driving image within the mouth's inside, beside it what the engine draws.
        centre, half: ``(B, 2)`` and ``(B,)`` the square that the mouth fills, in units of the crop.
    """

    strokes: tuple[Tensor, ...]
    need: Tensor
    mesh: Tensor
    front: Tensor
    truth: Tensor
    centre: Tensor
    half: Tensor


def painting_of(
    batch: Batch, seen: Observation, hidden: Tensor, made: Composition, side: int, step: int
) -> tuple[Painting, list[tuple[int, int]]]:
    """The painter's step, and the crops' corners; ``side`` in nodes, ``step`` for the crops' places."""
    corners = crop_corners(batch.driving_points, side, step)
    truth = batch.mesh + batch.front[:, 3:] * (batch.driving - batch.mesh)
    inputs = (made.features, hidden, seen.maps, seen.change, made.occlusion, made.warped)
    cut = [cut_out(x, corners, side) for x in (*inputs, made.need, batch.mesh, batch.front, truth)]
    centre, half = mouth_square(batch.driving_points)
    # From the image's units to the crop's, whose outermost pixels' centres are -1 and 1.
    pixels = batch.mesh.shape[-1]
    scale = (pixels - 1) / (4 * side - 1)
    low = torch.tensor(corners).to(centre) * (4 * 2 / (pixels - 1)) - 1
    square = (centre - low) * scale - 1, half * scale
    need, mesh, front, shown = cut[6:]
    return Painting(tuple(cut[:6]), need, mesh, front, shown, *square), corners


def paint_losses(
    model: LiveModel,
    weights: LossConfig,
    given: Painting,
    perceptual: Perceptual | None,
    critic: Discriminator | None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Losses of the mouths as the engine shows them, and the crops."""
    paint = model.painter(*given.strokes).float() * given.need
    image = with_mouth(given.mesh, given.front, given.strokes[-1].float(), paint)
    parts = {"pyramid": pyramid_distance(image, given.truth, given.front[:, 3:])}
    if weights.perceptual and perceptual is not None:
        squares = (square_crop(x, given.centre, given.half, weights.side) for x in (image, given.truth))
        parts["perceptual"] = perceptual(*squares)
    if weights.adversarial and critic is not None:
        parts |= generator_losses(critic, image, given.truth)
    return parts, image
