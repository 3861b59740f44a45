"""The learned parts: encoder, correction (hourglass) and painter."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.train.model.config import LiveConfig
from mien.train.model.grid import Reduce
from mien.train.model.imagenet_branch import ImagenetBranch
from mien.train.model.layers import Conv, ConvReLU, Residual, double, halve, zero_conv
from mien.train.model.regions import APERTURES, REGIONS

N_MAPS = len(REGIONS) + len(APERTURES) + 1


class Encoder(nn.Module):
    """Portrait ``(B, 3, 256, 256)`` in 0..1 -> code ``(B, features, 64, 64)``; run once per avatar.

    The code's first three channels are the portrait itself, reduced to the grid.
    """

    def __init__(self, config: LiveConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.encoder_channels
        self.reduce = Reduce(config.field_size)
        self.stem = ConvReLU(12, 32)
        self.enter = ConvReLU(128, fine)
        self.fine = Residual(fine)
        self.to_middle = ConvReLU(fine, middle)
        self.middle = Residual(middle)
        self.to_coarse = ConvReLU(middle, coarse)
        self.coarse = Residual(coarse)
        self.from_coarse = Conv(coarse, middle, 1, gain=0.7)
        self.from_middle = Conv(middle, fine, 1, gain=0.7)
        self.leave = Conv(fine, config.features - 3)
        self.sight = ImagenetBranch(config) if config.sight else None

    def forward(self, source: Tensor) -> Tensor:
        x = self.stem(F.pixel_unshuffle(source * 2.0 - 1.0, 2))
        fine = self.fine(self.enter(F.pixel_unshuffle(x, 2)))
        middle = self.middle(self.to_middle(halve(fine)))
        coarse = self.coarse(self.to_coarse(halve(middle)))
        middle = F.relu(middle + double(self.from_coarse(coarse)))
        fine = F.relu(fine + double(self.from_middle(middle)))
        code = self.leave(fine)
        if self.sight is not None:
            code = code + self.sight(source)
        return torch.cat((self.reduce(source).to(fine.dtype), code), dim=1)


class Correction(nn.Module):
    """A four-level hourglass at 64 x 64 that corrects the landmark warp.

    Returns the raw heads ``(B, 4, 64, 64)`` (gate, residual x, residual y, occlusion logit; zero when
    untrained) and features for the painter, ``(B, hidden_channels, 64, 64)``.
    """

    def __init__(self, config: LiveConfig) -> None:
        super().__init__()
        channels = config.correction_channels
        self.enter = ConvReLU(config.features + 2 * N_MAPS + 3, channels[0])
        self.down = nn.ModuleList(ConvReLU(a, b) for a, b in pairwise(channels))
        self.up = nn.ModuleList(ConvReLU(a + b, a) for a, b in pairwise(channels))
        self.mix = ConvReLU(channels[0], channels[0])
        self.heads = zero_conv(channels[0], 4)
        # Few channels: these cross from one compiled part to another.
        self.tell = ConvReLU(channels[0], config.hidden_channels, 1)

    def forward(self, features: Tensor, maps: Tensor, change: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Warped code, driving maps, driving minus source maps, prior flow: all at 64 x 64."""
        motion = flow * 10.0  # large motion, a tenth of the half crop, becomes about 1
        length = torch.sqrt((motion * motion).sum(dim=1, keepdim=True) + 1e-6)
        x = self.enter(torch.cat((features, maps, change, motion, length), dim=1))
        skips = [x]
        for down in self.down:
            x = down(halve(x))
            skips.append(x)
        x = skips.pop()
        for up in reversed(self.up):
            x = up(torch.cat((double(x), skips.pop()), dim=1))
        x = self.mix(x)
        return self.heads(x), self.tell(x)


class Painter(nn.Module):
    """Paints what the warp cannot know (mouth interior, closed lids, uncovered background).

    Additive: an alpha blend of a warped and a painted image saturates at "copy the warp" and starves.
    Depth is at 64 pixels and below, where it is cheap; detail comes from the warped portrait.
    """

    def __init__(self, config: LiveConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.painter_channels
        detail = config.painter_detail
        self.enter = ConvReLU(config.features + config.hidden_channels + 2 * N_MAPS + 1, fine)
        self.to_middle = ConvReLU(fine, middle)
        self.middle = nn.Sequential(Residual(middle), Residual(middle))
        self.to_coarse = ConvReLU(middle, coarse)
        self.coarse = Residual(coarse)
        self.from_coarse = Conv(coarse, middle, 1, gain=0.7)
        self.from_middle = Conv(middle, fine, 1, gain=0.7)
        self.fine = Residual(fine)
        self.to_detail = ConvReLU(fine, 4 * detail)
        self.detail = ConvReLU(detail + 12, detail)
        self.polish = ConvReLU(detail, detail)
        self.leave = zero_conv(detail, 12)

    def forward(
        self,
        features: Tensor,
        hidden: Tensor,
        maps: Tensor,
        change: Tensor,
        occlusion: Tensor,
        warped: Tensor,
    ) -> Tensor:
        """Warped code, ``hidden``, maps, occlusion at 64 and the warped portrait -> ``(B, 3, 256, 256)``."""
        fine = self.enter(torch.cat((features, hidden, maps, change, occlusion), dim=1))
        middle = self.middle(self.to_middle(halve(fine)))
        coarse = self.coarse(self.to_coarse(halve(middle)))
        middle = F.relu(middle + double(self.from_coarse(coarse)))
        fine = self.fine(F.relu(fine + double(self.from_middle(middle))))
        # Unshuffled, the portrait's 256-pixel detail enters whole at 128, at a quarter of the cost.
        portrait = F.pixel_unshuffle(warped * 2.0 - 1.0, 2)
        detail = self.detail(torch.cat((F.pixel_shuffle(self.to_detail(fine), 2), portrait), dim=1))
        # Sub-pixel output: no convolution runs at 256, where three channels cost as much as sixteen.
        return F.pixel_shuffle(self.leave(self.polish(detail)), 2)
