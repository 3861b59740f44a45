"""Open-mouthed stills as truth: the engine's mesh closes a mouth, and the still itself shows what opens.

Clips show the inside of a few hundred people's mouths; stills add those of as many more.  The still's lips
are brought together, so that what lies between them folds away behind the cut of the mesh; the closed image
is the source, driven by the still.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.avatar.head.mesh_motion import mesh_motion
from mien.engine.avatar.model_io import FIELD_SIZE
from mien.engine.avatar.transfer import placed
from mien.engine.face.head_pose import Similarity
from mien.engine.face.layout import N_MESH, layout
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.types import Face, Floats, Image, SourceError
from mien.train.data.choice import openness
from mien.train.data.clips import Clip, read_images
from mien.train.data.packing import Drawn, driven_by, write_still
from mien.train.data.teacher import teacher_flow
from mien.train.data.tracking import SourceView, track_clip

OPEN = 0.07
"""Gap of the lips, eye distances, from which on a mouth is worth closing."""

UPPER, LOWER = 0.25, 0.75
"""How far each lip moves of the way to the other: the jaw carries the lower one."""

TO_NOSE = 0.16
"""Reach of the skin that follows the upper lip, face units."""

STRAY = 0.035
"""RMS distance of the closed face's landmarks from where they were put, eye distances: beyond, it tore."""


@dataclass(frozen=True, slots=True)
class ClosedConfig:
    """Extent of a packed still.

    Attributes:
        closings: how often it is closed.
        wholly: how likely each time to its end; otherwise by a share of the opening drawn from ``shares``.
        seed: of the closings.
    """

    closings: int = 1
    wholly: float = 0.6
    shares: tuple[float, float] = (0.65, 0.97)
    seed: int = 4


def pack_closed(still: Clip, config: ClosedConfig, landmarker: Landmarker, folder: Path) -> dict[str, Any]:
    """Close, track and write ``folder`` in the format of packed clips; returns its ``meta.json``.

    Raises:
        MienError: the mouth is not open, every closing tore, or the folder cannot be written.
    """
    tracked = track_clip(read_images(still, 1), landmarker, str(still.path))
    image, face = tracked.images[0], tracked.faces[0]
    if openness(face.landmarks[None])[0, 0] < OPEN:
        raise SourceError(f"{still.path}: the mouth is not open.")
    rng = np.random.default_rng((config.seed, zlib.crc32(still.id.encode())))
    view = SourceView(image, face)
    frames, faces, drawn = [image], [face], list[Drawn]()
    for _ in range(config.closings):
        share = 1.0 if rng.random() < config.wholly else float(rng.uniform(*config.shares))
        made = _closed(view, share, landmarker)
        if made is None:
            continue
        for found in driven_by(*made, {0: (image, face)}, 1).values():
            drawn.append((*found, teacher_flow(made[0], image)))
            frames.append(made[0])
            faces.append(made[1])
    if not drawn:
        raise SourceError(f"{still.path}: the mouth cannot be closed without tearing the face.")
    pairs = [(k + 1, 0) for k in range(len(drawn))]
    return write_still(folder, still, config, frames, faces, pairs, drawn)


def _closed(view: SourceView, share: float, landmarker: Landmarker) -> tuple[Image, Face] | None:
    """The still with its mouth closed, and the face found in it; None where it tore."""
    wanted = closed_points(view.points, share)
    avatar = view.avatar
    nothing = Similarity(1 + 0j, 0j)
    between = np.zeros((FIELD_SIZE, FIELD_SIZE, 2), np.float32)
    moving = mesh_motion(placed(avatar), nothing, (0.0, 0.0), wanted, between)
    image, _ = view.draw(moving)
    landmarker.reset()
    face = landmarker.track(image)
    if face is None:
        return None
    found = avatar.crop.normalised(face.landmarks[:, :2])
    unit = float(np.linalg.norm(wanted[33] - wanted[263])) + 1e-6
    apart = np.sqrt(np.square(found[:N_MESH] - wanted[:N_MESH]).sum(axis=1).mean()) / unit
    return None if apart > STRAY else (image, face)


def closed_points(points: Floats, share: float) -> Floats:
    """Landmarks with the lips brought together by ``share`` of their gap; ``(478, 2)`` of any unit.

    The chin comes up with the lower lip as one piece, the skin up to the nose follows the upper one.
    """
    flat = layout().points
    upper, lower = list(topo.LIPS_UPPER_INNER), list(topo.LIPS_LOWER_INNER)
    line = (flat[upper] + flat[lower]) / 2
    gap = points[lower] - points[upper]
    here = np.stack([np.interp(flat[:, 0], line[:, 0], gap[:, axis]) for axis in (0, 1)], axis=1)
    height = np.interp(flat[:, 0], line[:, 0], line[:, 1])
    below = flat[:, 1] > height
    below[lower], below[upper] = True, False
    fading = np.clip(1 - (height - flat[:, 1]) / TO_NOSE, 0.0, 1.0)
    part = np.where(below, -LOWER, UPPER * fading) * share
    moved: Floats = points.copy()
    moved[:N_MESH] += (part[:, None] * here).astype(np.float32)
    return moved
