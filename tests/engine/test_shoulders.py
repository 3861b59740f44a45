"""The driver's shoulders: measured below the chin, carried with the motion, taken over by the portrait's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.head.carried_body import carried_body
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.geometry import FaceGeometry
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.mesh.following import INSIDE, KNOWN
from mien.engine.motion import Body, Gains, Head, Motion, apply_gains
from mien.engine.motion.recording import Recording, load_recording, save_recording
from mien.engine.session.redraw import ChangeDetector
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.tracking.shoulder_tracker import ShoulderTracker
from mien.engine.tracking.shoulders import Shoulders
from mien.engine.types import Floats, Frame, Image

BELOW, PERSON = KNOWN.index("below"), KNOWN.index("person")
AT_REST = (0.0, 0.0)


@pytest.fixture(scope="module")
def geometry(astronaut: Image, landmarker: Landmarker) -> FaceGeometry:
    return FaceGeometry.of(landmarker.detect(astronaut)[0])


@pytest.fixture(scope="module")
def shoulders(astronaut: Image, geometry: FaceGeometry) -> Shoulders:
    found = Shoulders.of(astronaut, geometry)
    assert found is not None
    return found


def share_of_body(geometry: FaceGeometry, size: tuple[int, int]) -> Floats:
    """``(H, W)``: 0 on the head, 1 on the shoulders, soft over the neck."""
    height, width = size
    below = (np.arange(height, dtype=np.float32) - geometry.points[152, 1]) / geometry.unit
    return np.tile(np.clip((below + 0.1) / 0.3, 0, 1)[:, None], (1, width)).astype(np.float32)


def moved(image: Image, share: Floats, shift: tuple[float, float]) -> Image:
    """The image, moved by so many pixels where ``share`` says so."""
    height, width = share.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    there = cv2.remap(
        image, x - share * shift[0], y - share * shift[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(there, np.uint8)


@pytest.mark.parametrize("shift", [(14.0, 0.0), (-20.0, 6.0), (1.5, -1.0)])
def test_shoulders_that_move_below_a_still_head_are_seen(
    astronaut: Image, geometry: FaceGeometry, shoulders: Shoulders, shift: tuple[float, float]
) -> None:
    share = share_of_body(geometry, astronaut.shape[:2])
    seen = shoulders.seen(moved(astronaut, share, shift), AT_REST)
    np.testing.assert_allclose(np.array(seen.shift) * geometry.unit, shift, atol=0.7)
    assert seen.trust > 0.7


def test_a_head_that_moves_above_still_shoulders_leaves_them(
    astronaut: Image, geometry: FaceGeometry
) -> None:
    head = 1 - share_of_body(geometry, astronaut.shape[:2])
    with Tracker(TrackerSettings(refine=False)) as tracker:
        tracker.track(Frame(astronaut, 0, 0, 0.0))
        motion = tracker.track(Frame(moved(astronaut, head, (9.0, 0.0)), 1, 0, 0.04))
    assert motion is not None and motion.body is not None
    assert motion.head.shift[0] * geometry.unit > 7
    assert abs(motion.body.shift[0]) * geometry.unit < 1 and motion.body.trust > 0.7


def test_a_background_that_moves_is_no_body(avatar: Avatar, astronaut: Image, geometry: FaceGeometry) -> None:
    assert avatar.layers is not None
    height, width = astronaut.shape[:2]
    books = np.random.default_rng(0).integers(60, 200, (width // 14, 3))
    wall = np.repeat(books, 15, axis=0)[None, :width].repeat(height, axis=0).astype(np.uint8)
    wall[::60] = wall[1::60] = 40
    person = avatar.layers.person[..., None]

    def before(background: Image) -> Image:
        return (astronaut * person + background * (1 - person)).astype(np.uint8)

    found = Shoulders.of(before(wall), geometry)
    assert found is not None
    seen = found.seen(before(np.roll(wall, 15, axis=1)), AT_REST)
    assert np.abs(seen.shift).max() * geometry.unit < 1 and seen.trust > 0.7


def test_darker_and_noisier_light_moves_nothing(
    astronaut: Image, geometry: FaceGeometry, shoulders: Shoulders
) -> None:
    rng = np.random.default_rng(1)
    dark = np.clip(0.6 * astronaut + rng.normal(0, 3, astronaut.shape), 0, 255).astype(np.uint8)
    seen = shoulders.seen(dark, AT_REST)
    assert np.abs(seen.shift).max() * geometry.unit < 0.5 and seen.trust > 0.7


def test_clothes_without_any_pattern_tell_nothing(astronaut: Image, geometry: FaceGeometry) -> None:
    flat = astronaut.copy()
    flat[int(geometry.points[152, 1] - 0.2 * geometry.unit) :] = 20
    assert Shoulders.of(flat, geometry) is None


def test_a_frame_that_goes_black_tells_nothing(astronaut: Image, shoulders: Shoulders) -> None:
    black = astronaut.copy()
    black[:, 200:] = 0
    with np.errstate(invalid="raise"):
        shoulders.seen(black, AT_REST)
        assert shoulders.seen(np.zeros_like(astronaut), AT_REST).trust < 0.1


def test_a_frame_that_ends_at_the_chin_tells_nothing(astronaut: Image, geometry: FaceGeometry) -> None:
    chin = int(geometry.points[152, 1] + 0.1 * geometry.unit)
    assert Shoulders.of(np.ascontiguousarray(astronaut[:chin]), geometry) is None


def test_what_covers_them_makes_trust_fade_and_nothing_jump(
    astronaut: Image, geometry: FaceGeometry, shoulders: Shoulders
) -> None:
    tracker = ShoulderTracker(shoulders)
    share = share_of_body(geometry, astronaut.shape[:2])
    leaned = moved(astronaut, share, (12.0, 0.0))
    covered = leaned.copy()
    start = int(geometry.points[152, 1])
    covered[start:] = np.random.default_rng(2).integers(0, 255, covered[start:].shape)
    seen = [tracker.track(leaned, index / 25, AT_REST) for index in range(5)]
    seen += [tracker.track(covered, index / 25, AT_REST) for index in range(5, 40)]
    shifts = np.array([body.shift for body in seen])
    trust = np.array([body.trust for body in seen])
    assert trust[4] > 0.7 and trust[-1] < 0.2
    assert (np.abs(np.diff(trust)) < 0.2).all()
    assert np.abs(np.diff(shifts[4:10], axis=0)).max() < 0.05


def test_at_rest_noise_moves_them_by_less_than_a_twentieth_of_a_pixel(
    astronaut: Image, geometry: FaceGeometry, shoulders: Shoulders
) -> None:
    tracker, rng = ShoulderTracker(shoulders), np.random.default_rng(3)
    shifts = []
    for index in range(20):
        noisy = np.clip(astronaut + rng.normal(0, 2, astronaut.shape), 0, 255).astype(np.uint8)
        shifts.append(tracker.track(noisy, index / 25, AT_REST).shift)
    steps = np.diff(np.array(shifts) * geometry.unit, axis=0)
    assert np.abs(steps[2:]).mean() < 0.05


def test_a_new_reference_begins_anew(astronaut: Image, geometry: FaceGeometry) -> None:
    leaned = moved(astronaut, share_of_body(geometry, astronaut.shape[:2]), (14.0, 0.0))
    with make_landmarker() as own, Tracker(TrackerSettings(refine=False), own) as tracker:
        tracker.track(Frame(astronaut, 0, 0, 0.0))
        before = tracker.track(Frame(leaned, 1, 0, 1.0))
        tracker.set_reference(leaned)
        after = tracker.track(Frame(leaned, 2, 0, 1.04))
    assert before is not None and before.body is not None and before.body.shift[0] > 0.1
    assert after is not None and after.body is not None and abs(after.body.shift[0]) < 0.01


def moves(avatar: Avatar, motion: Motion) -> Floats:
    """``(G, 2)`` by how much the sheet's nodes move, face units."""
    mesh = carry_over(motion, avatar).mesh
    per_unit = avatar.crop.pixels_per_norm / avatar.geometry.unit
    return np.asarray((mesh.sheet - mesh.sheet_shows) * per_unit, np.float32)


