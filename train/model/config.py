"""Hyperparameters of the ``live`` preset."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

MODEL_NAME = "mien-live"
MODEL_VERSION = 1


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """Hyperparameters of :class:`~mien.train.model.live.LiveModel`.

    Lengths are in normalised crop units: -1 and 1 are the centres of the first and last pixel, so one
    pixel of the 256-pixel crop is ``2 / 255 = 0.0078``.

    Attributes:
        image_size, field_size, landmarks: 256, 64, 478: the shapes that the runtimes rely on.
        features: channels of the avatar's code; the first three are the reduced portrait.
        kernel_widths: Gaussian widths of the prior's levels, from wide to narrow.
        kernel_eps: added to each level's sum of weights (a point weighs 1 on itself): a level fades out
            where its weights sum to less than this.
        kernel_passes: number of times each level is refitted to its residual at the points before the next.
        kernel_spacing: minimum width of a landmark's Gaussian in each level, as a multiple of the distance
            between landmarks around it.
        finest_spacing: landmarks further apart than this are excluded from the finest level.
        region_width: Gaussian width of the soft region maps.
        gate_limit: the correction scales the prior by at most ``1 +- gate_limit``: above 1 it can hold still
            a background that the prior drags along with the head.
        residual_limit: largest displacement of the correction's own flow, per axis.
        correction_limit: largest displacement of both together.  Without it, a head that moves by a quarter
            of the image leaves its hair behind, stretched like a flame.
        face_damping: the correction is multiplied by ``1 - face_damping * face mask``: inside the face
            the landmarks are right (nearer than a teacher's flow); outside (hair, ears, neck) they know
            nothing.
        rest_motion: the correction and the paint are multiplied by ``m / (m + rest_motion)``, ``m`` the
            longest landmark displacement, so that an avatar at rest is exactly its portrait.
        visible_bias: occlusion logit of the untrained network (3 -> 0.95 visible).
        paint_floor: share of the paint that passes where the warp is fully visible.
        sight: channels of the encoder's branch with ImageNet features (see
            :mod:`mien.train.model.imagenet_branch`); 0: no such branch.
        encoder_channels: at 64, 32 and 16 pixels.
        correction_channels: at 64, 32, 16, 8 and 4 pixels.
        hidden_channels: passed from the correction to the painter besides flow and occlusion.
        painter_channels: at 64, 32 and 16 pixels.
        painter_detail: channels at 128 pixels.
    """

    image_size: int = 256
    field_size: int = 64
    landmarks: int = 478
    features: int = 64
    kernel_widths: tuple[float, ...] = (0.25, 0.125, 0.0625, 0.03125)
    kernel_eps: tuple[float, ...] = (1.0, 0.3, 0.1, 0.05)
    kernel_passes: tuple[int, ...] = (1, 2, 5, 8)
    kernel_spacing: tuple[float, ...] = (0.0, 0.0, 2.0, 0.0)
    finest_spacing: float = 0.06
    region_width: float = 0.0625
    gate_limit: float = 1.2
    residual_limit: float = 0.15
    correction_limit: float = 0.15
    face_damping: float = 1.0
    rest_motion: float = 0.02
    visible_bias: float = 3.0
    paint_floor: float = 0.1
    sight: int = 0
    encoder_channels: tuple[int, int, int] = (64, 96, 128)
    correction_channels: tuple[int, int, int, int, int] = (48, 80, 112, 144, 176)
    hidden_channels: int = 16
    painter_channels: tuple[int, int, int] = (64, 128, 160)
    painter_detail: int = 32

    def to_json(self) -> str:
        """One line of JSON with sorted keys; equal configurations give equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> LiveConfig:
        """The inverse of :meth:`to_json`; unknown keys raise ``TypeError``."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(text).items()
        }
        return cls(**values)
