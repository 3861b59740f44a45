"""Passages of unseen clips that drive other people's portraits: a subtle and a lively one of each clip.

Packed clips contain single frames; the motion of a passage needs the original clip, which is read from where
``prepare`` found it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Floats, Image, MienError, SourceError
from mien.train.data.choice import openness
from mien.train.data.clips import Clip, iterate_images, read_images
from mien.train.data.packed_clip import PackedClip
from mien.train.data.tracking import track_clip
from mien.train.metrics.find import LOOK, Peak, Span, is_subtle, peak_of, shift_at

KINDS = ("subtle", "lively")
READ = 200
"""Largest number of frames of a clip that are searched."""

SEARCHED = 6
"""Largest number of clips searched, as a multiple of the passages wanted."""

FRONTAL = 0.4
"""Largest turn of the head (see :func:`turn_of`) at the start of a portrait or passage, if there is a
choice."""

LEAST, MOST_LIVELY = 1.5, 12.0
"""The same for a lively passage; more than the second value is a cut or a lost face."""


@dataclass(frozen=True)
class Passage:
    """Driving frames of one person.

    Attributes:
        clip: id of the clip.
        kind: ``"subtle"`` or ``"lively"``.
        frames: ``(H, W, 3) uint8`` RGB.
        face: the face in the first frame.
        strength: mean facial motion at its peak, pixels of a 128 px face.
        peak: index of that frame.
    """

    clip: str
    kind: str
    frames: list[Image]
    face: Face
    strength: float
    peak: int


def find_passages(
    clips: list[PackedClip],
    wanted: int,
    length: int,
    landmarker: Landmarker,
    done: Callable[[], None] = lambda: None,
) -> tuple[list[Passage], list[str]]:
    """Find up to ``wanted`` passages of each kind, in clips evenly spread over ``clips``.

    Most clips have a lively passage and few a subtle one: for these, up to :data:`SEARCHED` times as many
    clips are searched.

    Args:
        length: frames of a passage.
        done: called after every clip searched.

    Returns:
        The passages, and a line for every clip that can no longer be read.
    """
    # The clips in between replace those that are gone or show nothing measurable.
    order = sorted(range(len(clips)), key=lambda k: (k * wanted % len(clips) >= wanted, k))
    passages: list[Passage] = []
    missing: list[str] = []
    left = dict.fromkeys(KINDS, wanted)
    for place in order[: SEARCHED * wanted]:
        if not any(left.values()):
            break
        clip = _clip(clips[place].meta)
        try:
            found = _passages(clip, length, landmarker)
        except MienError as error:
            missing.append(f"{clip.id}: {error}")
            continue
        taken = [passage for passage in found if left[passage.kind]]
        passages.extend(taken)
        for passage in taken:
            left[passage.kind] -= 1
        done()
    return passages, missing


def portraits_of(clips: list[PackedClip]) -> list[tuple[str, str, Image]]:
    """For each clip its id, its group and the packed frame ``(256, 256, 3) uint8`` most like a portrait.

    That is: facing the camera, mouth shut, eyes open.  People whose head is always turned are left out as
    long as people of two groups remain.
    """
    found: list[tuple[float, tuple[str, str, Image]]] = []
    for clip in clips:
        landmarks = np.asarray(clip.arrays["landmarks"])
        opening = openness(landmarks)
        turns = np.array([turn_of(points) for points in landmarks])
        best = int(np.argmax(opening[:, 1] - 2.0 * opening[:, 0] - turns))
        name, group = str(clip.meta["clip"]["id"]), str(clip.meta["clip"]["group"])
        image = np.ascontiguousarray(clip.arrays["frames"][best])
        found.append((float(turns[best]), (name, group, image)))
    frontal = [portrait for turn, portrait in found if turn <= FRONTAL]
    enough = len({group for _, group, _ in frontal}) >= 2
    return frontal if enough else [portrait for _, portrait in found]


def turn_of(landmarks: Floats) -> float:
    """How far a head is turned: 0 faces the camera, 1 has the tip of the nose at the edge of the face."""
    right, left, nose = landmarks[234, :2], landmarks[454, :2], landmarks[4, :2]
    axis = left - right
    return abs(2.0 * float((nose - right) @ axis) / (float(axis @ axis) + 1e-6) - 1.0)


def _clip(meta: dict[str, Any]) -> Clip:
    values = {name: meta["clip"][name] for name in Clip.__dataclass_fields__ if name in meta["clip"]}
    return Clip(**{**values, "path": Path(values["path"])})


def _passages(clip: Clip, length: int, landmarker: Landmarker) -> list[Passage]:
    images = read_images(clip) if clip.onset >= 0 else _first(clip)
    # Crop as for training if the clip is not a face crop yet.
    if images[0].shape != (IMAGE_SIZE, IMAGE_SIZE, 3):
        images = track_clip(images, landmarker, str(clip.path)).images
    coded = coded_frames(clip, len(images))
    if coded is not None:
        shown = [images[i] for i in _thinned(coded, length)]
        return [p for p in [_measured(clip.id, "subtle", shown, landmarker, 1)] if p is not None]
    if len(images) < 8:
        return []
    length = min(length, len(images))
    starts = range(0, len(images) - length + 1, max(1, length // 2))
    windows = [_measured(clip.id, "", images[s : s + length], landmarker, LOOK) for s in starts]
    return _chosen([window for window in windows if window is not None], landmarker)


def _first(clip: Clip) -> list[Image]:
    images = list(islice(iterate_images(clip), READ))
    if not images:
        raise SourceError(f"{clip.path} contains no images. Leave it out or replace the file.")
    return images


def _measured(name: str, kind: str, frames: list[Image], landmarker: Landmarker, step: int) -> Passage | None:
    peak = peak_of(frames, step, landmarker) if len(frames) >= 3 else None
    return None if peak is None else Passage(name, kind, frames, peak.face, peak.strength, peak.index)


def _chosen(windows: list[Passage], landmarker: Landmarker) -> list[Passage]:
    """A subtle passage with the head at rest, and the liveliest one, if they exist."""
    windows = [w for w in windows if turn_of(w.face.landmarks) <= FRONTAL] or windows
    found = []
    subtle = [w for w in windows if is_subtle(w.strength)]
    if subtle:
        best = min(subtle, key=lambda w: _span(w, landmarker).liking())
        found.append(replace(best, kind="subtle"))
    lively = [w for w in windows if LEAST <= w.strength <= MOST_LIVELY]
    if lively:
        found.append(replace(max(lively, key=lambda w: w.strength), kind="lively"))
    return found


def _span(passage: Passage, landmarker: Landmarker) -> Span:
    peak = Peak(passage.face, passage.strength, passage.peak)
    return Span(0, len(passage.frames), passage.strength, shift_at(passage.frames, peak, landmarker))


def coded_frames(clip: Clip, count: int) -> range | None:
    """Indices from onset to offset of a micro-expression in a folder of numbered files; None if uncoded.

    A clip that starts with its onset (as those of CASME II and SAMM do), or whose file numbers differ from
    the coding, counts as a whole.
    """
    if clip.onset < 0 or not clip.path.is_dir():
        return None
    from mien.streams.images import list_images

    numbers = [
        int(found[-1]) if (found := re.findall(r"\d+", p.stem)) else -1 for p in list_images(clip.path)
    ]
    if len(numbers) != count or clip.onset not in numbers or clip.offset not in numbers:
        return range(count)
    return range(numbers.index(clip.onset), numbers.index(clip.offset) + 1)


def _thinned(frames: range, length: int) -> list[int]:
    if len(frames) <= length:
        return list(frames)
    return [frames[round(k)] for k in np.linspace(0, len(frames) - 1, length)]
