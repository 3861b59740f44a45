"""What the engine makes of painted mouths: the portrait's colours, no paint where it has its own teeth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.avatar.mouth import Cavity
from mien.engine.face.geometry import unit_of
from mien.engine.face.layout import N_MESH
from mien.engine.face.lips import mouth_gap
from mien.engine.mouth.own_mouth import Lips, OwnMouth
from mien.engine.mouth.portrait import PortraitLook
from mien.engine.mouth.view import INNER, OUTER
from mien.train.sheet import to_image
from mien.train.validation import Pairs


def with_portrait_colours(pairs: Pairs, plain: Tensor, painted: Tensor) -> tuple[Tensor, Tensor]:
    """Finish images of a source's pairs as :class:`mien.engine.avatar.canvas.avatar_mouth.AvatarMouth` does.

    Args:
        plain, painted: ``(B, 3, 256, 256)`` in 0..1, drawn without the network and with its paint.

    Returns:
        Both, finished; the second one is the first where the engine shows no paint.
    """
    source = to_image(pairs.batch.source[0])
    landmarks = np.asarray(pairs.clip.arrays["landmarks"][pairs.clip.arrays["pairs"][pairs.rows[0], 0]])
    points = np.ascontiguousarray(landmarks[:, :2])
    unit = unit_of(points[:N_MESH])
    mouth = OwnMouth(PortraitLook.of(source, points, unit))
    cavity = Cavity.of(source, points, unit)
    paints = not (mouth.look.drawn or cavity.shows_inside)
    places = (pairs.batch.driving_points.numpy() + 1) * np.float32((IMAGE_SIZE - 1) / 2)

    def finished(images: Tensor) -> Tensor:
        done = []
        for image, at in zip(images, places, strict=True):
            gap = mouth_gap(at) / unit
            lips = Lips(at[INNER], at[OUTER], gap, cavity.own(gap), paints)
            done.append(_finished(mouth, image, lips))
        return torch.stack(done)

    return finished(plain), finished(painted if paints else plain)


def _finished(mouth: OwnMouth, image: Tensor, lips: Lips) -> Tensor:
    """One image with the portrait's colours between these lips."""
    drawn = to_image(image)
    placed = mouth.place(None, 0.0, lips)
    if placed is not None:
        mouth.draw(drawn, placed)
    return torch.from_numpy(drawn).permute(2, 0, 1).to(image) / 255
