"""Equivariance: effect that a known distortion of an image must have on its key points (FOMM, section 3.4).

A distortion T gives the image ``distorted(z) = image(T(z))``.  A point of the image at p is then at
``T^-1(p)``, and the local frames obey ``J(p) = T'(T^-1 p) J'(T^-1 p)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.train.model.paper.geometry import KeyPoints, coordinates, inverse

ROUNDS = 12
"""Fixed-point iterations of the inverse; each reduces its error tenfold."""


@dataclass(frozen=True, slots=True)
class Distortion:
    """A random affine map and a smooth bend, close to the identity; normalised coordinates.

    Attributes:
        affine: ``(B, 2, 3)``.
        knots: ``(N, 2)`` of the bend, and ``bend``: ``(B, N)`` its strength at each.
    """

    affine: Tensor
    knots: Tensor
    bend: Tensor

    @staticmethod
    def drawn(batch: int, affine: float, bend: float, side: int, seed: int, like: Tensor) -> Distortion:
        """Draw a random distortion for each of ``batch`` images.

        Args:
            affine, bend: standard deviations.
            side: ``side * side`` knots.
            seed: the same seed gives the same distortions on any device.
        """
        generator = torch.Generator().manual_seed(seed)
        matrix = torch.eye(2, 3) + affine * torch.randn(batch, 2, 3, generator=generator)
        strength = bend * torch.randn(batch, side * side, generator=generator)
        knots = coordinates(side, side, torch.zeros(())).reshape(-1, 2)
        return Distortion(*(x.to(like.device) for x in (matrix, knots, strength)))

    def at(self, points: Tensor) -> Tensor:
        """``T`` at points ``(B, N, 2)``."""
        moved = points @ self.affine[:, :, :2].transpose(1, 2) + self.affine[:, None, :, 2]
        distance = self._away(points).abs().sum(dim=-1)
        bent = distance.square() * torch.log(distance + 1e-6) * self.bend[:, None]
        return moved + bent.sum(dim=2, keepdim=True)

    def slope(self, points: Tensor) -> Tensor:
        """``T'`` at points: ``(B, N, 2, 2)``."""
        away = self._away(points)
        distance = away.abs().sum(dim=-1)
        steep = 2 * distance * torch.log(distance + 1e-6) + distance.square() / (distance + 1e-6)
        row = ((steep * self.bend[:, None])[..., None] * away.sign()).sum(dim=2)
        return self.affine[:, None, :, :2] + torch.stack((row, row), dim=2)

    def inverse(self, points: Tensor) -> Tensor:
        """``T^-1`` at points, by fixed-point iteration; without gradient."""
        with torch.no_grad():
            found = points
            for _ in range(ROUNDS):
                found = found - (self.at(found) - points)
        return found

    def image(self, image: Tensor) -> Tensor:
        """The distorted image ``(B, C, H, W)``, mirrored beyond the border."""
        height, width = image.shape[2:]
        grid = coordinates(height, width, image.float()).reshape(1, -1, 2).expand(len(image), -1, -1)
        places = self.at(grid).reshape(-1, height, width, 2)
        return F.grid_sample(
            image.float(), places, mode="bilinear", padding_mode="reflection", align_corners=True
        )

    def _away(self, points: Tensor) -> Tensor:
        return points[:, :, None] - self.knots


def distorted_pixels(distortion: Distortion, points: Tensor, size: int) -> Tensor:
    """Positions of given points, pixel indices ``(B, K, 2)``, in the distorted image of ``size`` pixels."""
    half = (size - 1) / 2
    return (distortion.inverse(points / half - 1) + 1) * half


def equivariance(keys: KeyPoints, seen: KeyPoints, distortion: Distortion) -> dict[str, Tensor]:
    """The two losses between an image's key points and those of the distorted image.

    The value term compares the positions of the heat maps: given points are correct by construction, so a
    loss on them would have no gradient.
    """
    value = (keys.located - distortion.at(seen.located)).abs().mean()
    local = inverse(keys.jacobians) @ (distortion.slope(seen.points) @ seen.jacobians)
    identity = torch.eye(2, dtype=local.dtype, device=local.device)
    return {"equivariance_value": value, "equivariance_jacobian": (identity - local).abs().mean()}
