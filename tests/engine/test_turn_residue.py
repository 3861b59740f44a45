"""What a turn leaves in measured displacements goes; expressions stay."""

import numpy as np

from mien.engine.face.layout import GRID, N_MESH, layout
from mien.engine.face.regions import region_seeds
from mien.engine.face.turn_residue import without_residue
from mien.engine.landmarks import canonical_mesh

NOT_TURNED, TURNED = (0.03, -0.05), (0.05, 0.6)


def at_places(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same smooth field at the landmarks and on the grid."""
    return points, (layout().to_nodes[N_MESH:] @ points).reshape(GRID, GRID, 2).astype(np.float32)


def depth_off_by(share: float) -> np.ndarray:
    """What a turn by 34 degrees leaves whose depth is off by a share."""
    mesh = canonical_mesh()
    depth = (mesh[:, 2] - mesh[:, 2].mean()) / (mesh[263, 0] - mesh[33, 0])
    return np.stack([share * np.sin(0.6) * depth, np.zeros(N_MESH)], axis=1).astype(np.float32)


def test_nothing_changes_while_the_head_is_hardly_turned():
    points, dense = at_places(depth_off_by(0.2))
    same, field = without_residue(points, dense, NOT_TURNED)
    assert same is points
    assert field is dense


def test_a_depth_that_is_off_is_no_expression():
    points, dense = at_places(depth_off_by(0.2))
    found, field = without_residue(points, dense, TURNED)
    assert np.abs(found).mean() < 0.1 * np.abs(points).mean()
    assert np.abs(field).mean() < 0.2 * np.abs(dense).mean()


def test_a_smile_of_a_turned_head_stays():
    corners = list(region_seeds("mouth_corner_left") + region_seeds("mouth_corner_right"))
    points = np.zeros((N_MESH, 2), np.float32)
    away = np.linalg.norm(layout().points[:, None] - layout().points[corners][None], axis=2).min(axis=1)
    points[:, 1] = -0.1 * np.exp(-(away**2) / (2 * 0.12**2))
    found, _ = without_residue(*at_places(points), TURNED)
    assert found[corners, 1].mean() < 0.8 * points[corners, 1].mean()
    assert np.corrcoef(found[:, 1], points[:, 1])[0, 1] > 0.95
