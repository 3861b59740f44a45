"""The driver of a file: one person followed by place and likeness, and what happens when another takes over.

The tracker follows whatever face is where the last one was, and the largest one after a loss. That is right
for a camera with its owner before it; a file has hard cuts and several people. Motion relative to someone
else's reference deforms the avatar, so a face of another person counts as none: the avatar rests, and from
:data:`AWAY` seconds on the newcomer drives, relative to a reference of their own. Who comes back drives
again, relative to their first reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.landmarks import Landmarker
from mien.engine.motion import Motion
from mien.engine.tracking.auto_reference import COMPARABLE, expression_of, is_frontal
from mien.engine.tracking.identity import ALIKE, OTHER, Look, Person, may_be_cut
from mien.engine.tracking.tracker import Tracker
from mien.engine.types import Face, Frame, Image

AWAY = 0.5
"""Seconds without the driver after which another person may drive."""

JUDGED = 5
"""Frames whose median unlikeness decides who a face is."""

BETWEEN_LOOKS = 0.4
"""Seconds between the looks that are kept of the driver."""

SEARCH = 0.2
"""Seconds between searches for the driver among all faces, while somebody else is in view."""

REMEMBERED = 8
"""People who are known again when they come back; each costs an image."""

REMEMBERED_BYTES = 200_000_000
"""Memory of those images: an image of 8K has 100 MB."""

TOLD = 5
"""Takeovers whose times are told."""

DISSOLVED, STRANGE = 3, 0.15
"""So many looks in a row, this unlike the driver, tell a dissolve: no frame differs much from the last."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A frame of a file and what the driver does in it.

    Attributes:
        frame: at the reference's size.
        face: the driver's face, or None where it is not seen.
        motion: its motion relative to its person's reference, or None.
        person: number of the driver, 0 for the first.
    """

    frame: Frame
    face: Face | None
    motion: Motion | None
    person: int


@dataclass(frozen=True, slots=True)
class _Seen:
    frame: Frame
    face: Face
    look: Look


class FileDriver:
    """Follows the driver through a file.

    Args:
        tracker: measures; a reference that it already has belongs to the first person.
        looks: of that person, where more than the reference's is known.

    Attributes:
        takeovers: when another person began to drive, seconds.
    """

    def __init__(self, tracker: Tracker, looks: Sequence[Look] = ()) -> None:
        self._tracker = tracker
        self.takeovers: list[float] = []
        self._people: list[Person] = []
        self._count = 0
        self._person: Person | None = None
        if tracker.reference_frame is not None:
            self._person = self._met(*tracker.reference_frame)
            for look in looks:
                self._person.remember(look)
        self._last: tuple[Frame, Face] | None = None
        self._pending: list[_Seen] = []
        self._stranger: _Seen | None = None
        self._seen_at = self._looked_at = self._searched_at = float("-inf")
        self._strange = 0

    def follow(self, frames: Iterable[Frame]) -> Iterator[Followed]:
        """Every frame in order, each at most :data:`JUDGED` frames late."""
        for frame in frames:
            face = self._tracker.locate(frame)
            yield from self._step(self._tracker.frame or frame, face)
        yield from self._decided()

    def _step(self, frame: Frame, face: Face | None) -> Iterator[Followed]:
        if face is None:
            yield from self._decided()
            self._last = self._stranger = None
            yield self._nobody(frame)
        elif self._person is None:
            self._tracker.set_reference(frame.image, face)
            self._person = self._met(frame.image, face)
            yield self._driven(frame, face)
        elif self._stranger is not None:
            yield from self._beside_stranger(frame, face)
        elif self._pending or self._may_be_another(frame, face):
            yield from self._judge(frame, face)
        else:
            yield self._driven(frame, face)
            self._watch(frame, face)

    def _driven(self, frame: Frame, face: Face) -> Followed:
        assert self._person is not None
        self._last, self._seen_at = (frame, face), frame.time
        self._stranger = None
        return Followed(frame, face, self._tracker.measure(frame, face), self._person.number)

    def _nobody(self, frame: Frame) -> Followed:
        return Followed(frame, None, None, self._person.number if self._person else 0)

    def _met(self, image: Image, face: Face) -> Person:
        self._count += 1
        person = Person(self._count - 1, np.array(image), face)
        most = max(1, min(REMEMBERED, REMEMBERED_BYTES // image.nbytes))
        self._people = [*self._people, person][-most:]
        return person

    def _may_be_another(self, frame: Frame, face: Face) -> bool:
        return self._last is None or may_be_cut((self._last[0].image, self._last[1]), (frame.image, face))

    def _judge(self, frame: Frame, face: Face) -> Iterator[Followed]:
        person = self._person
        assert person is not None
        if not self._pending:
            face = self._most_like(frame, face)
            if self._last is not None:
                person.remember(Look.of(self._last[0].image, self._last[1]))
        self._pending.append(_Seen(frame, face, Look.of(frame.image, face)))
        first = person.unlikeness(self._pending[0].look)
        if len(self._pending) >= JUDGED or first < ALIKE:
            yield from self._decided()

    def _most_like(self, frame: Frame, face: Face) -> Face:
        """Of several faces in a newly searched frame the driver's, if it is among them."""
        landmarker = self._tracker.landmarker
        if landmarker.faces_seen < 2 or self._person is None:
            return face
        return _found(landmarker, frame, self._person) or face

    def _decided(self) -> Iterator[Followed]:
        """What waits to be judged, as the driver's or as nobody's."""
        pending, self._pending = self._pending, []
        person = self._person
        if not pending or person is None:
            return
        if _median(person, pending) < OTHER:
            for seen in pending:
                yield self._driven(seen.frame, seen.face)
            return
        back = self._known(pending)
        if back is not None:
            self._take_over(back, pending[0].frame.time)
            yield self._nobody(pending[0].frame)  # a loss, from which it is eased
            for seen in pending[1:]:
                yield self._driven(seen.frame, seen.face)
            return
        for seen in pending:
            yield self._nobody(seen.frame)
        self._stranger = min(pending, key=lambda seen: expression_of(seen.face))
        self._last = None

    def _known(self, seen: list[_Seen]) -> Person | None:
        """Who of the others met so far this is."""
        others = [(_median(person, seen), person) for person in self._people if person is not self._person]
        likeness, person = min(others, key=lambda item: item[0], default=(np.inf, None))
        return person if likeness < OTHER else None

    def _beside_stranger(self, frame: Frame, face: Face) -> Iterator[Followed]:
        """Somebody else is in view: look for the driver; after a while, take what there is."""
        person, stranger = self._person, self._stranger
        assert person is not None and stranger is not None
        look = Look.of(frame.image, face)
        if person.unlikeness(look) < ALIKE:
            yield self._driven(frame, face)
            return
        if frame.time - self._searched_at >= SEARCH:
            self._searched_at = frame.time
            found = _found(self._tracker.landmarker, frame, person)
            if found is not None:
                yield self._driven(frame, found)
                return
        if expression_of(face) < expression_of(stranger.face):
            stranger = self._stranger = _Seen(frame, face, look)
        if frame.time - self._seen_at < AWAY:
            yield self._nobody(frame)
            return
        if look.unlikeness(stranger.look) >= OTHER:
            # The stranger has gone, too: of whoever this is nothing is known yet.
            self._stranger = _Seen(frame, face, look)
            yield self._nobody(frame)
            return
        self._take_over(self._met(stranger.frame.image, stranger.face), frame.time)
        yield self._driven(frame, face)

    def _take_over(self, person: Person, time: float) -> None:
        self._person = person
        self._tracker.set_reference(person.image, person.face)
        self.takeovers.append(time)
        self._strange, self._looked_at = 0, time

    def _watch(self, frame: Frame, face: Face) -> None:
        """Now and then keep a look of the driver; notice who came by a dissolve."""
        person = self._person
        if person is None or frame.time - self._looked_at < BETWEEN_LOOKS:
            return
        self._looked_at = frame.time
        look = Look.of(frame.image, face)
        unlikeness = person.unlikeness(look)
        if unlikeness < OTHER:
            person.remember(look)
        unlike = unlikeness > STRANGE and is_frontal(face, COMPARABLE)
        self._strange = self._strange + 1 if unlike else 0
        if self._strange >= DISSOLVED:
            self._stranger = _Seen(frame, face, look)


def takeover_note(name: str, times: Sequence[float]) -> list[str]:
    """The one line that says when others took over in the file ``name``; none when nobody did."""
    if not times:
        return []
    told = ", ".join(f"{time:.1f}" for time in times[:TOLD])
    if len(times) > TOLD:
        told += f", ... ({len(times)} times)"
    return [
        f"in {name} another face takes over at {told} s: the avatar rests there, and from then on the "
        "motion is relative to a new reference."
    ]


def _found(landmarker: Landmarker, frame: Frame, person: Person) -> Face | None:
    """The person among all faces of a frame, followed from here on; None where they are not seen."""
    faces = landmarker.detect(frame.image)
    rated = [(person.unlikeness(Look.of(frame.image, face)), index) for index, face in enumerate(faces)]
    unlikeness, index = min(rated, default=(np.inf, 0))
    if unlikeness >= OTHER:
        return None
    landmarker.follow(faces[index])
    return landmarker.track(frame.image)


def _median(person: Person, seen: list[_Seen]) -> float:
    return float(np.median([person.unlikeness(one.look) for one in seen]))
