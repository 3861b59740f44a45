"""Further photos of the avatar's person: what they show is shown, in the portrait's light, without a jump."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip

from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion
from mien.engine.photos.album import fitted
from mien.engine.photos.choice import FADE, Choice, Faces
from mien.engine.photos.drawing import PhotoChooser
from mien.engine.photos.photo import Photo
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Face, Frame, Image

REST, SHOUTING, BLINKING = 8, 60, 42
"""Frames of the clip: the portrait; the mouth wide open; the eyes closed."""

Results = dict[tuple[str, int], Image]

PHOTOS = {SHOUTING: 62, BLINKING: 92}
"""The photos are other frames: no copies of the truth."""


@dataclass(frozen=True)
class Person:
    """One person's frames, faces and motions relative to the portrait's frame."""

    images: dict[int, Image]
    faces: dict[int, Face]
    motions: dict[int, Motion]


@pytest.fixture(scope="module")
def person(carphone: Path) -> Person:
    wanted = {REST, *PHOTOS, *PHOTOS.values()}
    clip = read_clip(carphone, max(wanted) + 1)
    images = {i: np.asarray(cv2.resize(clip[i], None, fx=2, fy=2), np.uint8) for i in wanted}
    with make_landmarker() as landmarker:
        faces = {}
        for i, image in images.items():
            landmarker.reset()
            face = landmarker.track(image)
            assert face is not None
            faces[i] = face
        tracker = Tracker(TrackerSettings(), landmarker)
        tracker.set_reference(images[REST], faces[REST])
        motions = {i: tracker.measure(Frame(images[i], i, 0, float(i)), faces[i]) for i in wanted}
    return Person(images, faces, motions)


def photo_of(person: Person, index: int) -> Photo:
    face = person.faces[index]
    return Photo(person.images[index], face.landmarks, face.pose, face.blendshapes, str(index))


@pytest.fixture(scope="module")
def alone(person: Person, landmarker: Landmarker, runtime: Runtime) -> Avatar:
    return Avatar.of(person.images[REST], landmarker, runtime)


@pytest.fixture(scope="module")
def helped(alone: Avatar, person: Person) -> Avatar:
    return replace(alone, photos=tuple(photo_of(person, index) for index in PHOTOS.values()))


@pytest.fixture(scope="module")
def results(alone: Avatar, helped: Avatar, person: Person, runtime: Runtime) -> Results:
    return {
        (name, index): Renderer(avatar, runtime).render(person.motions[index]).image
        for name, avatar in (("alone", alone), ("helped", helped))
        for index in (REST, SHOUTING, BLINKING)
    }


def around(face: Face, points: tuple[int, ...], margin: float = 0.2) -> tuple[slice, slice]:
    at = face.landmarks[list(points), :2]
    low, high = at.min(axis=0), at.max(axis=0)
    rim = margin * (high - low).max()
    (left, top), (right, bottom) = (low - rim).astype(int), (high + rim).astype(int) + 1
    return slice(max(0, top), bottom), slice(max(0, left), right)


def test_an_opened_mouth_comes_from_the_photo_that_has_it(results: Results, person: Person) -> None:
    box = around(person.faces[SHOUTING], topo.LIPS_OUTER)
    truth = person.images[SHOUTING][box].astype(np.float32)
    off = {name: float(np.abs(results[name, SHOUTING][box] - truth).mean()) for name in ("alone", "helped")}
    assert off["helped"] < 0.9 * off["alone"]


def test_shut_lids_come_from_the_photo_that_has_them(alone: Avatar, person: Person, runtime: Runtime) -> None:
    photo = photo_of(person, PHOTOS[BLINKING])
    made_up = photo.image.copy()
    for eye in (topo.RIGHT_EYE, topo.LEFT_EYE):
        made_up[around(person.faces[PHOTOS[BLINKING]], eye, 0.1)] = (40, 40, 220)
    renderer = Renderer(replace(alone, photos=(replace(photo, image=made_up),)), runtime)
    shut, rest = (renderer.render(person.motions[index]).image for index in (BLINKING, REST))
    for eye in (topo.RIGHT_EYE, topo.LEFT_EYE):
        for image, is_blue in ((shut, True), (rest, False)):
            red, _, blue = image[around(person.faces[BLINKING], eye, 0.3)].reshape(-1, 3).astype(int).T
            assert ((blue > red + 80).mean() > 0.15) == is_blue


def test_nothing_changes_where_the_portrait_will_do(results: Results) -> None:
    assert np.array_equal(results["alone", REST], results["helped", REST])


def test_nothing_changes_away_from_the_face(results: Results, person: Person) -> None:
    low = person.faces[SHOUTING].landmarks[:, :2].min(axis=0).astype(int) - 12
    high = person.faces[SHOUTING].landmarks[:, :2].max(axis=0).astype(int) + 12
    changed = (results["alone", SHOUTING] != results["helped", SHOUTING]).any(axis=2)
    changed[low[1] : high[1], low[0] : high[0]] = False
    assert not changed.any()


def test_another_light_is_matched(person: Person) -> None:
    photo = photo_of(person, BLINKING)
    tinted = (photo.image / 255.0) ** 2.2 * np.array([0.8, 0.55, 0.4])
    other = replace(photo, image=np.asarray(255 * tinted ** (1 / 2.2), np.uint8))
    portrait, points = person.images[REST], person.faces[REST].landmarks[:, :2]
    straight, matched = (fitted(p, portrait, points) for p in (photo, other))
    assert straight is not None and matched is not None
    box = around(person.faces[BLINKING], topo.RIGHT_EYE, 1.0)
    off = np.abs(straight.image[box].astype(int) - matched.image[box]).mean()
    assert off < 6 < np.abs(photo.image[box].astype(int) - other.image[box]).mean()


def test_a_light_that_cannot_be_matched_is_refused(person: Person) -> None:
    photo = photo_of(person, BLINKING)
    black = replace(photo, image=np.asarray(photo.image // 12, np.uint8))
    assert fitted(black, person.images[REST], person.faces[REST].landmarks[:, :2]) is None


def test_a_grey_portrait_stays_grey(
    helped: Avatar, person: Person, landmarker: Landmarker, runtime: Runtime
) -> None:
    grey = cv2.cvtColor(cv2.cvtColor(person.images[REST], cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    avatar = replace(Avatar.of(np.asarray(grey, np.uint8), landmarker, runtime), photos=helped.photos)
    image = Renderer(avatar, runtime).render(person.motions[BLINKING]).image
    assert int(np.ptp(image.astype(int), axis=2).max()) <= 1


def test_a_mouth_that_opens_takes_teeth_that_are_not_quite_in_place_before_painted_ones(
    person: Person,
) -> None:
    photo, points = photo_of(person, SHOUTING), person.faces[REST].landmarks[:, :2]
    shown = fitted(photo, person.images[REST], points)
    assert shown is not None
    own = photo_of(person, REST).traits
    halfway = replace(own, lips=(own.lips + photo.traits.lips) / 2, shapes=None)
    for gap, is_shown in ((own.gap + 0.03, False), (own.gap + 0.12, True)):
        chooser = PhotoChooser([shown], replace(own, shapes=None))
        patches = chooser.choose(replace(halfway, gap=gap), 0.0, shown.vertices, shown.depth)
        assert (patches is not None and patches.mouth > 0.5) == is_shown


def test_of_several_faces_each_is_most_like_itself(person: Person) -> None:
    traits = [photo_of(person, index).traits for index in (REST, SHOUTING, BLINKING)]
    faces = Faces.of(traits)
    for number, wanted in enumerate(traits):
        apart = faces.difference(wanted)
        assert apart[number] == pytest.approx(0.0, abs=1e-5)
        assert np.delete(apart, number).min() > 0.5
    assert faces.mouths(traits[0])[1] > faces.mouths(traits[0])[2], "a shout is less like rest"
    assert faces.lids(traits[0], 0)[2] > faces.lids(traits[0], 0)[1], "and shut lids less like open ones"


def test_a_photo_comes_softly_and_is_kept_while_it_is_nearly_the_best() -> None:
    choice = Choice()
    assert choice(1.0, {0: 2.0}, 0.0) == []
    assert choice(3.0, {0: 1.0}, FADE / 2) == [(0, pytest.approx(0.5))]
    assert choice(3.0, {0: 1.0, 1: 0.9}, FADE) == [(0, 1.0)], "only a little better"
    assert choice(3.0, {0: 1.0, 1: 0.5}, 1.5 * FADE) == [(0, 1.0), (1, pytest.approx(0.5))]
    assert choice(0.1, {0: 1.0, 1: 0.5}, 3 * FADE) == [], "both go"


def test_a_jump_in_time_shows_the_best_at_once() -> None:
    choice = Choice()
    choice(0.1, {0: 2.0}, 0.0)
    assert choice(3.0, {0: 1.0}, 60.0) == [(0, 1.0)]
    assert choice(3.0, {0: 1.0}, 10.0) == [(0, 1.0)]
