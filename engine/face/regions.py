"""Facial regions in which motion is described and controlled: the paper's region focusing module.

A region is a set of landmarks; its soft map falls off with the distance to the nearest of them in
the canonical layout.  The soft maps of all regions add up to one everywhere, so that a gain per
region never tears the face.  Left and right are the person's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import topology as topo
from mien.engine.types import N_LANDMARKS, Floats, UsageError

SOFTNESS = 0.09
"""Width of the soft border between regions, in face units (8 mm on an adult face)."""

_SEEDS: dict[str, tuple[int, ...]] = {
    "forehead_right": (108, 69, 104, 103, 67, 68, 54),
    "forehead_left": (337, 299, 333, 332, 297, 298, 284),
    "brow_inner_right": (107, 66, 55, 65),
    "brow_inner_left": (336, 296, 285, 295),
    "brow_outer_right": (63, 70, 53, 46, 105, 52),
    "brow_outer_left": (293, 300, 283, 276, 334, 282),
    "upper_lid_right": (*topo.RIGHT_EYE_UPPER[1:-1], 56, 28, 27, 29, 30),
    "upper_lid_left": (*topo.LEFT_EYE_UPPER[1:-1], 286, 258, 257, 259, 260),
    "lower_lid_right": (*topo.RIGHT_EYE_LOWER, 23, 24, 22, 230, 229),
    "lower_lid_left": (*topo.LEFT_EYE_LOWER, 253, 254, 252, 450, 449),
    "nose_bridge": (168, 6, 197, 195, 8, 122, 351),
    "nose_wing_right": (48, 64, 115, 220, 131, 102, 98),
    "nose_wing_left": (278, 294, 344, 440, 360, 331, 327),
    "nose_tip": (4, 5, 1, 19, 94),
    "cheek_right": (50, 205, 187, 123, 147, 117, 101, 36, 213, 192, 116),
    "cheek_left": (280, 425, 411, 352, 376, 346, 330, 266, 433, 416, 345),
    "upper_lip": (0, 37, 267, 39, 269, 13, 82, 312, 81, 311, 164, 167, 393),
    "lower_lip": (17, 84, 314, 181, 405, 14, 87, 317, 178, 402, 18, 83, 313),
    "mouth_corner_right": (61, 76, 62, 78, 57, 186, 185, 146, 43),
    "mouth_corner_left": (291, 306, 292, 308, 287, 410, 409, 375, 273),
    "chin": (152, 148, 377, 175, 199, 200, 176, 400, 171, 396),
    "jaw_right": (136, 172, 58, 150, 149, 135, 169),
    "jaw_left": (365, 397, 288, 379, 378, 364, 394),
}

REGIONS: tuple[str, ...] = tuple(_SEEDS)
"""Every region's name, in the order of the K axis of motions."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "brows": ("brow_inner", "brow_outer"),
    "eyes": ("upper_lid", "lower_lid"),
    "lids": ("upper_lid", "lower_lid"),
    "nose": ("nose_bridge", "nose_wing", "nose_tip"),
    "mouth": ("upper_lip", "lower_lip", "mouth_corner"),
    "lips": ("upper_lip", "lower_lip"),
    "cheeks": ("cheek",),
    "lower_face": ("mouth", "chin", "jaw", "cheek"),
    "upper_face": ("brows", "eyes", "forehead"),
}
"""Names of several regions at once; a name without a side stands for both sides."""

_RIGID = {"nose_bridge": 1.0, "nose_tip": 0.5, "forehead": 0.5, "cheek": 0.4, "nose_wing": 0.4}


@dataclass(frozen=True, slots=True)
class RegionMaps:
    """Soft region maps.

    Attributes:
        at_points: ``(K, 478)`` float32, columns add up to 1.
        at_grid: ``(K, GRID * GRID)`` float32, columns add up to 1.
        rigid_points, rigid_grid: ``(468,)``, ``(GRID * GRID,)``; share in 0..1 of a place's motion that is
            the skull's alone; the head's own motion is fitted there.
    """

    at_points: Floats
    at_grid: Floats
    rigid_points: Floats
    rigid_grid: Floats


def region_indices(names: Iterable[str]) -> tuple[int, ...]:
    """Indices on the K axis for region names, names without a side, or group names.

    Raises:
        MienError: unknown region name.
    """
    found: list[int] = []
    for name in names:
        found += [i for i in _expand(name.strip()) if i not in found]
    return tuple(found)


def _expand(name: str) -> list[int]:
    if name in _SEEDS:
        return [REGIONS.index(name)]
    sides = [i for i, region in enumerate(REGIONS) if region in (f"{name}_right", f"{name}_left")]
    if sides:
        return sides
    if name in GROUPS:
        return [i for member in GROUPS[name] for i in _expand(member)]
    known = sorted({r.removesuffix("_left").removesuffix("_right") for r in REGIONS} | set(GROUPS))
    raise UsageError(f"{name!r} is not a facial region; choose from {', '.join(known)}.")


def region_seeds(name: str) -> tuple[int, ...]:
    """The landmarks of one region."""
    return _SEEDS[name]


@lru_cache(maxsize=1)
def region_maps() -> RegionMaps:
    """The soft maps, computed once per process."""
    points = layout().points
    at_mesh = _soft(points)
    iris = {topo.RIGHT_IRIS: "right", topo.LEFT_IRIS: "left"}
    at_points = np.zeros((len(REGIONS), N_LANDMARKS), np.float32)
    at_points[:, : len(points)] = at_mesh
    for indices, side in iris.items():
        for lid in ("upper_lid", "lower_lid"):
            at_points[REGIONS.index(f"{lid}_{side}"), list(indices)] = 0.5
    at_grid = _soft(layout().nodes[N_MESH:])
    rigid = np.array([_rigidity(name) for name in REGIONS], np.float32)
    # Bend the fall-off so that a place counts as skull only if it clearly belongs to such a region.
    return RegionMaps(
        at_points, at_grid, rigid @ at_mesh, (rigid @ at_grid) * _inside(layout().nodes[N_MESH:])
    )


def _rigidity(name: str) -> float:
    return _RIGID.get(name.removesuffix("_left").removesuffix("_right"), 0.1)


def _soft(positions: Floats) -> Floats:
    """``(K, P)`` partition of unity at layout positions ``(P, 2)``."""
    points = layout().points
    near = np.stack(
        [
            np.min(np.linalg.norm(positions[:, None] - points[None, list(seeds)], axis=2), axis=1)
            for seeds in _SEEDS.values()
        ]
    )
    # Relative to the nearest region, so that far from the face nothing underflows.
    log = -(near**2 - near.min(axis=0) ** 2) / (2 * SOFTNESS**2)
    weight = np.exp(log)
    return np.asarray(weight / weight.sum(axis=0), dtype=np.float32)


def _inside(positions: Floats) -> Floats:
    """1 on the face, 0 off it, ``(P,)``."""
    import cv2

    oval = np.ascontiguousarray(layout().points[list(topo.FACE_OVAL)])
    return np.array(
        [cv2.pointPolygonTest(oval, (float(x), float(y)), False) >= 0 for x, y in positions], np.float32
    )
