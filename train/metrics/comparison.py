"""Existing results of any tool against their driving clip, in one table: nothing is rendered here.

Every clip is seen through the window around the face in its first frame, so that sizes need not agree.
A result of another frame rate is looked at at the driver's times, a longer or shorter one as far as
both go; what was adapted, or left out, is said in a line each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.engine.landmarks import Landmarker
from mien.engine.types import Face, Image, MienError, NoFaceError, SourceError
from mien.train.metrics.expression import Followed, follow
from mien.train.metrics.fair_motion import ceiling, motion_of, reliability
from mien.train.metrics.fidelity import Fidelity, compare
from mien.train.metrics.image_tears import TearGauge
from mien.train.metrics.layout_motion import layout_motion_of
from mien.train.metrics.motion_field import DenseMotion
from mien.train.metrics.passage import Passage
from mien.train.metrics.window import FaceWindow

RATE_TOLERANCE = 0.01
"""Relative difference of frame rates that counts as none."""

LEAST = 3
"""Frames that a comparison needs."""


@dataclass(frozen=True)
class Seen:
    """A clip's face, frame by frame.

    Attributes:
        name: of the clip.
        size: width and height of its frames.
        times: ``(T,) float64`` seconds since its first frame.
        images: the window of every frame, ``(S, S, 3) uint8``.
        face: the face in the first of them.
        faces: the face in every frame's window, None where there is none.
    """

    name: str
    size: tuple[int, int]
    times: np.ndarray
    images: list[Image]
    face: Face
    faces: list[Face | None]

    @property
    def rate(self) -> float:
        """Frames a second, by the median distance of frames."""
        return 1.0 / float(np.median(np.diff(self.times)))


@dataclass(frozen=True)
class Compared:
    """One result.

    Attributes:
        name: of the result.
        frames: that were compared.
        motion: see :class:`mien.train.metrics.fidelity.Fidelity`; None where it could not be measured.
        ceiling: the correlation that a noiseless copy would get.
        layout_correlation: by the measure of version 0.1.
        expression: eyes, mouth and strength.
        torn: share of torn frames; NaN without a portrait.
        notes: what was adapted, or why there is nothing to say, a line each.
    """

    name: str
    frames: int = 0
    motion: Fidelity | None = None
    ceiling: float = float("nan")
    layout_correlation: float = float("nan")
    expression: Followed | None = None
    torn: float = float("nan")
    notes: list[str] = field(default_factory=list)


def see(passage: Passage, landmarker: Landmarker) -> Seen:
    """Look at a clip.

    Raises:
        MienError: unreadable, too short, frames of different sizes, or no face in the first.
    """
    from mien.streams.factory import open_source

    images: list[Image] = []
    faces: list[Face | None] = []
    times: list[float] = []
    window: FaceWindow | None = None
    size, first = (0, 0), None
    landmarker.reset()
    with open_source(str(passage.path)) as source:
        for frame in source:
            if passage.last is not None and frame.index >= passage.last:
                break
            if frame.index < passage.first:
                continue
            height, width = frame.image.shape[:2]
            if window is None:
                found = landmarker.detect(frame.image)
                if not found:
                    raise NoFaceError(f"{passage.path}: no face in its first frame: nothing can be measured.")
                window, size = FaceWindow.around(found[0]), (width, height)
                first = window.face(found[0])
                landmarker.reset()
            elif (width, height) != size:
                raise SourceError(
                    f"{passage.path}: frame {frame.index} is {width} x {height}, those before are "
                    f"{size[0]} x {size[1]}: give a clip of one size."
                )
            face = landmarker.track(frame.image)
            images.append(window.cut(frame.image))
            faces.append(None if face is None else window.face(face))
            times.append(frame.time)
    if len(images) < LEAST or first is None:
        raise SourceError(f"{passage.path}: {len(images)} frames; at least {LEAST} are needed.")
    return Seen(passage.name, size, np.array(times) - times[0], images, first, faces)


class Comparison:
    """Holds results against one driving clip.

    Args:
        driving: the clip.
        landmarker: finds the faces in results.
        portrait: ``(H, W, 3) uint8`` RGB, what the results were made from, if it is known: tears are looked
            for then, and eyes and mouths are relative to it instead of each result's first frame.
    """

    def __init__(self, driving: Seen, landmarker: Landmarker, portrait: Image | None = None) -> None:
        self._driving = driving
        self._landmarker = landmarker
        self._motion = motion_of(driving.images, driving.face)
        self._before = layout_motion_of(driving.images, driving.face)
        self.ceiling = ceiling(reliability(driving.images, driving.face, self._motion))
        self._gauge: TearGauge | None = None
        self._portrait: Face | None = None
        if portrait is not None:
            found = landmarker.detect(portrait)
            if not found:
                raise NoFaceError("The portrait shows no face. Give the one that the results were made from.")
            self._portrait = found[0]
            self._gauge = TearGauge(portrait, found[0], landmarker)

    def result(self, passage: Passage) -> Compared:
        """One result; what prevents it is a note of its own."""
        try:
            return self._compared(see(passage, self._landmarker))
        except MienError as error:
            return Compared(passage.name, notes=[str(error)])

    def _compared(self, result: Seen) -> Compared:
        notes: list[str] = []
        mine, theirs = pairing(self._driving, result, notes)
        if len(mine) < LEAST:
            reason = f"{result.name}: only {len(mine)} frames go with the driver's: not measured."
            return Compared(result.name, len(mine), notes=[reason])
        images = [result.images[k] for k in theirs]
        faces = [result.faces[k] for k in theirs]
        motion = compare(_part(self._motion, mine), motion_of(images, result.face))
        before = compare(_part(self._before, mine), layout_motion_of(images, result.face))
        lost = sum(face is None for face in faces)
        if lost:
            notes.append(f"{result.name}: no face in {lost} of {len(faces)} frames.")
        portrait = self._portrait if self._portrait is not None else result.face
        return Compared(
            result.name,
            len(mine),
            motion,
            self.ceiling,
            before.correlation,
            follow([self._driving.faces[k] for k in mine], faces, self._driving.face, portrait),
            self._torn(images),
            notes,
        )

    def _torn(self, images: Sequence[Image]) -> float:
        if self._gauge is None:
            return float("nan")
        return float(np.mean([self._gauge.found(image, self._landmarker).torn for image in images]))


def pairing(driving: Seen, result: Seen, notes: list[str]) -> tuple[list[int], list[int]]:
    """Which frames of the driver and of a result go together; says in ``notes`` what was adapted."""
    count, other = len(driving.images), len(result.images)
    mine = list(range(count))
    if count == other:
        # One frame for each: tools that write another rate into the file still made them one by one.
        theirs = mine
    elif abs(result.rate / driving.rate - 1) <= RATE_TOLERANCE:
        mine = list(range(min(count, other)))
        theirs = mine
        notes.append(
            f"{result.name}: {other} frames, the driver has {count}: the first {len(mine)} are compared."
        )
    else:
        step = 1 / min(driving.rate, result.rate)
        mine = [k for k in mine if driving.times[k] <= result.times[-1] + step / 2]
        theirs = [int(np.abs(result.times - driving.times[k]).argmin()) for k in mine]
        notes.append(
            f"{result.name}: {result.rate:.4g} frames a second, the driver {driving.rate:.4g}: looked at "
            f"at the driver's times ({len(mine)} of {count} frames)."
        )
    if result.size != driving.size:
        notes.append(
            f"{result.name}: {result.size[0]} x {result.size[1]}, the driver {driving.size[0]} x "
            f"{driving.size[1]}: each is measured in its own face."
        )
    return mine, theirs


def _part(motion: DenseMotion, places: list[int]) -> DenseMotion:
    return DenseMotion(motion.field[places], motion.mask)


def find_results(paths: Sequence[str]) -> list[Passage]:
    """The results that were named.

    Raises:
        MienError: one is not there.
    """
    passages = [Passage.parse(path) for path in paths]
    missing = next((p.path for p in passages if not Path(p.path).exists()), None)
    if missing is not None:
        raise SourceError(f"{missing}: there is no such file or folder.")
    return passages
