"""The facial prior: landmarks in, a dense backward flow and soft region maps out.

It takes the place of the paper's region focusing module (section 3.2) and of the sparse-to-dense part of its
motion prediction (3.3), but its points move with every frame, and it is closed-form: nothing is learned.

A Gaussian on a pixel grid is a product of one in x and one in y, so the pixels-by-landmarks matrix
(4096 x 478) is never built: kernel regression is a matrix product of two 64 x 478 factors.
All of it is FP32 in every runtime: in bf16 the error of distances exceeds a region's width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mien.train.model.config import LiveConfig
from mien.train.model.grid import base_grid, full_precision
from mien.train.model.regions import (
    aperture_borders,
    landmark_depth,
    landmark_spacing,
    region_members,
    rigid_weights,
)

# exp(-40) = 4e-18 is negligible against every eps, and a product of two such factors is still a normal
# FP32 number: denormals would cost more than all the rest.
_FARTHEST = 40.0

FADE = 0.02
"""Range of spacing, normalised units, over which landmarks are faded out of the finest level."""

NEAR_FACE = 0.3
"""Value of the whole face's map down to which a place belongs to the face."""

TURNED = (0.2, 0.5)
"""Shares of the landmarks' own motion explained by a turn: up to the first, the face's surroundings stay;
from the second on, they follow completely."""


class PriorOutput(NamedTuple):
    """The prior's result for one frame (B batch, R regions, A apertures).

    Attributes:
        flow: ``(B, 2, 64, 64)`` backward displacement.
        driving_maps, source_maps: ``(B, R, 64, 64)`` in 0..1, where the regions are and where they were;
            the last is the whole face.
        driving_apertures, source_apertures: ``(B, A, 64, 64)`` in 0..1, the inside of mouth and eyes.
        motion: ``(B, 1, 1, 1)``, the longest landmark displacement.
    """

    flow: Tensor
    driving_maps: Tensor
    source_maps: Tensor
    driving_apertures: Tensor
    source_apertures: Tensor
    motion: Tensor


