"""How heads move hair, neck and shoulders along: what :mod:`mien.train.following` learns from.

The truth is optical flow from a clip's source frame to its driving frame, at the nodes of the source's sheet.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mien.engine.avatar.model_io import FIELD_SIZE, IMAGE_SIZE
from mien.engine.landmarks import Landmarker
from mien.engine.mesh.following import INSIDE, KNOWN
from mien.engine.mesh.head_sheet import HeadMotion, HeadSheet
from mien.engine.types import Floats, MienError, SourceError
from mien.engine.utils.sampling import sample
from mien.train.data.repacking import face_of
from mien.train.data.teacher import NORM_PER_PIXEL, teacher_flow
from mien.train.data.tracking import SourceView

PERSON = KNOWN.index("person")

SEEN = 0.6
"""Visibility from which on the flow is believed."""


class HeadSample(NamedTuple):
    """One pair of a clip, ``G`` nodes; face units.

    Attributes:
        known: ``(G, 8)`` as :data:`mien.engine.mesh.following.KNOWN`.
        parts: ``(3, G, 2)`` what the body's shift, the head's roll and size, and its turn would do to each
            node.
        moved: ``(G, 2)`` where it went.
        counts: ``(G,) bool`` where the person is, is seen in both frames, and is not the face.
    """

    known: Floats
    parts: Floats
    moved: Floats
    counts: np.ndarray


def head_samples(folder: Path, landmarker: Landmarker, most: int) -> list[HeadSample]:
    """The samples of a packed clip, up to ``most`` of each of its sources (0.3 s each).

    A source whose outline is not known gives none.

    Raises:
        SourceError: the folder is damaged.
    """
    try:
        frames, pairs = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("frames", "pairs"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{folder} is damaged ({error}). Delete it and run prepare again.") from error
    found: list[HeadSample] = []
    for source in np.unique(pairs[:, 0]):
        drivings = np.unique(pairs[pairs[:, 0] == source, 1])
        spread = np.linspace(0, len(drivings) - 1, min(most, len(drivings))).astype(int)
        found += _of_source(frames, int(source), drivings[spread], landmarker)
    return found


def _of_source(
    frames: np.ndarray, source: int, drivings: np.ndarray, landmarker: Landmarker
) -> list[HeadSample]:
    image = np.ascontiguousarray(frames[source])
    face = face_of(image, landmarker)
    if face is None:
        return []
    try:
        view = SourceView(image, face)
    except MienError:
        return []
    sheet, unit = view.avatar.mesh.sheet, view.avatar.geometry.unit
    if sheet.known is None:
        return []
    found = []
    for driving in drivings:
        other = np.ascontiguousarray(frames[driving])
        there = face_of(other, landmarker)
        carried = None if there is None else view.carried(other, there)
        if carried is not None:
            flow = teacher_flow(other, image)  # from the source's places to the driving frame's
            found.append(_sample(sheet, carried.mesh.head, flow, unit))
    return found


def _sample(sheet: HeadSheet, motion: HeadMotion, flow: Floats, unit: float) -> HeadSample:
    """One sample; ``flow`` ``(3, FIELD_SIZE, FIELD_SIZE)`` as from :func:`teacher_flow`."""
    assert sheet.known is not None
    parts = sheet.parts(motion)
    shift = np.broadcast_to(parts.shift, parts.rolled.shape)
    scale = np.float32((FIELD_SIZE - 1) / (IMAGE_SIZE - 1))
    at_nodes = sample(np.ascontiguousarray(flow.transpose(1, 2, 0)), sheet.positions[None] * scale)[0]
    within = ((sheet.positions >= 0) & (sheet.positions <= IMAGE_SIZE - 1)).all(axis=1)
    counts = within & (at_nodes[:, 2] > SEEN) & (sheet.known[:, PERSON] > 0.5) & (sheet.known[:, INSIDE] < 0)
    moved = at_nodes[:, :2] / np.float32(NORM_PER_PIXEL * unit)
    together = np.stack([shift, parts.rolled, parts.turned]) / np.float32(unit)
    return HeadSample(sheet.known, together.astype(np.float32), moved.astype(np.float32), counts)
