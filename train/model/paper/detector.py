"""Key point detector: section 3.2 of the paper (region focusing) and its learned local affines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.train.model.grid import full_precision
from mien.train.model.paper.config import PaperConfig
from mien.train.model.paper.geometry import KeyPoints, coordinates, region_mask
from mien.train.model.paper.layers import Hourglass, Reduce


class KeyPointDetector(nn.Module):
    """Image (and given points) to key points with Jacobians."""

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        self.predictor = Hourglass(
            3 + config.given_points, config.detector_width, config.detector_most, config.detector_blocks
        )
        channels = self.predictor.outputs
        self.kp = nn.Conv2d(channels, config.points, 7)
        if config.jacobians:
            count = 1 if config.single_jacobian else config.points
            self.jacobian = nn.Conv2d(channels, 4 * count, 7)
            nn.init.zeros_(self.jacobian.weight)
            with torch.no_grad():
                identity = torch.tensor([1.0, 0.0, 0.0, 1.0])
                self.jacobian.bias.copy_(identity.repeat(count))  # type: ignore[union-attr]
        if config.reduction > 1:
            self.down = Reduce(3, config.reduction)

    def forward(self, image: Tensor, points: Tensor | None = None) -> KeyPoints:
        """Detect the key points of ``image``.

        Args:
            image: ``(B, 3, image_size, image_size)`` in 0..1.
            points: ``(B, K, 2)`` pixel indices (x, y) of the given points; None if the detector finds them.

        Raises:
            ValueError: points are missing, or given to a detector that finds its own.
        """
        config = self.config
        if (points is not None) != config.given_points:
            raise ValueError("this detector finds its own points" if points is not None else "points needed")
        small = self.down(image) if config.reduction > 1 else image
        if points is not None:
            mask = region_mask(points, image.shape[-1], small.shape[-1], config.mask_sigma)
            small = torch.cat((small, mask.to(small.dtype)), dim=1)
        features = self.predictor(small)
        logits = self.kp(features)
        maps = self.jacobian(features) if config.jacobians else None
        with full_precision(image.device):
            return self._read(logits.float(), None if maps is None else maps.float(), points, image.shape[-1])

    def _read(self, logits: Tensor, maps: Tensor | None, points: Tensor | None, size: int) -> KeyPoints:
        """Key points from heat maps' logits ``(B, K, h, w)`` and Jacobian maps ``(B, 4 K, h, w)``."""
        batch, count, height, width = logits.shape
        heat = torch.softmax(logits.flatten(2) / self.config.temperature, dim=2)
        grid = coordinates(height, width, heat).flatten(0, 1)
        located = (heat[..., None] * grid).sum(dim=2)
        if maps is None:
            identity = torch.eye(2, dtype=heat.dtype, device=heat.device)
            jacobians = identity.expand(batch, count, 2, 2)
        else:
            planes = maps.reshape(batch, -1, 4, height * width)
            jacobians = (heat[:, :, None] * planes).sum(dim=3).reshape(batch, count, 2, 2)
        placed = located if points is None else points.float() * 2 / size - 1
        return KeyPoints(placed, jacobians, located)
