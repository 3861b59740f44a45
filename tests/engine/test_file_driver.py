"""Who drives a file: one person, by place and likeness; another one gets a reference of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip

from mien.engine.landmarks import Landmarker
from mien.engine.session.bridging import GapFiller
from mien.engine.tracking import Tracker
from mien.engine.tracking.file_driver import AWAY, FileDriver, Followed, takeover_note
from mien.engine.tracking.identity import OTHER, Look, may_be_cut, people_in
from mien.engine.tracking.offline import refined
from mien.engine.types import Frame, Image

FPS = 25


@pytest.fixture(scope="module")
def man(carphone: Path) -> list[Image]:
    """A man in a car, 352 x 288, in motion."""
    return [np.asarray(cv2.resize(image, (352, 288))) for image in read_clip(carphone, 60)]


@pytest.fixture(scope="module")
def woman(astronaut: Image) -> list[Image]:
    """The astronaut, who nods and shifts a little, in frames of the same size."""
    frames = []
    for index in range(60):
        shift = 4 * np.sin(index / 6)
        matrix = np.array([[1.3, 0, -60 + shift], [0, 1.3, -10 + shift / 2]])
        frames.append(np.asarray(cv2.warpAffine(astronaut[:256, 60:400], matrix, (352, 288))))
    return frames


def drive(images: Sequence[Image], landmarker: Landmarker) -> tuple[list[Followed], FileDriver]:
    landmarker.reset()
    driver = FileDriver(Tracker(landmarker=landmarker))
    frames = (Frame(image, index, 0, index / FPS) for index, image in enumerate(images))
    return list(driver.follow(frames)), driver


def size_of(followed: Followed) -> float:
    """Mean displacement of the face beside the head's motion, face units."""
    assert followed.motion is not None
    return float(np.abs(followed.motion.regions).mean())


def test_one_person_drives_from_first_to_last(man: list[Image], landmarker: Landmarker) -> None:
    followed, driver = drive(man[:35], landmarker)
    assert [f.frame.index for f in followed] == list(range(35))
    assert all(f.motion is not None for f in followed)
    assert driver.takeovers == []


def test_nothing_changes_for_one_person(man: list[Image], landmarker: Landmarker) -> None:
    followed, _ = drive(man[:12], landmarker)
    landmarker.reset()
    tracker = Tracker(landmarker=landmarker)
    for index, (image, found) in enumerate(zip(man, followed, strict=False)):
        motion = tracker.track(Frame(image, index, 0, index / FPS))
        assert motion is not None
        assert found.motion is not None
        assert (motion.dense == found.motion.dense).all()


