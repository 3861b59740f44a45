"""Model and losses as one module, which a training step calls."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mien.train.config import LossConfig
from mien.train.data.dataset import Batch
from mien.train.losses.gan import generator_losses
from mien.train.losses.image import (
    CROP,
    LEFT_EYE,
    LIPS,
    RIGHT_EYE,
    part_squares,
    pyramid_distance,
    square_crop,
)
from mien.train.losses.landmarks import LandmarkDistance
from mien.train.losses.motion import explained, flow_distance, flow_error, occlusion_distance, roughness
from mien.train.losses.perceptual import Perceptual
from mien.train.losses.results import Losses
from mien.train.model import LiveModel
from mien.train.model.paper import Discriminator

RANDOM_CROP = 128
EDGE = 8
"""Ignored border of a crop, pixels: convolutions see zeros beyond it instead of the image."""


class Strokes(NamedTuple):
    """Inputs of the painter, in its order; all at 64 x 64 except ``warped`` (256 x 256)."""

    features: Tensor
    hidden: Tensor
    maps: Tensor
    change: Tensor
    occlusion: Tensor
    warped: Tensor


def crop_corners(points: Tensor, side: int, step: int) -> list[tuple[int, int]]:
    """Top left nodes (x, y) of each sample's crop: around the mouth, around an eye, or anywhere, in turn.

    Multiples of four, so that the painter's coarser levels stay on the same nodes.
    """
    generator = torch.Generator().manual_seed(step)
    jitter = torch.randint(-2, 3, (len(points), 2), generator=generator)
    corners = []
    for k, each in enumerate(points):
        turn = (k + step) % 8
        if turn % 2 == 0:
            centre = each[list(LIPS)].mean(dim=0)
        elif turn < 7:
            eye = (RIGHT_EYE, LEFT_EYE, (*RIGHT_EYE, *LEFT_EYE))[turn // 2]
            centre = each[list(eye)].mean(dim=0)
        else:
            centre = torch.rand(2, generator=generator).to(each) * 2 - 1
        node = (centre + 1) * (63 / 2) - side / 2 + jitter[k].to(each)
        x, y = (int(v) for v in (node / 4).round().mul(4).clamp(0, 64 - side))
        corners.append((x, y))
    return corners


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


def _frame(like: Tensor, border: int) -> Tensor:
    """1 everywhere but 0 along the border."""
    inner = torch.zeros_like(like)
    inner[..., border:-border, border:-border] = 1.0
    return inner


class Objective(nn.Module):
    """Renders a batch and computes its weighted losses.

    Args:
        model: the trained model.
        perceptual: the feature network, or None if no stage needs it.
        critic: a discriminator of crops, which this objective uses but does not train; or None.
        landmarks: the landmark network, or None if no stage needs it.

    Attributes:
        weights: the losses' weights; set by the training loop for each stage.
    """

    def __init__(
        self,
        model: LiveModel,
        perceptual: Perceptual | None,
        critic: Discriminator | None = None,
        landmarks: LandmarkDistance | None = None,
    ) -> None:
        super().__init__()
        self._critic = (critic,)  # in a tuple, so that it is not a submodule
        self.landmarks = landmarks
        self.weights = LossConfig()
        self.model = model
        self.perceptual = perceptual

    def forward(self, batch: Batch, step: int) -> Losses:
        """Losses of one batch; ``step`` determines the random crops."""
        model, weights = self.model, self.weights
        times = len(batch.driving) // len(batch.source)

        def spread(x: Tensor) -> Tensor:
            return x.repeat_interleave(times, dim=0)

        source = spread(batch.source)
        features = spread(model.encode(batch.source))
        seen = model.observe(features, spread(batch.source_points), batch.driving_points, batch.dense)
        heads, hidden = model.correction(seen.features, seen.maps, seen.change, seen.flow)
        made = model.compose(source, features, seen, heads)
        inside = spread(batch.inside)
        blind = inside * (1.0 - batch.teacher[:, 2:])
        visible = batch.teacher[:, 2:]
        if weights.pyramid:
            visible = visible * explained(made.warped, batch.driving)
        trusted = inside * (1.0 - (1.0 - weights.face) * seen.maps[:, -1:])
        parts = {
            "flow": flow_distance(made.flow, batch.teacher, trusted),
            "occlusion": occlusion_distance(made.logits, visible, inside),
            "smooth": roughness(made.flow - seen.flow, 0.1 + blind),
        }
        image, target, whole = made.warped, None, made.warped
        if weights.warped:
            # Uncovered areas count, too: stretched background is better than a second, old outline.
            shown = model.enlarge(inside)
            parts["warped"] = ((made.warped - batch.driving).abs() * shown).sum() / (3.0 * shown.sum() + 1.0)
        if weights.pyramid:
            strokes = Strokes(made.features, hidden, seen.maps, seen.change, made.occlusion, made.warped)
            stress = 1.0 + weights.mouth * seen.maps[:, 3:4] + weights.hidden * blind
            stress = stress + weights.eyes * torch.maximum(seen.maps[:, 0:1], seen.maps[:, 1:2])
            stress = stress + weights.apertures * seen.apertures()
            stress = model.enlarge(inside * stress)
            painted, image, target, whole = self._painted(strokes, made.need, stress, batch, step)
            parts |= painted
        if weights.landmarks and self.landmarks is not None:
            parts["landmarks"] = self.landmarks(whole, batch.driving, batch.driving_points)
        total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        parts["pixels"] = flow_error(made.flow.detach(), batch.teacher, inside)
        return Losses(total, {name: value.detach() for name, value in parts.items()}, image, target=target)

    def _painted(
        self, inputs: Strokes, need: Tensor, stress: Tensor, batch: Batch, step: int
    ) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor]:
        """Losses of the image or of its crops; the generated and target crops; whole images."""
        side, target, warped = self.weights.crop, batch.driving, inputs.warped
        if not side:
            image = inputs.warped + self.model.painter(*inputs).float() * need
            parts = {"pyramid": pyramid_distance(image, target, stress)}
            if self.weights.perceptual and self.perceptual is not None:
                parts["perceptual"] = self._perceptual(image, batch, step)
            return parts, image, target, image
        points = batch.driving_points.repeat_interleave(self.weights.crops, dim=0)
        corners = crop_corners(points, side, step)
        inputs = Strokes(*(cut_out(x, corners, side) for x in inputs))
        need, stress, target = (cut_out(x, corners, side) for x in (need, stress, target))
        image = inputs.warped + self.model.painter(*inputs).float() * need
        parts = {"pyramid": pyramid_distance(image, target, stress * _frame(stress, EDGE))}
        if self.weights.perceptual and self.perceptual is not None:
            middle = slice(EDGE, -EDGE)
            parts["perceptual"] = self.perceptual(image[..., middle, middle], target[..., middle, middle])
        if self.weights.adversarial and self._critic[0] is not None:
            parts |= generator_losses(self._critic[0], image, target)
        return parts, image, target, pasted(warped, image, corners)

    def _perceptual(self, image: Tensor, batch: Batch, step: int) -> Tensor:
        assert self.perceptual is not None
        total = image.new_zeros(())
        both = torch.cat((image, batch.driving), dim=1)
        for centre, half in part_squares(batch.driving_points):
            crop = square_crop(both, centre, half, CROP)
            total = total + self.perceptual(crop[:, :3], crop[:, 3:])
        generator = torch.Generator().manual_seed(step)
        x, y = (int(torch.randint(24, 105, (), generator=generator)) for _ in range(2))
        crop = both[step % min(2, len(both)) :: 2, :, y : y + RANDOM_CROP, x : x + RANDOM_CROP]
        return torch.add(total, self.perceptual(crop[:, :3], crop[:, 3:]))