def test_the_portraits_shoulders_go_as_measured_and_its_face_stays(avatar: Avatar) -> None:
    known = avatar.mesh.sheet.known
    assert known is not None
    body = Body((0.2, 0.0), trust=1.0)
    shift = moves(avatar, replace(Motion.neutral(), body=body))
    low = (known[:, BELOW] > 0.9) & (known[:, PERSON] > 0.9)
    low &= avatar.mesh.sheet.follow[:, 1] < 0.2
    assert low.sum() > 10
    np.testing.assert_allclose(shift[low, 0].mean(), 0.2, atol=0.04)
    np.testing.assert_allclose(shift[(known[:, INSIDE] > 0) & (known[:, BELOW] < -0.5)], 0.0, atol=1e-3)
    face = carry_over(replace(Motion.neutral(), body=body), avatar).mesh.vertices
    np.testing.assert_array_equal(face, carry_over(Motion.neutral(), avatar).mesh.vertices)


def test_a_body_that_is_not_trusted_is_guessed_as_before(avatar: Avatar) -> None:
    guessed = replace(Motion.neutral(), head=Head((0.1, 0.05), roll=0.1))
    doubted = replace(guessed, body=Body((0.3, 0.3)))
    np.testing.assert_array_equal(moves(avatar, doubted), moves(avatar, guessed))


