"""Stills as additional identities: a still moved by another clip's motion is a pair with known dense flow.

The motion is the teacher flow of a packed pair, transferred to the still's face by the similarity between the
two faces' landmarks and smoothed until it has no folds.  The warp generates the driving image; the teacher is
that flow itself, and nothing is occluded.  The live tracker's view of the pair is measured as for clips.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE
from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Floats, Image, SourceError
from mien.train.data.clips import Clip, read_images
from mien.train.data.packed_clip import PackedClip
from mien.train.data.packing import Drawn, write_still
from mien.train.data.teacher import NORM_PER_PIXEL, pixel_grid
from mien.train.data.tracking import Driven, SourceView, track_clip

SEEN = 0.85
"""Minimum visible share of a transferred flow: only little of it may be filled in."""

FOLD = 0.3
"""Minimum local scale of the warp; below it the image would fold or smear."""

TRIES = 4
"""Pairs tried per pair wanted."""


@dataclass(frozen=True, slots=True)
class StillConfig:
    """Extent of a packed still.

    Attributes:
        drivings: pairs.
        seed: of the choice.
    """

    drivings: int = 6
    seed: int = 4


def pack_still(
    still: Clip, donors: Sequence[Path], config: StillConfig, landmarker: Landmarker, folder: Path
) -> dict[str, Any]:
    """Warp, track and write ``folder`` in the format of packed clips; returns its ``meta.json``.

    Args:
        donors: packed clips whose motion may be used.

    Raises:
        MienError: the still cannot be used, no motion fits it, or the folder cannot be written.
    """
    tracked = track_clip(read_images(still, 1), landmarker, str(still.path))
    image, face = tracked.images[0], tracked.faces[0]
    rng = np.random.default_rng((config.seed, zlib.crc32(still.id.encode())))
    view = SourceView(image, face)
    frames, faces, drawn = [image], [face], list[Drawn]()
    for _ in range(TRIES * config.drivings):
        flow = _motion(PackedClip.open(donors[int(rng.integers(len(donors)))]), view.points, rng)
        made = None if flow is None else _driven(view, image, flow, landmarker)
        if made is None or flow is None:
            continue
        frames.append(made[0])
        faces.append(made[1])
        drawn.append((view.points, made[2], np.concatenate([flow, _inside(flow)])))
        if len(drawn) == config.drivings:
            break
    if not drawn:
        raise SourceError(f"{still.path}: no clip's motion fits this face. Leave it out.")
    pairs = [(0, k + 1) for k in range(len(drawn))]
    return write_still(folder, still, config, frames, faces, pairs, drawn)


def carried_flow(flow: Floats, visible: Floats, ours: Floats, theirs: Floats) -> Floats:
    """Transfer a backward flow to another face.

    Args:
        flow: ``(2, 64, 64)`` of the donor, normalised units.
        visible: ``(64, 64)`` where it is valid; elsewhere it is filled in from its surroundings.
        ours, theirs: ``(478, 2)`` landmarks of the still and of the donor's source image, model
            coordinates.

    Returns:
        ``(2, 64, 64) float32`` on the still.
    """
    weight = cv2.GaussianBlur(visible + np.float32(1e-3), (0, 0), 2.0)
    filled = [
        np.where(
            visible > 0.5, plane, cv2.GaussianBlur(plane * (visible + np.float32(1e-3)), (0, 0), 2.0) / weight
        )
        for plane in flow
    ]
    smooth = cv2.GaussianBlur(np.dstack(filled).astype(np.float32), (0, 0), 1.0)
    # The similarity from the still's coordinates to the donor's, as complex numbers.
    z, w = ours @ np.array([1, 1j]), theirs @ np.array([1, 1j])
    spread = z - z.mean()
    slope = complex(np.vdot(spread, w - w.mean()) / np.vdot(spread, spread).real)
    axis = np.linspace(-1, 1, FIELD_SIZE)
    place = slope * (axis[None, :] + 1j * axis[:, None] - z.mean()) + w.mean()
    at = (np.stack([place.real, place.imag], axis=2) + 1) * ((FIELD_SIZE - 1) / 2)
    there = cv2.remap(smooth, at.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    back = (there[..., 0] + 1j * there[..., 1]) / slope
    return np.stack([back.real, back.imag]).astype(np.float32)


def warp_image(image: Image, flow: Floats) -> Image:
    """``(256, 256, 3) uint8``: position y shows the image at ``y + flow(y)``, flow enlarged bilinearly."""
    x, y = pixel_grid()
    step = (FIELD_SIZE - 1) / (IMAGE_SIZE - 1)
    planes = np.ascontiguousarray(flow.transpose(1, 2, 0))
    large = cv2.remap(planes, x * np.float32(step), y * np.float32(step), cv2.INTER_LINEAR)
    large = np.asarray(large / np.float32(NORM_PER_PIXEL), np.float32)
    moved = cv2.remap(
        image, x + large[..., 0], y + large[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def folds(flow: Floats) -> bool:
    """Whether the warp by a backward flow ``(2, 64, 64)`` squeezes or flips any place."""
    node = 2.0 / (FIELD_SIZE - 1)
    dx, dy = np.diff(flow, axis=2)[:, :-1] / node, np.diff(flow, axis=1)[:, :, :-1] / node
    area = (1 + dx[0]) * (1 + dy[1]) - dx[1] * dy[0]
    return bool(area.min() < FOLD or area.max() > 1 / FOLD)


def _motion(donor: PackedClip, points: Floats, rng: np.random.Generator) -> Floats | None:
    """The motion of one of the donor's pairs on a face with these landmarks; None if it does not fit."""
    share = donor.importance.astype(np.float64)
    row = int(rng.choice(len(share), p=share / share.sum()))
    teacher = np.asarray(donor.arrays["teacher"][row], np.float32)
    if teacher[2].mean() < SEEN:
        return None
    theirs = np.asarray(donor.arrays["source_points"][row], np.float32)
    flow = carried_flow(teacher[:2], teacher[2], points, theirs)
    return None if folds(flow) else flow


def _driven(
    view: SourceView, image: Image, flow: Floats, landmarker: Landmarker
) -> tuple[Image, Face, Driven] | None:
    """The driving image, its face, and the live tracker's measurement of the pair."""
    driving = warp_image(image, flow)
    landmarker.reset()
    face = landmarker.track(driving)
    driven = None if face is None else view.drive(driving, face)
    if face is None or driven is None:
        return None
    return driving, face, driven


def _inside(flow: Floats) -> Floats:
    """``(1, 64, 64)``: 1 where the still itself is shown, 0 where its border repeats."""
    axis = np.linspace(-1, 1, FIELD_SIZE, dtype=np.float32)
    x, y = axis[None, :] + flow[0], axis[:, None] + flow[1]
    return np.asarray((np.abs(x) <= 1) & (np.abs(y) <= 1), np.float32)[None]
