"""The engine's last step in torch: the network's image within an opened mouth, the mesh's everywhere else.

The same as :func:`mien.engine.avatar.canvas.composition.compose`, at the model's resolution.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from mien.engine.avatar.mouth import CLOSING, PAINTED


def with_mouth(mesh: Tensor, front: Tensor, warped: Tensor, paint: Tensor) -> Tensor:
    """What is shown: ``(B, 3, h, w)``.

    Args:
        mesh: what the engine draws without the network, the cavity in its mouth.
        front: ``(B, 4, h, w)``, the cavity and how far it covers the rest, 0..1.
        warped, paint: the network's.
    """
    cavity, cover = front[:, :3], front[:, 3:]
    strength = _grown(paint.abs().amax(dim=1, keepdim=True))
    strength = -_grown(-strength)
    share = ((strength - PAINTED[0]) / (PAINTED[1] - PAINTED[0])).clamp(0.0, 1.0)
    return mesh + cover * share * (warped + paint - cavity)


def _grown(values: Tensor) -> Tensor:
    """The largest value around each place."""
    return F.max_pool2d(values, CLOSING, stride=1, padding=CLOSING // 2)