def test_shoulders_are_held_back_as_the_head_is(avatar: Avatar) -> None:
    body = Body((0.8, 0.0), trust=1.0)
    free = carried_body(body, Head((0.8, 0.0)), Head((0.8, 0.0)), avatar.geometry)
    held = carried_body(body, Head((0.8, 0.0)), Head((0.4, 0.0)), avatar.geometry)
    assert free is not None and held is not None
    chest = avatar.geometry.centre[None]
    ratio = (held.solid.apply(chest) - chest)[0, 0] / (free.solid.apply(chest) - chest)[0, 0]
    assert ratio == pytest.approx(0.5, abs=1e-3)


def test_the_heads_gain_is_the_shoulders_gain() -> None:
    motion = replace(Motion.neutral(), body=Body((0.1, -0.2), 1.1, 0.05, 0.8))
    doubled = apply_gains(motion, Gains(head=2.0)).body
    assert doubled is not None
    assert doubled.shift == pytest.approx((0.2, -0.4)) and doubled.scale == pytest.approx(1.21)
    assert doubled.roll == pytest.approx(0.1) and doubled.trust == 0.8
    assert apply_gains(motion, Gains.only(["brow_inner"])).body == motion.body


def test_between_known_and_unknown_trust_passes_over() -> None:
    known = replace(Motion.neutral(), body=Body((0.4, 0.0), trust=0.8))
    half = known.mixed(Motion.neutral(), 0.5).body
    assert half is not None and half.trust == pytest.approx(0.4) and half.shift[0] == pytest.approx(0.2)
    assert Motion.neutral().mixed(Motion.neutral(), 0.5).body is None


def test_recorded_motion_keeps_them_and_older_files_do_without(tmp_path: Path) -> None:
    body = Body((0.25, -0.125), 1.5, 0.5, 0.75)
    motions = (replace(Motion.neutral(), body=body), Motion.neutral())
    save_recording(tmp_path / "new.npz", Recording(motions, (0.0, 0.04), 25.0))
    first, second = load_recording(tmp_path / "new.npz").motions
    assert first is not None and first.body == body
    assert second is not None and second.body is None
    with np.load(tmp_path / "new.npz") as arrays:
        older = {name: arrays[name] for name in arrays.files if name != "body"}
    np.savez(tmp_path / "old.npz", allow_pickle=False, **older)
    assert all(motion is not None and motion.body is None for motion in load_recording(tmp_path / "old.npz"))


def test_shoulders_alone_are_reason_enough_to_draw(avatar: Avatar) -> None:
    detector = ChangeDetector()
    still = replace(Motion.neutral(), body=Body((0.1, 0.0), trust=1.0))
    assert detector.moved(still, avatar)
    assert not detector.moved(still, avatar)
    assert detector.moved(replace(still, body=Body((0.11, 0.0), trust=1.0)), avatar)
    assert detector.moved(replace(still, body=None), avatar)
