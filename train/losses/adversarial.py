"""Objectives of the ``paper`` preset: section 3.5 of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.train.config import PaperLossConfig
from mien.train.data.paper import PaperBatch
from mien.train.losses.equivariance import Distortion, distorted_pixels, equivariance
from mien.train.losses.gan import distance_to, lsgan
from mien.train.losses.perceptual import Perceptual
from mien.train.losses.results import Losses
from mien.train.model.grid import full_precision
from mien.train.model.paper import Discriminator, KeyPoints, PaperModel
from mien.train.model.paper.layers import Reduce


class Pyramid(nn.Module):
    """An image at several scales (blurred before it is reduced)."""

    def __init__(self, scales: tuple[float, ...]) -> None:
        super().__init__()
        factors = [round(1 / scale) for scale in scales]
        self.levels = nn.ModuleList(Reduce(3, f) if f > 1 else nn.Identity() for f in factors)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [level(image) for level in self.levels]


def _weighed(parts: dict[str, Tensor], weights: PaperLossConfig, image: Tensor, points: Tensor) -> Losses:
    total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return Losses(total, {name: value.detach() for name, value in parts.items()}, image, points)


class PaperObjective(nn.Module):
    """Objective of detector and generator: perceptual pyramid, LSGAN, feature matching, equivariance.

    Args:
        model: the trained model.
        critic: the discriminator, which this objective uses but does not train.
        perceptual: feature network.
    """

    def __init__(
        self, model: PaperModel, critic: Discriminator, perceptual: Perceptual, weights: PaperLossConfig
    ) -> None:
        super().__init__()
        self.model = model
        self.perceptual = perceptual
        self.weights = weights
        self.pyramid = Pyramid(weights.scales)
        self.critic_pyramid = Pyramid(critic.config.scales)
        self._critic = (critic,)  # in a tuple, so that it is not a submodule

    def forward(self, batch: PaperBatch, step: int) -> Losses:
        """Losses of one batch; ``step`` determines the distortion."""
        weights, model = self.weights, self.model
        source = self._detect(batch.source, batch.source_points)
        driving = self._detect(batch.driving, batch.driving_points)
        image = model(batch.source, source, driving).prediction
        parts = {"perceptual": self._perceptual(image, batch.driving)}
        if weights.generator_gan or weights.feature_matching:
            parts |= self._adversarial(image, batch.driving, driving)
        if weights.equivariance_value or weights.equivariance_jacobian:
            parts |= self._equivariance(batch, driving, step)
        return _weighed(parts, weights, image, driving.points.detach())

    def _detect(self, image: Tensor, points: Tensor) -> KeyPoints:
        return self.model.detect(image, points if self.model.config.given_points else None)

    def _perceptual(self, image: Tensor, target: Tensor) -> Tensor:
        pairs = zip(self.pyramid(image.float()), self.pyramid(target), strict=True)
        return torch.stack([self.perceptual(a, b) for a, b in pairs]).sum()

    def _adversarial(self, image: Tensor, target: Tensor, keys: KeyPoints) -> dict[str, Tensor]:
        critic, points = self._critic[0].requires_grad_(False), keys.points.detach()
        with torch.no_grad():
            real = critic(self.critic_pyramid(target), points)
        made = critic(self.critic_pyramid(image), points)
        return {"generator_gan": distance_to(made, 1.0), "feature_matching": lsgan(real, made)}

    def _equivariance(self, batch: PaperBatch, keys: KeyPoints, step: int) -> dict[str, Tensor]:
        weights, image = self.weights, batch.driving
        with full_precision(image.device):
            distortion = Distortion.drawn(
                len(image), weights.sigma_affine, weights.sigma_tps, weights.points_tps, step, image
            )
            distorted = distortion.image(image)
            pixels = distorted_pixels(distortion, batch.driving_points, image.shape[-1])
        seen = self._detect(distorted, pixels)
        with full_precision(image.device):
            return equivariance(keys, seen, distortion)


class CriticObjective(nn.Module):
    """Objective of the discriminator: LSGAN."""

    def __init__(self, critic: Discriminator, weights: PaperLossConfig) -> None:
        super().__init__()
        self.critic = critic
        self.weights = weights
        self.pyramid = Pyramid(critic.config.scales)

    def forward(self, batch: PaperBatch, step: int, before: Losses) -> Losses:
        """Losses of the same batch, with the generator's results in ``before``."""
        critic, made = self.critic.requires_grad_(True), before.image.detach()
        assert before.points is not None
        real = critic(self.pyramid(batch.driving), before.points)
        fake = critic(self.pyramid(made), before.points)
        parts = {"discriminator_gan": distance_to(real, 1.0) + distance_to(fake, 0.0)}
        return _weighed(parts, self.weights, made, before.points)
