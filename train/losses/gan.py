"""Losses on discriminator outputs: LSGAN (Mao et al., ICCV 2017) and feature matching."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.train.config import LossConfig
from mien.train.losses.results import Losses
from mien.train.model.paper.discriminator import Discriminator, DiscriminatorOutput


def distance_to(outputs: list[DiscriminatorOutput], goal: float) -> Tensor:
    """Mean squared distance of the scores to ``goal``, summed over the scales."""
    return torch.stack([(output.score.float() - goal).square().mean() for output in outputs]).sum()


def lsgan(real: list[DiscriminatorOutput], made: list[DiscriminatorOutput]) -> Tensor:
    """Feature matching: L1 of the discriminator's features, summed over blocks and scales."""
    pairs = [
        (a, b) for x, y in zip(real, made, strict=True) for a, b in zip(x.features, y.features, strict=True)
    ]
    return torch.stack([(a.float() - b.float()).abs().mean() for a, b in pairs]).sum()


def generator_losses(critic: Discriminator, made: Tensor, real: Tensor) -> dict[str, Tensor]:
    """Generator losses for crops ``(B, 3, h, w)``: ``adversarial`` and ``matching``."""
    critic = critic.requires_grad_(False)
    with torch.no_grad():
        wanted = critic([real])
    said = critic([made])
    return {"adversarial": distance_to(said, 1.0), "matching": lsgan(wanted, said)}


class CropCritic(nn.Module):
    """Objective of the ``live`` preset's discriminator, on the crops made by the painter.

    Attributes:
        weights: the losses' weights; a stage without ``adversarial`` trains nothing here.
    """

    def __init__(self, critic: Discriminator) -> None:
        super().__init__()
        self.critic = critic
        self.weights = LossConfig()

    def forward(self, batch: object, step: int, before: Losses) -> Losses:
        """Losses of the same step, with the painter's results and targets in ``before``."""
        made = before.image.detach()
        if not self.weights.adversarial or before.target is None:
            return Losses(made.new_zeros(()), {}, made)
        critic = self.critic.requires_grad_(True)
        total = distance_to(critic([before.target]), 1.0) + distance_to(critic([made]), 0.0)
        return Losses(total, {"critic": total.detach()}, made)