class FacialPrior(nn.Module):
    """Landmark warp on the 64 x 64 grid."""

    axis: Tensor
    base: Tensor
    members: Tensor
    rigid: Tensor
    borders: Tensor
    widths: Tensor
    packed: Tensor
    depth: Tensor

    def __init__(self, config: LiveConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("axis", torch.linspace(-1.0, 1.0, config.field_size)[:, None], persistent=False)
        self.register_buffer("base", base_grid(config.field_size), persistent=False)
        self.register_buffer("members", region_members(config.landmarks), persistent=False)
        self.register_buffer("rigid", rigid_weights(config.landmarks)[:, None], persistent=False)
        self.register_buffer("borders", aperture_borders(), persistent=False)
        spacing = landmark_spacing(config.landmarks)
        widths, times = torch.tensor(config.kernel_widths), torch.tensor(config.kernel_spacing)
        wide = times[:, None] * spacing
        self.register_buffer("widths", torch.maximum(widths[:, None], wide), persistent=False)
        packed = ((config.finest_spacing - spacing) / FADE + 0.5).clamp(0.0, 1.0)
        self.register_buffer("packed", packed[:, None], persistent=False)
        self.register_buffer("depth", landmark_depth(config.landmarks)[:, None], persistent=False)

    def forward(
        self, source_points: Tensor, driving_points: Tensor, dense: Tensor | None = None
    ) -> PriorOutput:
        """Points ``(B, N, 2)``; a measured ``dense`` flow ``(B, 3, 64, 64)``: x, y, weight."""
        with full_precision(source_points.device):
            return self._compute(source_points.float(), driving_points.float(), dense)

    def _compute(self, source: Tensor, driving: Tensor, dense: Tensor | None) -> PriorOutput:
        rigid_at_points, rigid_on_grid = self._similarity(source, driving)
        left = source - driving - rigid_at_points
        regions, face = self._maps(driving)
        near = (face / NEAR_FACE).clamp(max=1.0)
        reach = near + (1.0 - near) * self._turned(left)
        flow = rigid_on_grid + self._regression(driving, left, reach)
        if dense is not None:
            # A dense measurement of the driver's motion is better than landmarks.
            measured = dense.float()
            flow = flow + measured[:, 2:] * (measured[:, :2] - flow)
        motion = torch.linalg.vector_norm(source - driving, dim=2).amax(dim=1).reshape(-1, 1, 1, 1)
        maps = torch.cat((regions, face), dim=1), torch.cat(self._maps(source), dim=1)
        return PriorOutput(flow, *maps, self._apertures(driving), self._apertures(source), motion)

    def _similarity(self, source: Tensor, driving: Tensor) -> tuple[Tensor, Tensor]:
        """The head's motion: weighted least-squares similarity, driving to source, as displacements.

        Solved for the *difference* from the identity, so equal points give exactly zero and coinciding
        ones a pure translation.  Returns displacements at the points ``(B, N, 2)`` and on the grid
        ``(B, 2, 64, 64)``.
        """
        step = source - driving
        centre = (self.rigid * driving).sum(dim=1, keepdim=True)
        shift = (self.rigid * step).sum(dim=1, keepdim=True)
        d, e = driving - centre, step - shift
        weighted = self.rigid * d
        # OpenVINO treats an epsilon of 1e-8 as 0 here (NaN when all points coincide), but not 1e-6.
        power = (weighted * d).sum(dim=(1, 2), keepdim=True) + 1e-6
        a = (weighted * e).sum(dim=(1, 2), keepdim=True) / power
        b = (weighted[..., :1] * e[..., 1:] - weighted[..., 1:] * e[..., :1]).sum(
            dim=(1, 2), keepdim=True
        ) / power
        at_points = shift + torch.cat(
            (a * d[..., :1] - b * d[..., 1:], b * d[..., :1] + a * d[..., 1:]), dim=2
        )
        cx, cy = centre[..., :1, None], centre[..., 1:, None]
        x, y = self.base[:, :1] - cx, self.base[:, 1:] - cy
        a, b = a[..., None], b[..., None]
        on_grid = torch.cat(
            (shift[..., :1, None] + a * x - b * y, shift[..., 1:, None] + b * x + a * y), dim=1
        )
        return at_points, on_grid

    def _turned(self, left: Tensor) -> Tensor:
        """How far the face's surroundings follow its landmarks' own motion ``(B, N, 2)``: ``(B, 1, 1, 1)``.

        A turned head moves its landmarks by their depth, and its hair continues the motion of the face.  A
        raised brow does not: otherwise hair would fall as far as the brow rises.
        """
        by_depth = (self.depth * left).sum(dim=1).square().sum(dim=1)
        share = by_depth / (left.square().sum(dim=(1, 2)) + 1e-6)
        low, high = TURNED
        return ((share - low) / (high - low)).clamp(0.0, 1.0).reshape(-1, 1, 1, 1)

    def _factors(self, points: Tensor, width: Tensor | float) -> tuple[Tensor, Tensor]:
        """Gaussian factors ``(B, 64, N)`` of the grid's columns and rows for each point; width ``(N,)``."""
        k = 0.5 / width**2
        x = self.axis - points[:, None, :, 0]
        y = self.axis - points[:, None, :, 1]
        return torch.exp(-(k * x * x).clamp(max=_FARTHEST)), torch.exp(-(k * y * y).clamp(max=_FARTHEST))

    def _regression(self, points: Tensor, values: Tensor, reach: Tensor) -> Tensor:
        """Kernel regression of ``values`` ``(B, N, 2)`` at ``points``, wide to narrow, on the grid.

        Nadaraya-Watson at each level; every level is fitted to the residual *at the points*, and refitted
        a few times (Tukey's twicing: the smoother's eigenvalues lie in 0..1, so it converges).  On cheeks and
        outline, landmarks are further apart than the finest Gaussians reach: fitted there, a turning face got
        holes between them.  Hence a wider level is the last one there.

        Args:
            reach: ``(B, 1, 64, 64)``, share kept of a level widened by the landmarks' spacing.
        """
        config = self.config
        size = config.field_size
        x = points[:, :, None, 0] - points[:, None, :, 0]
        y = points[:, :, None, 1] - points[:, None, :, 1]
        squared = x * x + y * y
        total: Tensor | None = None
        finest = len(config.kernel_widths) - 1
        levels = zip(self.widths.unbind(0), config.kernel_eps, config.kernel_passes, strict=True)
        for level, (width, eps, passes) in enumerate(levels):
            if level == finest:
                values = values * self.packed
            weights = torch.exp(-(squared * (0.5 / width**2)).clamp(max=_FARTHEST))
            norm = 1.0 / (weights.sum(dim=2, keepdim=True) + eps)
            coefficients = values
            left = values - norm * (weights @ coefficients)
            for _ in range(passes - 1):
                coefficients = coefficients + left
                left = values - norm * (weights @ coefficients)
            values = left
            columns, rows = self._factors(points, width)
            load = torch.cat((coefficients, torch.ones_like(coefficients[..., :1])), dim=2)
            loaded = load.transpose(1, 2)[:, :, None, :] * rows[:, None]
            sums = (loaded.flatten(1, 2) @ columns.transpose(1, 2)).reshape(-1, 3, size, size)
            field = sums[:, :2] / (sums[:, 2:] + eps)
            if config.kernel_spacing[level] > 0.0:
                field = field * reach
            total = field if total is None else total + field
        assert total is not None
        return total

    def _maps(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Soft maps: the share of a region's points, and of all points, near each pixel.

        Returns:
            ``(B, R - 1, 64, 64)`` and ``(B, 1, 64, 64)``; separate, as the flow alone needs only the second.
        """
        columns, rows = self._factors(points, self.config.region_width)
        size, across = self.config.field_size, columns.transpose(1, 2)
        loaded = (self.members[:-1, None, :] * rows[:, None]).flatten(1, 2)
        regions = (loaded @ across).reshape(-1, self.members.shape[0] - 1, size, size)
        face = (rows @ across)[:, None]
        return regions / (regions + 1.0), face / (face + 1.0)

    def _apertures(self, points: Tensor) -> Tensor:
        """Share of each node's height between an aperture's borders: ``(B, A, 64, 64)``.

        In the aperture's own axes, corner to corner, the borders are functions; as polylines they are sums of
        clamped ramps.  A lid gap of half a node gives one half, which is how a blink looks at this size.
        """
        # index_select, because it exports as a plain Gather.
        ends = points.index_select(1, self.borders[:, 0, :: self.borders.shape[2] - 1].flatten())
        corners = ends.reshape(-1, self.borders.shape[0], 2, 2)
        across = corners[:, :, 1] - corners[:, :, 0]
        length = torch.sqrt((across * across).sum(dim=-1, keepdim=True) + 1e-6)
        along = (across / length)[..., None, None]
        origin = corners[:, :, 0]
        x = self.base[:, :1] - origin[..., 0, None, None]
        y = self.base[:, 1:] - origin[..., 1, None, None]
        u = x * along[:, :, 0] + y * along[:, :, 1]
        v = y * along[:, :, 0] - x * along[:, :, 1]
        top, bottom = (self._border(points, side, origin, along[..., 0], u) for side in (0, 1))
        node = 2.0 / (self.config.field_size - 1)
        covered = torch.minimum(v + 0.5 * node, bottom) - torch.maximum(v - 0.5 * node, top)
        return (covered / node).clamp(0.0, 1.0)

    def _border(self, points: Tensor, side: int, origin: Tensor, along: Tensor, u: Tensor) -> Tensor:
        """Height ``(B, A, 64, 64)`` of a border over ``u``, the position between the corners."""
        count, knots = self.borders.shape[0], self.borders.shape[2]
        places = points.index_select(1, self.borders[:, side].flatten()).reshape(-1, count, knots, 2)
        away = places - origin[:, :, None]
        x, y = away[..., 0], away[..., 1]
        across = (x * along[:, :, :1, 0] + y * along[:, :, 1:, 0])[:, :, None, None]
        height = (y * along[:, :, :1, 0] - x * along[:, :, 1:, 0])[:, :, None, None]
        run = (across[..., 1:] - across[..., :-1]).clamp(min=1e-4)
        ramp = ((u[..., None] - across[..., :-1]) / run).clamp(0.0, 1.0)
        return ((height[..., 1:] - height[..., :-1]) * ramp).sum(dim=-1)
