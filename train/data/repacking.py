"""Packing again, with the engine as it is now, of what an earlier one packed: no video is read again."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Image, SourceError
from mien.train.data.choice import openness
from mien.train.data.packing import FORMAT, Drawn, PackConfig, arrays_of, driven_by, write_packed

KEPT = ("frames", "pairs", "teacher", "landmarks")


def can_repack(folder: Path, config: PackConfig) -> bool:
    """Whether ``folder`` holds what this configuration chooses, in any format: at least as many pairs."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        before = PackConfig(**meta["config"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    there = all((folder / f"{name}.npy").is_file() for name in KEPT)
    enough = before.sources >= config.sources and before.drivings >= config.drivings
    return there and enough and replace(before, sources=config.sources, drivings=config.drivings) == config


def repack_clip(folder: Path, config: PackConfig, landmarker: Landmarker) -> dict[str, Any]:
    """Find the faces in the packed frames and drive the packed pairs; returns the new ``meta.json``.

    Of more sources than ``config`` has, those are kept whose mouths are most nearly shut, as portraits' are.

    Raises:
        MienError: no pair is left, the folder is damaged, or it cannot be written.
    """
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        packed, pairs, teacher, marks = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in KEPT)
    except (OSError, ValueError) as error:
        raise SourceError(f"{folder} is damaged ({error}). Delete it and run prepare again.") from error
    sources = np.unique(pairs[:, 0])
    open_by = openness(np.asarray(marks[sources]))[:, 0]
    sources = np.sort(sources[np.argsort(open_by, kind="stable")[: config.sources]])
    wanted = np.concatenate([np.flatnonzero(pairs[:, 0] == s)[: config.drivings] for s in sources])
    images = {int(frame): np.ascontiguousarray(packed[frame]) for frame in np.unique(pairs[wanted])}
    faces = {frame: face for frame, image in images.items() if (face := face_of(image, landmarker))}
    rows: list[int] = []
    drawn: list[Drawn] = []
    for source in sources:
        if source not in faces:
            continue
        own = [int(row) for row in wanted if pairs[row, 0] == source and pairs[row, 1] in faces]
        others = {row: (images[pairs[row, 1]], faces[pairs[row, 1]]) for row in own}
        for row, found in driven_by(images[source], faces[source], others, len(others)).items():
            rows.append(row)
            drawn.append((*found, np.asarray(teacher[row], np.float32)))
    if not rows:
        raise SourceError(f"{folder}: the face was not found again. Delete it and run prepare again.")
    used, places = np.unique(pairs[rows], return_inverse=True)
    arrays = {
        "frames": np.stack([images[int(frame)] for frame in used]),
        "landmarks": np.stack([faces[int(frame)].landmarks for frame in used]).astype(np.float32),
        "pairs": places.reshape(-1, 2).astype(np.int32),
        **arrays_of(drawn),
    }
    meta |= {"format": FORMAT, "config": asdict(config), "frames": len(used), "pairs": len(rows)}
    write_packed(folder, arrays, meta)
    return dict(meta)


def face_of(image: Image, landmarker: Landmarker) -> Face | None:
    """The face in an image by itself."""
    landmarker.reset()
    return landmarker.track(image)
