"""Automatic reference frame of a clip: the first where it suits, another where that one suits better."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians, sin
from pathlib import Path

import numpy as np
import pytest
from conftest import read_clip

from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.landmarks.topology import BLENDSHAPE_NAMES
from mien.engine.tracking.clip_reference import SEARCHED_S, ClipReference, Openness, unsuitable
from mien.engine.tracking.reference import Reference
from mien.engine.types import Face, Frame, Image

Seen = list[tuple[Frame, Face | None]]
FPS = 30.0
CALM, SHOUTING, BLINKING, SHUT = 8, 60, 92, 96
"""Frames of the clip: a mouth ajar, one wide open, shut eyes, a shut mouth."""


@pytest.fixture(scope="module")
def seen(carphone: Path) -> Seen:
    with make_landmarker() as landmarker:
        return [
            (Frame(image, i, 0, i / FPS), landmarker.track(image))
            for i, image in enumerate(read_clip(carphone, 100))
        ]


@pytest.fixture(scope="module")
def portrait(seen: Seen) -> Face:
    return face_at(seen, 0)


def face_at(seen: Seen, index: int) -> Face:
    face = seen[index][1]
    assert face is not None
    return face


def searched(seen: Seen, portrait: Face) -> ClipReference:
    """A search of frames as if they followed one another in a clip."""
    faces = {frame.image.tobytes(): face for frame, face in seen}
    search = ClipReference(portrait, lambda image: faces[image.tobytes()])
    for place, (frame, _) in enumerate(seen):
        search.look(replace(frame, time=place / FPS))
    return search


def turned(face: Face, degrees: float) -> Face:
    angle = radians(degrees)
    pose = np.eye(4, dtype=np.float32)
    pose[0, 0], pose[0, 2], pose[2, 0], pose[2, 2] = cos(angle), sin(angle), -sin(angle), cos(angle)
    return replace(face, pose=pose)


def test_a_first_frame_that_suits_stays(seen: Seen, portrait: Face) -> None:
    search = searched(seen[CALM:], portrait)
    assert search.reason is None and search.over
    assert search.found is not None and search.found[0].index == CALM
    assert "it suits" in search.told


def test_a_first_frame_without_a_fault_yields_to_one_that_is_far_nearer_to_the_portrait(
    seen: Seen, portrait: Face
) -> None:
    """A frown is no fault that anyone would name, yet all that follows it would be raised brows."""
    frowning = replace(portrait, blendshapes=portrait.blendshapes.copy())
    for name in ("browDownLeft", "browDownRight", "mouthShrugLower"):
        frowning.blendshapes[BLENDSHAPE_NAMES.index(name)] += 0.6
    assert unsuitable(frowning, portrait) is None
    images = [replace(frame, image=frame.image.copy()) for frame, _ in seen[:9]]
    clip = [(images[0], frowning), *((frame, portrait) for frame in images[1:])]
    search = searched(clip, portrait)
    assert search.found is not None and search.found[1] is portrait
    assert search.told == ": it suits better than the first, 0" and search.parted == 0.0
    alike = searched([(frame, frowning) for frame in images], portrait)
    assert alike.found is not None and alike.found[0].index == 0 and "it suits" in alike.told


def test_after_a_wide_open_mouth_a_calm_frame_is_found_and_the_reason_told(
    seen: Seen, portrait: Face
) -> None:
    search = searched(seen[SHOUTING : SHOUTING + 15] + seen[:20], portrait)
    assert search.found is not None and search.found[0].index < 20
    assert search.told == f": in the first, {SHOUTING}, {search.reason}"
    wide = replace(face_at(seen, SHOUTING), pose=portrait.pose)
    assert unsuitable(wide, portrait) == "the mouth is open"
    assert Openness.of(search.found[1]).mouth < 0.3 < Openness.of(wide).mouth


@pytest.mark.parametrize(("index", "why"), [(BLINKING, "the eyes are closed"), (SHUT, "more closed")])
def test_eyes_and_mouth_are_to_be_open_as_in_the_portrait(
    seen: Seen, portrait: Face, index: int, why: str
) -> None:
    shut = replace(face_at(seen, index), pose=portrait.pose)
    agape = replace(portrait, landmarks=face_at(seen, 28).landmarks)
    assert why in str(unsuitable(shut, agape))
    assert unsuitable(portrait, portrait) is None


def test_a_head_turned_as_the_portrait_or_to_the_front_suits(portrait: Face) -> None:
    aside = turned(portrait, 30)
    assert unsuitable(aside, turned(portrait, 0)) == "the head is turned"
    assert unsuitable(aside, turned(portrait, 28)) is None
    assert unsuitable(turned(portrait, 2), aside) is None


def test_where_nothing_suits_better_the_first_frame_stays(seen: Seen, portrait: Face) -> None:
    shouting = [(frame, face_at(seen, SHOUTING)) for frame, _ in seen[40:60]]
    search = searched(list(shouting), portrait)
    assert search.found is not None and search.found[0].index == 40
    assert "no frame suits much better" in search.told


def test_a_mouth_that_is_never_shut_counts_as_opened(seen: Seen, portrait: Face) -> None:
    """A driver who laughs from the first frame to the last opened no portrait's mouth."""
    shouting = [(frame, face_at(seen, SHOUTING)) for frame, _ in seen[40:60]]
    search = searched(list(shouting), portrait)
    least, own = Openness.of(face_at(seen, SHOUTING)).mouth, Openness.of(portrait).mouth
    assert search.parted == pytest.approx(least - own, abs=0.01) and "open mouth counts" in search.told
    as_open = searched(list(shouting), replace(portrait, landmarks=face_at(seen, SHOUTING).landmarks))
    assert as_open.parted == 0.0
    shut = replace(face_at(seen, SHOUTING), landmarks=face_at(seen, SHUT).landmarks)
    assert searched([*shouting, *((frame, shut) for frame, _ in seen[60:70])], portrait).parted == 0.0


def test_the_lower_lip_of_a_mouth_that_counts_as_opened_keeps_its_thickness(seen: Seen) -> None:
    """Measured across the gap its inner edge came less far than its outer one: it became twice as thick."""
    frame, _ = seen[SHOUTING]
    reference = Reference.of(frame.image, face_at(seen, SHOUTING), parted=0.4)
    assert reference.opened is not None
    upper, inner, outer = (float(reference.opened[landmark, 1]) for landmark in (13, 14, 17))
    assert outer - upper > 0.08
    assert inner - upper > 0.9 * (outer - upper)


def test_frames_of_another_person_are_not_taken(seen: Seen, landmarker: Landmarker, close_up: Image) -> None:
    (other,) = landmarker.detect(close_up)
    known = [seen[SHOUTING], (Frame(close_up, 99, 0, 4.0), other)]  # the second suits, but is somebody else
    search = searched([known[0]] * 4 + [known[1]] * 8, other)
    assert search.found is not None and search.found[0].index == SHOUTING


def test_an_hour_is_not_searched_to_its_end(seen: Seen, portrait: Face) -> None:
    search = ClipReference(portrait, lambda _: face_at(seen, SHOUTING))
    for time, over in ((0.0, False), (SEARCHED_S - 1, False), (SEARCHED_S + 1, True)):
        search.look(replace(seen[SHOUTING][0], time=time))
        assert search.over == over


def test_a_clip_without_a_face_has_none(portrait: Face) -> None:
    search = ClipReference(portrait, lambda _: None)
    search.look(Frame(np.zeros((8, 8, 3), np.uint8), 0, 0, 0.0))
    assert search.found is None and search.told == "" and not search.over
