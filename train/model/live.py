"""The ``live`` preset: landmarks and a small network that warp and repaint a portrait."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mien.train.model.config import LiveConfig
from mien.train.model.grid import Enlarge, warp
from mien.train.model.networks import Correction, Encoder, Painter
from mien.train.model.prior import FacialPrior
from mien.train.model.regions import APERTURES, REGIONS

BORDER = 0.125
"""Width over which the paint fades towards the crop's border, where an image is pasted into its portrait."""


class LiveOutput(NamedTuple):
    """One rendered frame (normalised units; see :class:`LiveModel`).

    Attributes:
        flow: ``(B, 2, 64, 64)``; output position y shows the source at ``y + flow(y)``.
        occlusion: ``(B, 1, 64, 64)``; 1 where the warp is kept.
        paint: ``(B, 3, 256, 256)``, added to the warped image.
        image: ``(B, 3, 256, 256)``, the finished image; clamped to 0..1 only outside training.
        warped: ``(B, 3, 256, 256)``, the image before the paint.
        prior_flow: ``(B, 2, 64, 64)``, the flow from the landmarks alone.
        occlusion_logits: ``(B, 1, 64, 64)``, for losses.
    """

    flow: Tensor
    occlusion: Tensor
    paint: Tensor
    image: Tensor
    warped: Tensor
    prior_flow: Tensor
    occlusion_logits: Tensor


class Observation(NamedTuple):
    """Result of :meth:`LiveModel.observe`: all at 64 x 64, FP32.

    Attributes:
        flow: prior flow ``(B, 2, 64, 64)``.
        maps: ``(B, M, 64, 64)``: regions, apertures (mouth, eyes), the whole face.
        change: of the same shape: how regions moved since the portrait; for apertures, the current opening
            minus the one still visible in the warped portrait.
        life: ``(B, 1, 1, 1)``, 0 at rest, approaching 1 with motion.
        features: the code warped by the prior flow, ``(B, C, 64, 64)``.
    """

    flow: Tensor
    maps: Tensor
    change: Tensor
    life: Tensor
    features: Tensor

    def apertures(self) -> Tensor:
        """``(B, 1, 64, 64)``: where mouth and eyes are open, or still look so in the warped portrait."""
        return self._shown().amax(dim=1, keepdim=True)

    def unknown(self) -> Tensor:
        """``(B, 1, 64, 64)``: where the portrait has nothing to show: a mouth that was shut, or eyes.

        A mouth that is open in the portrait keeps its own teeth.
        """
        mouth = self.change[:, len(REGIONS) : len(REGIONS) + 1].abs()
        return torch.cat((mouth, self._shown()[:, 1:]), dim=1).amax(dim=1, keepdim=True)

    def _shown(self) -> Tensor:
        first, last = len(REGIONS), len(REGIONS) + len(APERTURES)
        return self.maps[:, first:last] + (-self.change[:, first:last]).clamp(min=0.0)


class Composition(NamedTuple):
    """Result of :meth:`LiveModel.compose`.

    Attributes:
        flow, occlusion, logits: the final flow, occlusion and its logits at 64 x 64.
        warped: the warped portrait ``(B, 3, 256, 256)``.
        features: the code warped by the final flow.
        need: ``(B, 1, 256, 256)``, how much of the paint passes.
    """

    flow: Tensor
    occlusion: Tensor
    logits: Tensor
    warped: Tensor
    features: Tensor
    need: Tensor


