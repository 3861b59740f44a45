"""The light on a driver's whole face goes to the avatar's, gently, and nothing beside the face changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.canvas.folds import draw_folds, folds_of
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.layout import EXTENT, GRID
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Gains, Motion, Shading, apply_gains
from mien.engine.motion.recording import Recording, load_recording, save_recording
from mien.engine.motion.shading import MOST, REST
from mien.engine.session.redraw import ChangeDetector
from mien.engine.session.renderer import Renderer
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.tracking.skin_light import SkinLight
from mien.engine.types import Face, Floats, Frame, Image, SourceError

FOREHEAD, NOSE, RIGHT_CHEEK, LEFT_CHEEK = 10, 4, 205, 425
LEVEL = Shading(0.08, 0.0, 0.0)


@pytest.fixture(scope="module")
def face(astronaut: Image, landmarker: Landmarker) -> Face:
    return landmarker.detect(astronaut)[0]


def lit(image: Image, factor: Floats | float) -> Image:
    return np.asarray(np.clip(image * np.float32(1) * factor + 0.5, 0, 255), np.uint8)


def lit_from_the_right(image: Image, face: Face, slope: float) -> Image:
    """The photo, brighter to its right, by this logarithm in a face unit."""
    unit = float(np.hypot(*(face.landmarks[263, :2] - face.landmarks[33, :2])))
    across = (np.arange(image.shape[1], dtype=np.float32) - face.landmarks[NOSE, 0]) / unit
    return lit(image, np.exp(slope * across)[None, :, None])


def measured(reference: Image, image: Image, face: Face, landmarker: Landmarker, live: bool) -> Shading:
    tracker = Tracker(TrackerSettings(live=live, mouth=True), landmarker)
    tracker.set_reference(reference, face)
    found = tracker.measure(Frame(image, 0, 0, 0.0), landmarker.detect(image)[0]).shading
    assert found is not None
    return found


@pytest.mark.parametrize("live", [False, True])
def test_a_lamp_that_is_turned_up_is_seen_on_the_whole_face(
    astronaut: Image, face: Face, landmarker: Landmarker, live: bool
) -> None:
    found = measured(astronaut, lit(astronaut, 0.9), face, landmarker, live)
    assert found.level == pytest.approx(np.log(0.9), abs=0.02)
    assert max(abs(found.across), abs(found.down)) < 0.02


@pytest.mark.parametrize("live", [False, True])
def test_light_from_one_side_is_a_slope(
    astronaut: Image, face: Face, landmarker: Landmarker, live: bool
) -> None:
    found = measured(astronaut, lit_from_the_right(astronaut, face, 0.15), face, landmarker, live)
    assert found.across == pytest.approx(0.15, abs=0.04)
    assert max(abs(found.level), abs(found.down)) < 0.03


def test_the_same_face_in_the_same_light_has_none(
    astronaut: Image, face: Face, landmarker: Landmarker
) -> None:
    found = measured(astronaut, astronaut, face, landmarker, False)
    assert max(map(abs, (found.level, found.across, found.down))) < 0.002


def looked_at(covered: float, sure: bool = True) -> Shading:
    """Of an even face that is as bright as before but for a dark hand over this share of it."""
    gray = np.full((96, 96), 140, np.uint8)
    now = gray.copy()
    now[:, : round(96 * covered)] = 60
    trust = np.full((GRID, GRID), float(sure), np.float32)
    return SkinLight.of(gray).change(now, np.zeros((GRID, GRID, 2), np.float32), trust).shading()


def test_a_hand_over_a_cheek_is_no_shadow_on_the_face() -> None:
    found = looked_at(0.4)
    assert max(map(abs, (found.level, found.across, found.down))) < 0.05


def test_where_no_skin_is_found_again_nothing_is_known_of_its_light() -> None:
    assert looked_at(0.9, sure=False) == Shading()


def drawn(avatar: Avatar, shading: Shading | None) -> tuple[Image, Image]:
    """The portrait before and after."""
    canvas = make_canvas(avatar, None)
    image = canvas.still.copy()
    motion = replace(Motion.neutral(), shading=shading)
    warp = canvas.mesh.warp(carry_over(motion, avatar).mesh)
    draw_folds(canvas, image, folds_of(motion, avatar, canvas, warp))
    return canvas.still, image


def brighter(before: Image, after: Image, avatar: Avatar, landmark: int) -> float:
    """Logarithm of how much brighter 5 x 5 pixels around a landmark are."""
    column, row = np.round(avatar.geometry.points[landmark]).astype(int)
    there = np.s_[row - 2 : row + 3, column - 2 : column + 3]
    return float(np.log(after[there].mean() / before[there].mean()))


def test_the_avatars_face_is_lit_and_what_is_beside_it_stays_as_it_is(avatar: Avatar) -> None:
    before, after = drawn(avatar, LEVEL)
    wanted = MOST * np.tanh((0.08 - REST) / MOST)
    assert brighter(before, after, avatar, NOSE) == pytest.approx(wanted, abs=0.015)
    # A grey level may be a rounding, and the grid of the light has nodes 4 pixels apart.
    changed = (np.abs(after.astype(int) - before).max(axis=2) > 1).astype(np.uint8)
    oval = np.zeros_like(changed)
    cv2.fillPoly(oval, [np.round(avatar.geometry.points[list(topo.FACE_OVAL)]).astype(np.int32)], 1)
    around = cv2.dilate(oval, np.ones((5, 5), np.uint8))
    assert changed.sum() > 0.5 * oval.sum()
    assert not (changed & (around == 0)).any()


def test_a_slope_makes_one_cheek_brighter_and_the_other_darker(avatar: Avatar) -> None:
    before, after = drawn(avatar, Shading(0.0, 0.15, 0.0))
    assert brighter(before, after, avatar, LEFT_CHEEK) > 0.03
    assert brighter(before, after, avatar, RIGHT_CHEEK) < -0.03


def test_a_flash_does_not_bleach_the_portrait(avatar: Avatar) -> None:
    before, after = drawn(avatar, Shading(1.5, 0.0, 0.0))
    assert brighter(before, after, avatar, NOSE) < MOST + 0.01


def test_what_a_lamp_flickers_stays_in_the_drivers_room(avatar: Avatar) -> None:
    before, after = drawn(avatar, Shading(0.8 * REST, 0.0, 0.0))
    assert np.array_equal(before, after)


def test_the_portrait_is_darker_at_places_as_it_is_said_to_be() -> None:
    shading = Shading(-0.05, 0.03, 0.02)
    nodes = shading.at_nodes()
    middle = GRID // 2
    place = np.array([EXTENT / GRID / 2, 0.36 + EXTENT / GRID / 2], np.float32)
    assert nodes[middle, middle] == pytest.approx(shading.at(place), abs=1e-4)


def test_who_wants_none_of_the_drivers_pixels_keeps_the_portraits_light(avatar: Avatar) -> None:
    renderer = Renderer(avatar)
    renderer.mouth.own = False
    image = renderer.render(replace(Motion.neutral(), shading=LEVEL)).image
    assert np.array_equal(image, avatar.image)


def test_a_face_that_stays_as_it_is_keeps_its_light() -> None:
    motion = replace(Motion.neutral(), shading=LEVEL)
    for gains in (Gains(head=0.0), Gains(turn=0.0), Gains(expression=0.0), Gains.only(["brow_inner"])):
        assert apply_gains(motion, gains).shading == Shading()
    half = apply_gains(motion, Gains(turn=0.5)).shading
    assert half is not None and half.level == pytest.approx(0.04)
    assert apply_gains(motion, Gains(expression=2.0)).shading == LEVEL


def test_light_fades_as_a_lost_driver_becomes_neutral() -> None:
    motion = replace(Motion.neutral(), shading=LEVEL)
    found = motion.mixed(Motion.neutral(), 0.75).shading
    assert found is not None and found.level == pytest.approx(0.02)
    assert Motion.neutral().mixed(Motion.neutral(), 0.5).shading is None


def test_recorded_motion_keeps_it_and_older_files_do_without(tmp_path: Path) -> None:
    motion = replace(Motion.neutral(), shading=Shading(0.0625, -0.125, 0.25))
    save_recording(tmp_path / "new.npz", Recording((motion,), (0.0,), 25.0))
    (found,) = load_recording(tmp_path / "new.npz").motions
    assert found is not None and found.shading == motion.shading
    with np.load(tmp_path / "new.npz") as arrays:
        everything = {name: arrays[name] for name in arrays.files}
    older = {name: value for name, value in everything.items() if name != "shading"}
    np.savez(tmp_path / "old.npz", allow_pickle=False, **older)
    (found,) = load_recording(tmp_path / "old.npz").motions
    assert found is not None and found.shading is None
    everything["shading"] = np.full((1, 3), np.nan, np.float32)
    np.savez(tmp_path / "damaged.npz", allow_pickle=False, **everything)
    with pytest.raises(SourceError, match="light"):
        load_recording(tmp_path / "damaged.npz")


def test_light_alone_is_reason_enough_to_draw(avatar: Avatar) -> None:
    detector = ChangeDetector()
    still = replace(Motion.neutral(), shading=LEVEL)
    assert detector.moved(still, avatar)
    assert not detector.moved(still, avatar)
    assert not detector.moved(replace(still, shading=Shading(0.081, 0.0, 0.0)), avatar)
    assert detector.moved(replace(still, shading=Shading(0.08, 0.01, 0.0)), avatar)
    assert detector.moved(replace(still, shading=None), avatar)
