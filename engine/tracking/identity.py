"""Identity within one file: shape of the skull, and appearance in the face layout.

Measured on clips of 30 people, medians over five frames against five earlier looks: one person's frames
differ by up to 0.084, those of two people by 0.107 or more in 95 % and 0.087 or more in 99 % of 870 pairs.
Shapes alone overlap from 0.034 to 0.049. This is no face recognition: a look is compared within its own file
only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.layout import N_MESH
from mien.engine.landmarks.topology import FLIP
from mien.engine.tracking.alignment import sample_layout
from mien.engine.tracking.auto_reference import COMPARABLE, is_frontal, shape_difference
from mien.engine.types import Face, Floats, Image

SIDE, BORDER = 64, 8
"""Side of a look's image in the layout, and what is left out around it, pixels."""

APPEARANCE = 0.2
"""Weight of the appearance (1 minus the correlation) beside the difference of shapes."""

OTHER = 0.09
"""Unlikeness from which two faces are two people."""

MIRRORED = 0.005
"""By so much a mirrored look must be more like the person than the look itself to be a mirror image: so are
25 of the 27 mirror images (of 70 people) that are otherwise alike enough, and one unmirrored face of 70."""

ALIKE = 0.06
"""Unlikeness up to which a single look says that it is the same person."""

JUMP, CHANGE, CUT = 0.35, 0.03, 14.0
"""What may be a cut from one frame to the next: a move by this share of the face's width, this difference
of shapes (of faces that are not turned far), this mean difference of the images' grey levels. A false alarm
costs one look."""

LOOKS = 12
"""Looks that are kept of a person."""


@dataclass(frozen=True, slots=True)
class Look:
    """A face as it is compared.

    Attributes:
        face: the face.
        view: its image in the layout, ``(n,) float32``, mean 0 and length 1.
    """

    face: Face
    view: Floats

    @staticmethod
    def of(image: Image, face: Face) -> Look:
        """The look of ``face`` in ``image`` ``(H, W, 3) uint8`` RGB."""
        geometry = FaceGeometry.of(face)
        layout = sample_layout(image, geometry.nodes[N_MESH:], geometry.unit, SIDE)
        view = layout[BORDER:-BORDER, BORDER:-BORDER].astype(np.float32).ravel()
        view -= view.mean()
        return Look(face, np.asarray(view / max(float(np.linalg.norm(view)), 1e-6), np.float32))

    def unlikeness(self, other: Look) -> float:
        """How much two faces differ, 0 for equal ones; the module's docstring gives typical values."""
        return shape_difference(self.face, other.face) + APPEARANCE * (1.0 - float(self.view @ other.view))

    def mirrored(self) -> Look:
        """The look of the mirrored face."""
        landmarks = (self.face.landmarks * np.array([-1, 1, 1], np.float32))[FLIP]
        side = SIDE - 2 * BORDER
        view = np.ascontiguousarray(self.view.reshape(side, side)[:, ::-1]).ravel()
        return Look(replace(self.face, landmarks=landmarks), view)


RUN_LOOKS = 5
"""Looks at each stretch between two possible cuts, when a whole clip is there."""


SHORTEST = 3
"""Frames that a new person must be seen for: right after a cut the landmarks have not settled yet."""


class Person:
    """Looks of one person, the first of them the reference's.

    Attributes:
        image, face: the reference frame's image and the face in it.
        number: 0 for the first person, then counted up.
    """

    def __init__(self, number: int, image: Image, face: Face) -> None:
        self.number = number
        self.image, self.face = image, face
        self._looks = [Look.of(image, face)]

    @property
    def looks(self) -> tuple[Look, ...]:
        """What is kept of this person, the reference's look first."""
        return tuple(self._looks)

    def unlikeness(self, look: Look) -> float:
        """The difference from the most similar look of this person.

        The person's own mirror image counts as another one: relative to the reference, all that is not
        symmetric in a face would be motion.
        """
        unlikeness, mirrored = (
            min(seen.unlikeness(known) for known in self._looks) for seen in (look, look.mirrored())
        )
        return max(unlikeness, OTHER) if mirrored < unlikeness - MIRRORED else unlikeness

    def remember(self, look: Look) -> None:
        """Keep a look; the oldest but the reference's makes room for it."""
        self._looks.append(look)
        if len(self._looks) > LOOKS:
            del self._looks[1]


def may_be_cut(before: tuple[Image, Face], after: tuple[Image, Face]) -> bool:
    """Whether the second frame's face may be somebody else's than the first one's."""
    known, face = before[1], after[1]
    return (
        jumps(known, face)
        or (_comparable(known, face) and shape_difference(face, known) > CHANGE)
        or image_change(before[0], after[0]) > CUT
    )


def jumps(before: Face, now: Face) -> bool:
    """Whether a face is too far from where it was a frame ago to have moved there."""
    moved = now.landmarks[:, :2].mean(axis=0) - before.landmarks[:, :2].mean(axis=0)
    return float(np.hypot(*moved)) > JUMP * float(np.ptp(before.landmarks[:, 0]))


def _comparable(known: Face, face: Face) -> bool:
    """Whether the landmarks of both show the shape of the head: of one that turns far they guess it."""
    return is_frontal(known, COMPARABLE) and is_frontal(face, COMPARABLE)


def people_in(images: Sequence[Image], faces: Sequence[Face | None]) -> list[int]:
    """The person in each frame of a clip: 0 for the first, counted up; -1 where it cannot be told."""
    people: list[Person] = []
    numbers = [-1] * len(images)
    for run in _runs(images, faces):
        spread = run[:: max(1, len(run) // RUN_LOOKS)]
        looks = [Look.of(images[i], face) for i in spread if (face := faces[i]) is not None]
        rated = [float(np.median([person.unlikeness(look) for look in looks])) for person in people]
        who = int(np.argmin(rated)) if rated else 0
        if rated and rated[who] >= OTHER and len(run) < SHORTEST:
            continue
        if not rated or rated[who] >= OTHER:
            face = faces[run[0]]
            assert face is not None
            who = len(people)
            people.append(Person(who, images[run[0]], face))
        for look in looks:
            people[who].remember(look)
        for index in run:
            numbers[index] = who
    return numbers


def _runs(images: Sequence[Image], faces: Sequence[Face | None]) -> list[list[int]]:
    """Indices of the frames with a face, split wherever there may be a cut."""
    runs: list[list[int]] = []
    before: tuple[Image, Face] | None = None
    for index, (image, face) in enumerate(zip(images, faces, strict=True)):
        if face is None:
            before = None
            continue
        if before is None or may_be_cut(before, (image, face)):
            runs.append([])
        runs[-1].append(index)
        before = image, face
    return runs


def image_change(before: Image, after: Image) -> float:
    """Mean difference of two frames, grey levels, looked at about every thirtieth pixel."""
    if before.shape != after.shape:
        return float("inf")
    rows, columns = max(1, before.shape[0] // 32), max(1, before.shape[1] // 32)
    a, b = (image[::rows, ::columns].astype(np.int16) for image in (before, after))
    return float(np.abs(a - b).mean())
