"""Packing of a clip into a folder of plain arrays, written atomically."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Floats, Image, NoFaceError, SinkError, SourceError
from mien.engine.utils.files import beside, clear_unfinished
from mien.train.data.choice import choose_pairs
from mien.train.data.clips import Clip, read_images
from mien.train.data.teacher import teacher_flow
from mien.train.data.tracking import Driven, SourceView, Tracked, track_clip

FORMAT = 2
ARRAYS = (
    *("frames", "landmarks", "pairs", "source_points", "driving_points", "dense", "teacher"),
    *("mesh", "front", "corner"),
)

FRONT = 128
"""Side of the square around the mouth in which its inside is packed, pixels."""


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
    drawn: list[Drawn] = []
    for source in np.unique(chosen[:, 0]):
        image = tracked.images[source]
        wanted = chosen[chosen[:, 0] == source, 1]
        others = {int(d): (tracked.images[d], tracked.faces[d]) for d in wanted}
        for d, found in driven_by(image, tracked.faces[source], others, most).items():
            pairs.append((int(source), d))
            drawn.append((*found, teacher_flow(image, tracked.images[d])))
    if not pairs:
        raise SourceError(f"{name}: the head moves too far between any two of its images. Leave it out.")
    used, places = np.unique(np.array(pairs), return_inverse=True)
    return {
        "frames": np.stack([tracked.images[i] for i in used]),
        "landmarks": landmarks[used].astype(np.float32),
        "pairs": places.reshape(-1, 2).astype(np.int32),
        **arrays_of(drawn),
    }


Drawn = tuple[Floats, Driven, Floats]
"""One pair: the source's landmarks, what the engine makes of them, and the teacher flow."""


def driven_by(
    image: Image, face: Face, others: Mapping[int, tuple[Image, Face]], most: int
) -> dict[int, tuple[Floats, Driven]]:
    """A source driven by up to ``most`` other images of its person, by their keys.

    Those that it would have to move too far for are left out.
    """
    view = SourceView(image, face)
    driven = ((key, view.drive(*other)) for key, other in others.items())
    kept = [(key, (view.points, found)) for key, found in driven if found is not None]
    return dict(kept[:most])


def arrays_of(drawn: Sequence[Drawn]) -> dict[str, np.ndarray]:
    """The arrays that a packed folder has for its pairs."""
    points, driven, teacher = zip(*drawn, strict=True)
    fronts, corners = zip(*(_around_mouth(each.front) for each in driven), strict=True)
    return {
        "source_points": np.stack(points).astype(np.float32),
        "driving_points": np.stack([each.points for each in driven]).astype(np.float32),
        "dense": np.stack([each.dense for each in driven]).astype(np.float16),
        "teacher": np.stack(teacher).astype(np.float16),
        "mesh": np.stack([each.mesh for each in driven]),
        "front": np.stack(fronts),
        "corner": np.array(corners, np.int16),
    }


def _around_mouth(front: Image) -> tuple[Image, tuple[int, int]]:
    """``(FRONT, FRONT, 4)`` of the mouth's inside, and the square's row and column."""
    covered = front[..., 3] > 0
    lines = (np.flatnonzero(covered.any(axis=1 - axis)) for axis in (0, 1))
    middles = (int(line[0] + line[-1]) // 2 if len(line) else IMAGE_SIZE // 2 for line in lines)
    row, column = (min(max(0, middle - FRONT // 2), IMAGE_SIZE - FRONT) for middle in middles)
    return front[row : row + FRONT, column : column + FRONT].copy(), (row, column)


def write_still(
    folder: Path,
    still: Clip,
    config: Any,
    frames: Sequence[Image],
    faces: Sequence[Face],
    pairs: Sequence[tuple[int, int]],
    drawn: Sequence[Drawn],
) -> dict[str, Any]:
    """Write a packed still atomically; returns the content of ``meta.json``.

    Args:
        config: the dataclass that it was made with.
        frames, faces: its images and the faces in them.
        pairs: source and driving frame of each pair.
        drawn: what belongs to each pair.

    Raises:
        MienError: it cannot be written.
    """
    arrays: dict[str, np.ndarray] = {
        "frames": np.stack(frames),
        "landmarks": np.stack([each.landmarks for each in faces]).astype(np.float32),
        "pairs": np.array(pairs, np.int32),
        **arrays_of(drawn),
    }
    meta = {
        "format": FORMAT,
        "clip": {**asdict(still), "path": str(still.path)},
        "config": asdict(config),
        "frames": len(frames),
        "pairs": len(drawn),
    }
    write_packed(folder, arrays, meta)
    return meta


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