def test_a_hard_cut_to_someone_else_is_a_lost_face_and_a_new_reference(
    man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    followed, driver = drive(man[:20] + woman[:40], landmarker)
    assert [f.frame.index for f in followed] == list(range(60))
    assert all(f.motion is not None for f in followed[:20])
    rest = [f.frame.index for f in followed if f.motion is None]
    assert rest == list(range(20, 20 + len(rest)))
    assert len(rest) / FPS == pytest.approx(AWAY, abs=0.1)
    (at,) = driver.takeovers
    assert at == pytest.approx(20 / FPS + AWAY, abs=0.1)
    later = [f for f in followed[20:] if f.motion is not None]
    assert {f.person for f in later} == {1}
    assert max(size_of(f) for f in later) < 0.012  # relative to her own face, which hardly moves
    assert takeover_note("a.mp4", driver.takeovers)[0].startswith(
        f"in a.mp4 another face takes over at {at:.1f} s: the avatar rests there"
    )


def test_without_that_the_avatar_would_be_deformed(
    man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    """What is measured when the second face is held against the first one's reference."""
    landmarker.reset()
    tracker = Tracker(landmarker=landmarker)
    motions = [tracker.track(Frame(i, n, 0, n / FPS)) for n, i in enumerate(man[:3] + woman[:10])]
    assert motions[-1] is not None
    assert float(np.abs(motions[-1].regions).mean()) > 0.025


def test_the_takeover_is_eased(man: list[Image], woman: list[Image], landmarker: Landmarker) -> None:
    followed, _ = drive(man[:20] + woman[:40], landmarker)
    motions = refined([f.motion for f in followed], [f.frame.time for f in followed])
    filler = GapFiller()
    shown = [filler.fill(f.frame, motion) for f, motion in zip(followed, motions, strict=True)]
    steps = [np.abs(b.points - a.points).mean() for a, b in pairwise(shown)]
    assert max(steps[19:]) <= max(0.004, 1.5 * max(steps[:19]))


def test_who_comes_back_drives_relative_to_their_first_reference(
    man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    followed, driver = drive(man[:15] + woman[:25] + man[15:40], landmarker)
    assert len(driver.takeovers) == 2
    assert {f.person for f in followed[45:]} == {0}
    tracker = driver._tracker
    assert tracker.reference_frame is not None
    assert (tracker.reference_frame[0] == man[0]).all()
    rest = [f for f in followed[40:] if f.motion is None]
    assert 1 <= len(rest) <= 3  # they are known: no need to wait


def leaving(image: Image, share: float) -> Image:
    """The image moved to the right by this share of its width."""
    matrix = np.array([[1, 0, share * image.shape[1]], [0, 1, 0]])
    return np.asarray(cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))


@pytest.mark.parametrize("who", ["man", "woman"])
def test_who_leaves_by_the_border_and_comes_back_mirrored_gets_a_new_reference(
    who: str, man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    """Relative to the unmirrored reference, whatever is not symmetric in a face would be motion."""
    images = {"man": man, "woman": woman}[who][:30]
    away = [leaving(image, step / 6) for step, image in enumerate(images[8:14])]
    back = [np.ascontiguousarray(image[:, ::-1]) for image in (*reversed(away), *images[14:])]
    followed, driver = drive([*images[:8], *away, *back, *images[:8]], landmarker)
    assert len(driver.takeovers) == 2
    ended = 14 + len(back)
    mirrored = [f for f in followed[14:ended] if f.motion is not None]
    assert {f.person for f in mirrored[-5:]} == {1}
    assert {f.person for f in followed[-5:]} == {0}  # and unmirrored the first reference again


def test_a_cut_within_one_person_goes_on(man: list[Image], landmarker: Landmarker) -> None:
    """A jump cut, and the same face elsewhere and larger."""
    matrix = np.array([[1.25, 0, -80], [0, 1.25, -20]])
    closer = [np.asarray(cv2.warpAffine(image, matrix, (352, 288))) for image in man[40:60]]
    followed, driver = drive(man[:15] + closer, landmarker)
    assert driver.takeovers == []
    assert all(f.motion is not None for f in followed)


def test_a_head_that_turns_far_is_no_cut(man: list[Image], landmarker: Landmarker) -> None:
    (face,) = landmarker.detect(man[0])
    flat = face.landmarks.copy()
    flat[:, 0] = flat[:, 0].mean() + 0.7 * (flat[:, 0] - flat[:, 0].mean())
    guessed = replace(face, landmarks=flat)
    assert may_be_cut((man[0], face), (man[0], guessed)), "of the same pose this is another shape"
    yaw = np.radians(40.0)
    turn = np.eye(4, dtype=np.float32)
    turn[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(yaw), np.sin(yaw), -np.sin(yaw), np.cos(yaw)
    assert not may_be_cut((man[0], face), (man[0], replace(guessed, pose=turn @ face.pose)))


def test_a_hand_before_the_face_is_no_takeover(man: list[Image], landmarker: Landmarker) -> None:
    hidden = [image.copy() for image in man[15:25]]
    for image in hidden:
        image[40:240, 60:300] = 128
    followed, driver = drive(man[:15] + hidden + man[25:40], landmarker)
    assert driver.takeovers == []
    assert all(f.motion is not None for f in followed[26:])


def both(left: Image, right: Image) -> Image:
    return np.concatenate([left, right], axis=1)


def test_of_two_people_the_driver_is_followed_and_taken_up_again(
    man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    """She is larger. While she is hidden for a moment, he does not drive."""
    smaller = []
    for image in man:
        canvas = np.zeros_like(image)
        canvas[72:216, 88:264] = cv2.resize(image, (176, 144))
        smaller.append(canvas)
    grey = np.full_like(man[0], 90)
    shown = [both(w, m) for w, m in zip(woman[:15], smaller, strict=False)]
    shown += [both(grey, m) for m in smaller[15:22]]
    shown += [both(w, m) for w, m in zip(woman[22:40], smaller[22:40], strict=True)]
    followed, driver = drive(shown, landmarker)
    assert driver.takeovers == []
    assert all(f.motion is None for f in followed[16:22])
    back = followed[30:]
    assert all(f.face is not None and f.face.landmarks[:, 0].mean() < 352 for f in back)


def test_when_the_driver_leaves_the_other_one_drives(
    man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    smaller = []
    for image in man:
        canvas = np.zeros_like(image)
        canvas[29:259, 35:317] = cv2.resize(image, (282, 230))
        smaller.append(canvas)
    grey = np.full_like(man[0], 90)
    shown = [both(w, m) for w, m in zip(woman[:15], smaller, strict=False)]
    shown += [both(grey, m) for m in smaller[15:50]]
    followed, driver = drive(shown, landmarker)
    assert len(driver.takeovers) == 1
    assert followed[-1].motion is not None
    assert followed[-1].person == 1
    assert size_of(followed[-1]) < 0.05


def test_one_person_is_alike_and_two_are_not(
    man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    looks = []
    for image in (man[0], man[50], woman[0], woman[30]):
        face = landmarker.detect(image)[0]
        looks.append(Look.of(image, face))
    assert looks[0].unlikeness(looks[1]) < OTHER
    assert looks[2].unlikeness(looks[3]) < OTHER
    assert looks[0].unlikeness(looks[2]) > OTHER
    assert takeover_note("a", []) == []
    assert "(7 times)" in takeover_note("a", [float(n) for n in range(7)])[0]


def test_a_whole_clip_is_divided_by_person(
    man: list[Image], woman: list[Image], landmarker: Landmarker
) -> None:
    clip = man[:12] + woman[:12] + man[12:20] + [np.zeros_like(man[0])] * 2 + woman[12:20]
    landmarker.reset()
    numbers = people_in(clip, [landmarker.track(image) for image in clip])
    expected = [0] * 12 + [1] * 12 + [0] * 8 + [-1] * 2 + [1] * 8
    told = [(number, truth) for number, truth in zip(numbers, expected, strict=True) if number >= 0]
    assert all(number == truth for number, truth in told)
    # Right after a cut the landmarks have not settled: such a frame is nobody's.
    assert len(told) >= len(clip) - 2 - 3
