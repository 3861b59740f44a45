"""Model and losses as one module, which a training step calls."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.train.config import LossConfig
from mien.train.data.dataset import Batch
from mien.train.losses.landmarks import LandmarkDistance
from mien.train.losses.motion import explained, flow_distance, flow_error, occlusion_distance, roughness
from mien.train.losses.painting import Painting, paint_losses, painting_of, pasted
from mien.train.losses.perceptual import Perceptual
from mien.train.losses.results import Losses
from mien.train.model import LiveModel
from mien.train.model.live import Composition, Observation
from mien.train.model.paper import Discriminator


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

    def forward(self, batch: Batch | Painting, step: int) -> Losses:
        """Losses of one batch, or of the painter's step alone; ``step`` determines the crops."""
        if isinstance(batch, Painting):
            parts, image = paint_losses(self.model, self.weights, batch, self.perceptual, self._critic[0])
            found = {name: value.detach() for name, value in parts.items()}
            return Losses(self._weighed(parts), found, image, target=batch.truth)
        model, weights = self.model, self.weights
        seen, hidden, made = self._before_painting(batch)
        inside = batch.inside.repeat_interleave(len(batch.driving) // len(batch.source), dim=0)
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
            side = weights.crop or model.config.field_size
            given, corners = painting_of(batch, seen, hidden, made, side, step)
            painted, image = paint_losses(model, weights, given, self.perceptual, self._critic[0])
            parts |= painted
            target, whole = given.truth, pasted(batch.mesh, image, corners)
        if weights.landmarks and self.landmarks is not None:
            parts["landmarks"] = self.landmarks(whole, batch.driving, batch.driving_points)
        total = self._weighed(parts)
        parts["pixels"] = flow_error(made.flow.detach(), batch.teacher, inside)
        return Losses(total, {name: value.detach() for name, value in parts.items()}, image, target=target)

    def _weighed(self, parts: dict[str, Tensor]) -> Tensor:
        return torch.stack([getattr(self.weights, name) * value for name, value in parts.items()]).sum()

    @torch.no_grad()
    def painting(self, batch: Batch, step: int, crop: int) -> Painting:
        """What the painter is given for a batch, to be passed in the batch's place; ``crop`` as in its loss.

        Batches are made ahead, perhaps before :attr:`weights` are those of their stage.
        """
        side = crop or self.model.config.field_size
        return painting_of(batch, *self._before_painting(batch), side, step)[0]

    def _before_painting(self, batch: Batch) -> tuple[Observation, Tensor, Composition]:
        model, times = self.model, len(batch.driving) // len(batch.source)
        source, features, points = (
            x.repeat_interleave(times, dim=0)
            for x in (batch.source, model.encode(batch.source), batch.source_points)
        )
        seen = model.observe(features, points, batch.driving_points, batch.dense)
        heads, hidden = model.correction(seen.features, seen.maps, seen.change, seen.flow)
        return seen, hidden, model.compose(source, features, seen, heads)
