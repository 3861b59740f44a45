"""Skin that a turn uncovers goes on as what is seen beside it."""

import numpy as np
import pytest

from mien.engine.face.layout import N_MESH, jacobians
from mien.engine.landmarks import canonical_mesh
from mien.engine.mesh.uncovered import continued_skin

NOSE_TIP, FAR_CHEEK, NEAR_CHEEK = 1, 454, 234


def seen_from(yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """The canonical face turned by ``yaw``, face units, and its local maps."""
    mesh = canonical_mesh() * [1, -1, 1]
    across = np.cos(yaw) * mesh[:, 0] + np.sin(yaw) * mesh[:, 2]
    points = np.stack([across, mesh[:, 1]], axis=1) / np.ptp(mesh[[33, 263], 0])
    return points.astype(np.float32), jacobians(points.astype(np.float32))


def test_a_frontal_face_shows_all_of_itself() -> None:
    assert not continued_skin(*seen_from(0.0), 1.0).any()


@pytest.mark.parametrize("yaw", [0.45, 0.8])
def test_the_far_cheek_shows_skin_nearer_to_the_nose(yaw: float) -> None:
    points, axes = seen_from(yaw)
    found = continued_skin(points, axes, 1.0)
    assert found.shape == (N_MESH, 2)
    assert not found[[NOSE_TIP, NEAR_CHEEK]].any()
    far = points[FAR_CHEEK] - points[NOSE_TIP]
    shown = far + found[FAR_CHEEK]
    assert 0.05 < np.abs(found[FAR_CHEEK]).max() < 0.5
    assert np.linalg.norm(shown) < np.linalg.norm(far) or np.sign(shown[0]) != np.sign(far[0])