class LiveModel(nn.Module):
    """Encoder, facial prior, correction and painter.

    Coordinates are normalised to -1..1 over the avatar's crop, x right, y down, ``align_corners=True``
    (-1 and 1 are the centres of the first and last pixel).  Untrained, it is exactly the landmark warp,
    because the last layers of correction and painter are zero.

    Example:
        >>> model = LiveModel()
        >>> out = model(source, source_points, driving_points)  # (B,3,256,256), (B,478,2), (B,478,2)
        >>> out.image.shape
        torch.Size([1, 3, 256, 256])
    """

    inner: Tensor

    def __init__(self, config: LiveConfig | None = None) -> None:
        super().__init__()
        self.config = config or LiveConfig()
        self.prior = FacialPrior(self.config)
        self.encoder = Encoder(self.config)
        self.correction = Correction(self.config)
        self.painter = Painter(self.config)
        self.enlarge = Enlarge(self.config.field_size, self.config.image_size)
        axis = (1.0 - torch.linspace(-1.0, 1.0, self.config.field_size).abs()) / BORDER
        inner = axis.clamp(max=1.0)
        self.register_buffer("inner", (inner[:, None] * inner[None, :])[None, None], persistent=False)

    def encode(self, source: Tensor) -> Tensor:
        """Portrait ``(B, 3, 256, 256)`` in 0..1 -> its code ``(B, features, 64, 64)``."""
        return self.encoder(source)  # type: ignore[no-any-return]

    def render(
        self,
        source: Tensor,
        features: Tensor,
        source_points: Tensor,
        driving_points: Tensor,
        dense: Tensor | None = None,
    ) -> LiveOutput:
        """Render one frame from the avatar's code.

        Args:
            source, features: the portrait and its code from :meth:`encode`.
            source_points: ``(B, 478, 2)``, the portrait's landmarks.
            driving_points: ``(B, 478, 2)``, their positions in this frame.
            dense: ``(B, 3, 64, 64)``, measured backward flow (x, y) and its weight in 0..1; it replaces the
                landmark warp where the weight is 1.
        """
        seen = self.observe(features, source_points, driving_points, dense)
        heads, hidden = self.correction(seen.features, seen.maps, seen.change, seen.flow)
        composed = self.compose(source, features, seen, heads)
        strokes = self.painter(
            composed.features, hidden, seen.maps, seen.change, composed.occlusion, composed.warped
        )
        paint = strokes.float() * composed.need
        image = composed.warped + paint
        if not self.training:
            image = image.clamp(0.0, 1.0)
        flow, occlusion, logits = composed.flow, composed.occlusion, composed.logits
        return LiveOutput(flow, occlusion, paint, image, composed.warped, seen.flow, logits)

    def observe(
        self, features: Tensor, source_points: Tensor, driving_points: Tensor, dense: Tensor | None
    ) -> Observation:
        """First step of :meth:`render` (FP32): evaluate the landmarks."""
        prior = self.prior(source_points, driving_points, dense)
        life = prior.motion / (prior.motion + self.config.rest_motion)
        first = warp(features, self.prior.base + prior.flow)
        maps, apertures = prior.driving_maps, prior.driving_apertures
        moved = maps - prior.source_maps
        opened = apertures - warp(prior.source_apertures, self.prior.base + prior.flow)

        def ordered(regions: Tensor, inside: Tensor) -> Tensor:
            return torch.cat((regions[:, :-1], inside, regions[:, -1:]), dim=1)

        return Observation(prior.flow, ordered(maps, apertures), ordered(moved, opened), life, first)

    def compose(self, source: Tensor, features: Tensor, seen: Observation, heads: Tensor) -> Composition:
        """Third step of :meth:`render` (FP32): bound the correction, add it to the prior, and warp."""
        config = self.config
        heads = heads.float()
        freedom = seen.life * (1.0 - config.face_damping * seen.maps[:, -1:])
        gate = config.gate_limit * torch.tanh(heads[:, :1])
        step = config.residual_limit * torch.tanh(heads[:, 1:3])
        change = gate * seen.flow + step
        square = (change * change).sum(dim=1, keepdim=True) / config.correction_limit**2
        flow = seen.flow + freedom * change * torch.rsqrt(1.0 + square)
        logits = heads[:, 3:] + config.visible_bias
        occlusion = torch.sigmoid(logits)
        # Bilinear enlargement preserves linear functions: enlarging base + flow saves a 512 KB constant.
        warped = warp(source, self.enlarge(self.prior.base + flow))
        again = warp(features, self.prior.base + flow)
        # Where a mouth opens or shuts, and in eyes, paint passes regardless of the occlusion.
        kept = occlusion * (1.0 - seen.unknown())
        need = seen.life * self.inner * (1.0 - (1.0 - config.paint_floor) * kept)
        return Composition(flow, occlusion, logits, warped, again, self.enlarge(need))

    def forward(
        self,
        source: Tensor,
        source_points: Tensor,
        driving_points: Tensor,
        dense: Tensor | None = None,
    ) -> LiveOutput:
        """Encode and render in one call (training); shapes as in :meth:`render`."""
        return self.render(source, self.encode(source), source_points, driving_points, dense)
