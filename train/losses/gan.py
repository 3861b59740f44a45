"""What follows from a discriminator's opinions: LSGAN (Mao et al., ICCV 2017) and feature matching."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.train.config import LossConfig
from mien.train.losses.results import Losses
from mien.train.model.paper.discriminator import Discriminator, Opinion


def distance_to(opinions: list[Opinion], goal: float) -> Tensor:
    """Mean squared distance of the scores to ``goal``, summed over the scales."""
    return torch.stack([(opinion.score.float() - goal).square().mean() for opinion in opinions]).sum()


def lsgan(real: list[Opinion], made: list[Opinion]) -> Tensor:
    """Feature matching: L1 of the discriminator's features, summed over blocks and scales."""
    pairs = [
        (a, b) for x, y in zip(real, made, strict=True) for a, b in zip(x.features, y.features, strict=True)
    ]
    return torch.stack([(a.float() - b.float()).abs().mean() for a, b in pairs]).sum()


def generator_losses(critic: Discriminator, made: Tensor, real: Tensor) -> dict[str, Tensor]:
    """The painter's side, for crops ``(B, 3, h, w)``: ``adversarial`` and ``matching``."""
    critic = critic.requires_grad_(False)
    with torch.no_grad():
        wanted = critic([real])
    said = critic([made])
    return {"adversarial": distance_to(said, 1.0), "matching": lsgan(wanted, said)}


class CropCritic(nn.Module):
    """What the discriminator of the ``live`` preset minimises, on the crops that the painter made.

    Attributes:
        weights: the losses' weights; without ``adversarial`` nothing is learned in a stage.
    """

    def __init__(self, critic: Discriminator) -> None:
        super().__init__()
        self.critic = critic
        self.weights = LossConfig()

    def forward(self, batch: object, step: int, before: Losses) -> Losses:
        """The same step, with what the painter made of it and what it should have made."""
        made = before.image.detach()
        if not self.weights.adversarial or before.target is None:
            return Losses(made.new_zeros(()), {}, made)
        critic = self.critic.requires_grad_(True)
        total = distance_to(critic([before.target]), 1.0) + distance_to(critic([made]), 0.0)
        return Losses(total, {"critic": total.detach()}, made)
