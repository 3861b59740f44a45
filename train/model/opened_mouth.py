"""The engine's last step in torch: the network's image within an opened mouth, the mesh's everywhere else.

The same as :func:`mien.engine.avatar.canvas.compose`, at the model's resolution.
"""

from __future__ import annotations

from torch import Tensor

from mien.engine.avatar.mouth import PAINTED


def with_mouth(mesh: Tensor, front: Tensor, warped: Tensor, paint: Tensor) -> Tensor:
    """What is shown: ``(B, 3, h, w)``.

    Args:
        mesh: what the engine draws without the network, the cavity in its mouth.
        front: ``(B, 4, h, w)``, the cavity and how far it covers the rest, 0..1.
        warped, paint: the network's.
    """
    cavity, cover = front[:, :3], front[:, 3:]
    strength = paint.abs().amax(dim=1, keepdim=True)
    share = ((strength - PAINTED[0]) / (PAINTED[1] - PAINTED[0])).clamp(0.0, 1.0)
    return mesh + cover * share * (warped + paint - cavity)
