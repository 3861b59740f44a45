"""How many frames come to pieces when clips drive portraits, and whether lids, mouths and strength arrive.

A few frames of each clip are rendered on each portrait, those that are hardest first: the widest mouth, the
most shut eye, the most turned head, then others evenly spread.  Tracking sees the whole clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.session.session import Session
from mien.engine.tracking import Tracker
from mien.engine.types import Face, Frame, Image
from mien.train.metrics.expression import Expression, Followed, follow
from mien.train.metrics.image_tears import TearGauge, face_in
from mien.train.metrics.passage import Passage

RATE = 25.0
APART = 2
"""Frames between two that are chosen, at least."""


@dataclass(frozen=True)
class Hard:
    """A clip on a portrait.

    Attributes:
        clip, portrait: their names.
        frames: indices of the rendered frames.
        scores: how torn each is, 0..1.
        torn: how many are.
        expression: eyes, mouth and strength.
    """

    clip: str
    portrait: str
    frames: tuple[int, ...]
    scores: tuple[float, ...]
    torn: int
    expression: Followed


def hard_frames(
    passages: Sequence[Passage],
    avatars: Sequence[tuple[str, Avatar]],
    runtime: Runtime,
    landmarker: Landmarker,
    count: int,
) -> Iterator[Hard]:
    """Every clip on every portrait.

    Raises:
        MienError: a clip cannot be read.
    """
    gauges = [TearGauge(avatar.image, avatar.face, landmarker) for _, avatar in avatars]
    for passage in passages:
        images = passage.frames()
        motions, faces = tracked(images)
        first = next((face for face in faces if face is not None), None)
        if first is None:
            continue
        chosen = hardest(faces, count)
        for (name, avatar), gauge in zip(avatars, gauges, strict=True):
            session = Session(None, Renderer(avatar, runtime))
            found, scores, torn = [], [], 0
            for k in chosen:
                image = session.play(Frame(images[k], k, 0, k / RATE), motions[k]).image
                found.append(face_in(image, landmarker))
                tear = gauge(image, found[-1])
                scores.append(tear.score)
                torn += tear.torn
            followed = follow([faces[k] for k in chosen], found, first, avatar.face)
            yield Hard(passage.name, name, tuple(chosen), tuple(scores), torn, followed)


def tracked(images: Sequence[Image]) -> tuple[list[Motion | None], list[Face | None]]:
    """Motions and faces of a clip, frame by frame, relative to its first face."""
    motions: list[Motion | None] = []
    faces: list[Face | None] = []
    with Tracker() as tracker:
        for k, image in enumerate(images):
            motions.append(tracker.track(Frame(image, k, 0, k / RATE)))
            faces.append(tracker.face if motions[-1] is not None else None)
    return motions, faces


def hardest(faces: Sequence[Face | None], count: int) -> list[int]:
    """Indices of the frames that are looked at, at most ``count``, without the first, the reference."""
    seen = [k for k, face in enumerate(faces) if face is not None and k > 0]
    shown = [(Expression.of(face), face) for k in seen if (face := faces[k]) is not None]
    if not shown:
        return []
    measures = (
        [-e.aperture / max(e.width, 1e-6) for e, _ in shown],
        [min(e.eyes) for e, _ in shown],
        [-_turn(face) for _, face in shown],
    )
    orders = [[seen[i] for i in np.argsort(values)] for values in measures]
    spread = np.linspace(0, len(seen) - 1, count).round().astype(int)
    chosen: list[int] = []
    for order in (*orders, *([seen[i]] for i in spread)):
        free = (k for k in order if all(abs(k - other) > APART for other in chosen))
        chosen += [k for k in (next(free, None),) if k is not None]
    return chosen[:count]


def _turn(face: Face) -> float:
    """How far the nose is from the middle of the face's sides, 0..1."""
    nose, right, left = (face.landmarks[k, 0] for k in (1, 234, 454))
    return float(abs(abs(nose - right) - abs(left - nose)) / max(abs(left - right), 1e-6))


def plain_frames(one: Hard) -> dict[str, object]:
    """For JSON."""
    return {"clip": one.clip, "portrait": one.portrait, "frames": one.frames, "scores": one.scores}


def torn_table(found: Sequence[Hard]) -> str:
    """Markdown: a line for each portrait and one for all."""
    lines = ["| portrait | frames | torn | shut | closed | wide | opened | strength |", "|---" * 8 + "|"]
    names = dict.fromkeys(one.portrait for one in found)
    lines += [_line(name, [one for one in found if one.portrait == name]) for name in names]
    return "\n".join([*lines, _line("**all**", found)])


def _line(name: str, found: Sequence[Hard]) -> str:
    frames = sum(len(one.frames) for one in found)
    torn = sum(one.torn for one in found) / max(frames, 1)
    shown = [one.expression for one in found]
    shut, wide = sum(e.shut for e in shown), sum(e.wide for e in shown)
    closed = _mean([e.closed for e in shown], [e.shut for e in shown])
    opened = _mean([e.opened for e in shown], [e.wide for e in shown])
    strength = _mean([e.strength for e in shown], [e.frames for e in shown])
    return f"| {name} | {frames} | {torn:.3f} | {shut} | {closed} | {wide} | {opened} | {strength} |"


def _mean(values: Sequence[float], weights: Sequence[int]) -> str:
    """The weighted mean of those that there are, or a dash."""
    there = [(v, w) for v, w in zip(values, weights, strict=True) if np.isfinite(v) and w > 0]
    if not there:
        return "–"
    return f"{sum(v * w for v, w in there) / sum(w for _, w in there):.2f}"
