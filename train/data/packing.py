"""Packing of a clip into a folder of plain arrays, written atomically."""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.landmarks import Landmarker
from mien.engine.types import Floats, NoFaceError, SinkError, SourceError
from mien.engine.utils.files import beside, clear_unfinished
from mien.train.data.choice import choose_pairs
from mien.train.data.clips import Clip, read_images
from mien.train.data.teacher import teacher_flow
from mien.train.data.tracking import SourceView, Tracked, track_clip

FORMAT = 1
ARRAYS = ("frames", "landmarks", "pairs", "source_points", "driving_points", "dense", "teacher")


@dataclass(frozen=True, slots=True)
class PackConfig:
    """Extent of a packed clip.

    Attributes:
        frames: largest number of frames examined (a longer clip is thinned evenly).
        sources: source frames, at most one per ``frames_per_source`` frames.
        frames_per_source: see ``sources``.
        drivings: driving frames per source frame.
        seed: of the choice.
    """

    frames: int = 360
    sources: int = 14
    frames_per_source: int = 12
    drivings: int = 12
    seed: int = 4


def pack_clip(clip: Clip, config: PackConfig, landmarker: Landmarker, folder: Path) -> dict[str, Any]:
    """Track, pair and write ``folder`` (under a temporary name first); returns the content of ``meta.json``.

    Raises:
        MienError: the clip cannot be used, or the folder cannot be written.
    """
    tracked = track_clip(read_images(clip, config.frames), landmarker, str(clip.path))
    arrays = _arrays(clip, config, tracked)
    meta = {
        "format": FORMAT,
        "clip": {**asdict(clip), "path": str(clip.path)},
        "config": asdict(config),
        "frames_seen": len(tracked.images) + tracked.lost,
        "frames_without_face": tracked.lost,
        "people": len(set(tracked.people) - {-1}),
        "frames": len(arrays["frames"]),
        "pairs": len(arrays["pairs"]),
    }
    write_packed(folder, arrays, meta)
    return meta


def _arrays(clip: Clip, config: PackConfig, tracked: Tracked) -> dict[str, np.ndarray]:
    count = len(tracked.images)
    if count < 2:
        raise NoFaceError(f"{clip.path} shows a face in {count} image; a pair needs two. Leave it out.")
    rng = np.random.default_rng((config.seed, zlib.crc32(clip.id.encode())))
    landmarks = np.stack([face.landmarks for face in tracked.faces])
    chosen = np.concatenate(
        [_chosen(landmarks, own, count, config, rng) for own in _frames_by_person(tracked.people)]
    )
    return _pair_arrays(tracked, chosen, landmarks, config.drivings, str(clip.path))


def _frames_by_person(people: list[int]) -> list[np.ndarray]:
    """Indices of each person's frames: a cut to another person splits the clip."""
    numbers = np.array(people)
    return [np.flatnonzero(numbers == person) for person in np.unique(numbers[numbers >= 0])]


def _chosen(
    landmarks: Floats, own: np.ndarray, count: int, config: PackConfig, rng: np.random.Generator
) -> np.ndarray:
    """Pairs among one person's frames ``own``, sources in proportion to them of the clip's ``count``."""
    if len(own) < 2:
        return np.zeros((0, 2), np.int64)
    most = max(2, config.sources * len(own) // count)
    sources = int(np.clip(len(own) // config.frames_per_source, 2, most))
    # A quarter more than wanted: pairs with too large a motion are dropped.
    pairs = choose_pairs(landmarks[own], sources, config.drivings + config.drivings // 4, rng)
    return np.asarray(own[pairs])


def _pair_arrays(
    tracked: Tracked, chosen: np.ndarray, landmarks: Floats, most: int, name: str
) -> dict[str, np.ndarray]:
    pairs: list[tuple[int, int]] = []
    rows: list[tuple[Floats, Floats, Floats, Floats]] = []
    for source in np.unique(chosen[:, 0]):
        image = tracked.images[source]
        view = SourceView(image, tracked.faces[source])
        wanted = chosen[chosen[:, 0] == source, 1]
        driven = ((int(d), view.drive(tracked.images[d], tracked.faces[d])) for d in wanted)
        kept = [(d, found) for d, found in driven if found is not None][:most]
        for d, found in kept:
            pairs.append((int(source), d))
            teacher = teacher_flow(image, tracked.images[d])
            rows.append((view.points, found.points, found.dense, teacher))
    if not pairs:
        raise SourceError(f"{name}: the head moves too far between any two of its images. Leave it out.")
    used, places = np.unique(np.array(pairs), return_inverse=True)
    points, moved, dense, teacher_all = (np.stack(part) for part in zip(*rows, strict=True))
    return {
        "frames": np.stack([tracked.images[i] for i in used]),
        "landmarks": landmarks[used].astype(np.float32),
        "pairs": places.reshape(-1, 2).astype(np.int32),
        "source_points": points.astype(np.float32),
        "driving_points": moved.astype(np.float32),
        "dense": dense.astype(np.float16),
        "teacher": teacher_all.astype(np.float16),
    }


def write_packed(folder: Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write a packed folder atomically.

    Raises:
        MienError: it cannot be written.
    """
    clear_unfinished(folder)
    part = beside(folder)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, values in arrays.items():
            np.save(part / f"{name}.npy", values)
        (part / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as error:
        raise SinkError(
            f"{folder}: cannot write: {error.strerror or error}. Free space and run again."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
