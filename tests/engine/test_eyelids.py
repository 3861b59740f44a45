"""Closing eyes: the lids meet, and the rest of the face is unaffected."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.eyes.eyelids import Eye, shut_eyes
from mien.engine.avatar.eyes.lids import CREASE, set_lids, wanted_openness
from mien.engine.avatar.head.mesh_openings import GAZE_ASIDE, GAZE_UP, gaze_shift
from mien.engine.avatar.transfer import carry_over
from mien.engine.face.openings import LID_FULL, LID_NOISE, add_detail, detail_shares, lid_change
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Motion, Shape
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.tracking import Tracker
from mien.engine.types import Floats, Frame, Image
from mien.train.data.choice import openness

EYES = (
    (topo.RIGHT_EYE_UPPER, topo.RIGHT_EYE_LOWER),
    (topo.LEFT_EYE_UPPER, topo.LEFT_EYE_LOWER),
)


def closing(points: Floats, share: float, eyes: tuple[int, ...] = (0, 1)) -> Floats:
    """The landmarks with the upper lids moved to the lower ones by this share of the gap."""
    found = points.copy()
    for eye in eyes:
        upper, lower = EYES[eye]
        for above, below in zip(upper[1:-1], lower[1:-1], strict=True):
            found[above] += np.float32(share) * (points[below] - points[above])
    return found


def empty() -> Floats:
    return np.zeros((3, 64, 64), np.float32)


@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
def test_the_change_of_a_lid_gap_is_a_share_of_it(avatar: Avatar, share: float) -> None:
    points = avatar.geometry.points
    right, left = lid_change(points, closing(points, share, (1,)))
    assert right == 0.0
    assert left == pytest.approx(share, abs=0.02)
    assert lid_change(2 * points, 2 * closing(points, share))[0] == pytest.approx(share, abs=0.02)


def test_a_blink_is_transferred_fully_and_a_small_movement_is_not() -> None:
    smooth, seen = np.zeros((468, 2), np.float32), np.zeros((468, 2), np.float32)
    seen[list(topo.LEFT_EYE_UPPER[1:-1]), 1] = 0.03  # too little for the region as a whole
    lids = list(topo.LEFT_EYE_UPPER[1:-1])
    np.testing.assert_array_equal(add_detail(smooth, seen)[lids], smooth[lids])
    np.testing.assert_array_equal(add_detail(smooth, seen, (0.0, LID_NOISE))[lids], smooth[lids])
    blink = add_detail(smooth, seen, (0.0, LID_FULL))
    np.testing.assert_array_equal(blink, seen)
    assert detail_shares(smooth, blink)[0] == 0.0
    assert detail_shares(smooth, blink)[1] > 0.9


def test_small_lid_movements_leave_the_field_alone(avatar: Avatar) -> None:
    dense = empty()
    shut_eyes(dense, avatar.source_points, closing(avatar.source_points, LID_NOISE - 0.02))
    np.testing.assert_array_equal(dense, empty())


def test_a_shut_eye_shows_skin_from_above_and_from_below(avatar: Avatar) -> None:
    """The upper lid's edge is above the line where the lids meet, the lower one's below it."""
    source = avatar.source_points
    dense = empty()
    shut_eyes(dense, source, closing(source, 1.0))
    for upper, lower in EYES:
        middle = len(upper) // 2
        line, edge = source[lower[middle]], source[upper[middle]]
        column = round(float(line[0] + 1) * 31.5)
        rows = np.linspace(-1, 1, 64)
        shown = rows + dense[1, :, column]
        above = np.flatnonzero(rows < line[1] - 0.4 / 31.5)[-1]
        below = np.flatnonzero(rows > line[1] + 0.4 / 31.5)[0]
        assert shown[above] < edge[1] + 0.005
        assert shown[below] > line[1] - 0.005
        assert dense[2, above, column] > 0.3
        assert dense[2, below, column] > 0.1


def test_the_skin_above_does_not_fold(avatar: Avatar) -> None:
    source = avatar.source_points
    dense = empty()
    shut_eyes(dense, source, closing(source, 1.0))
    steps = np.diff(np.linspace(-1, 1, 64)[:, None] + dense[1] * dense[2], axis=0)
    assert steps.min() > 0


def test_only_the_eye_that_shuts_is_touched(avatar: Avatar) -> None:
    source = avatar.source_points
    dense = empty()
    shut_eyes(dense, source, closing(source, 1.0, (0,)))
    columns = np.flatnonzero(dense[2].max(axis=0)) / 31.5 - 1
    assert columns.max() < source[topo.LEFT_EYE_INNER_CORNER, 0]
    rows = np.flatnonzero(dense[2].max(axis=1)) / 31.5 - 1
    assert rows.max() < source[topo.LIPS_OUTER[0], 1]


def test_the_lids_close_gradually(avatar: Avatar) -> None:
    source = avatar.source_points
    fields = []
    for share in np.linspace(0.2, 1.0, 41):
        dense = empty()
        shut_eyes(dense, source, closing(source, float(share)))
        fields.append(dense[1] * dense[2])
    assert max(np.abs(b - a).max() for a, b in pairwise(fields)) < 0.015


def test_the_measured_motion_continues_behind_the_lids(avatar: Avatar) -> None:
    dense = empty()
    dense[0], dense[2] = 0.1, 0.5
    before = dense.copy()
    shut_eyes(dense, avatar.source_points, closing(avatar.source_points, 1.0))
    far = np.s_[:, 60:, :]
    np.testing.assert_array_equal(dense[far], before[far])
    assert float(dense[2].min()) >= 0.5
    assert float(dense[2].max()) <= 1.0


def narrow_eyed(avatar: Avatar, openness: float) -> Shape:
    """A driver with the avatar's face, their eyes open by this share of the avatar's."""
    geometry = avatar.geometry
    nodes = (geometry.nodes - geometry.centre) / np.float32(geometry.unit)
    nodes[:468] = closing(nodes[:468], 1.0 - openness)
    return Shape(nodes, np.tile(np.eye(2, dtype=np.float32), (len(nodes), 1, 1)))


@pytest.mark.parametrize("share", [0.6, 0.8, 1.0])
def test_a_driver_with_narrow_eyes_shuts_wide_ones(avatar: Avatar, share: float) -> None:
    shape = narrow_eyed(avatar, 0.4)
    motion = Motion.neutral()
    points = motion.points.copy()
    points[:468] += closing(shape.nodes[:468], share) - shape.nodes[:468]
    moved = avatar.source_points.copy()  # the blink is not in them: as a movement it is too small
    set_lids(moved, avatar.source_points, replace(motion, points=points, shape=shape))
    left = [1.0 - change for change in lid_change(avatar.source_points, moved)]
    assert max(left) < 0.15 if share > 0.7 else max(left) < 0.45


def left_open(
    avatar: Avatar,
    gaps: tuple[float, float],
    blink: tuple[float, float],
    openness: float = 1.0,
    yaw: float = 0.0,
) -> tuple[float, float]:
    """Shares by which the avatar's eyes stay open where the driver's do by ``gaps``, with these scores."""
    shape = narrow_eyed(avatar, openness)
    points = Motion.neutral().points.copy()
    for eye, gap in enumerate(gaps):
        points[:468] += closing(shape.nodes[:468], 1 - gap, (eye,)) - shape.nodes[:468]
    motion = replace(Motion.neutral(), points=points, shape=shape, blink=np.array(blink, np.float32))
    moved = carry_over(replace(motion, head=replace(motion.head, turn=(0.0, yaw))), avatar).points
    right, left = (_gap(moved, eye) / _gap(avatar.source_points, eye) for eye in range(2))
    return right, left


def test_narrow_eyes_that_close_halfway_close_alike(avatar: Avatar) -> None:
    """Scores and gaps of the two eyes differ by what the network is unsure of: no wink."""
    for gaps, blink, wide in (
        ((0.62, 0.70), (0.68, 0.45), 0.6),
        ((0.72, 0.55), (0.5, 0.5), 0.6),
        ((0.70, 0.43), (0.5, 0.5), 0.42),
    ):
        right, left = left_open(avatar, gaps, blink, wide)
        assert abs(right - left) < 0.22
        assert min(right, left) > 0.2, "between the two"
    right, left = left_open(avatar, (0.95, 0.1), (0.1, 0.8), 0.6)
    assert right > 0.7 and left < 0.2, "a wink is one"


def test_a_blink_whose_eyes_are_measured_unlike_is_not_a_wink(avatar: Avatar) -> None:
    """Measured on people who blink, and on one who winks with an eye that is not quite shut."""
    for gaps, blink, yaw in (
        ((0.60, 0.29), (0.36, 0.64), 0.0),
        ((0.48, 0.05), (0.53, 0.66), 0.2),
        ((0.81, 0.36), (0.40, 0.64), 0.3),
    ):
        right, left = left_open(avatar, gaps, blink, 1.0, yaw)
        assert abs(right - left) < 0.2
    right, left = left_open(avatar, (0.83, 0.37), (0.25, 0.59))
    assert right > 0.6 and left < 0.25


def test_a_wink_comes_about_without_a_jump(avatar: Avatar) -> None:
    steps = [left_open(avatar, (0.95, gap), (0.2, 0.9 - 0.7 * gap)) for gap in np.linspace(1.0, 0.1, 46)]
    assert max(abs(b - a) for one, other in pairwise(steps) for a, b in zip(one, other, strict=True)) < 0.15


def test_of_two_narrow_eyes_none_is_held_for_shut(avatar: Avatar) -> None:
    """The network measures them half as open as each other; at rest the avatar is as in its portrait."""
    shape = narrow_eyed(avatar, 0.5)
    nodes = closing(shape.nodes[:468], 0.42, (0,))
    shape = Shape(np.concatenate([nodes, shape.nodes[468:]]), shape.to_image)
    gaps = [_gap(nodes, eye) / float(np.ptp(nodes[list(EYES[eye][0]), 0])) for eye in range(2)]
    assert gaps[0] < 0.1 < gaps[1]
    motion = replace(Motion.neutral(), shape=shape, blink=np.array([0.6, 0.45], np.float32))
    moved = carry_over(motion, avatar).points
    np.testing.assert_allclose(moved, carry_over(Motion.neutral(), avatar).points, atol=1e-5)


def _gap(points: Floats, eye: int) -> float:
    upper, lower = (list(row[2:-2]) for row in EYES[eye])
    return float(np.hypot(*(points[upper] - points[lower]).T).mean())


def test_an_eye_is_shut_by_how_far_it_is_open_not_by_the_reference() -> None:
    assert wanted_openness(1.0, 0.3) == 1.0
    assert wanted_openness(0.8, 0.3) == 0.8
    assert wanted_openness(0.25, 0.3) == 0.0
    assert wanted_openness(0.5, 0.15) == 0.0, "half of a half shut eye"
    steps = [wanted_openness(ratio, 0.3) for ratio in np.linspace(0.0, 1.0, 51)]
    assert np.diff(steps).min() >= 0
    assert np.diff(steps).max() < 0.05


def test_eyes_that_are_narrowed_and_not_shut_by_their_score_stay_as_far_open() -> None:
    """A frown shut the eyes of an avatar whose driver's were half open."""
    assert wanted_openness(0.5, 0.37, 0.22) == pytest.approx(0.5, abs=0.03)
    assert wanted_openness(0.35, 0.3, 0.4) > 0.25
    assert wanted_openness(0.3, 0.3, 0.56) < 0.05
    assert wanted_openness(0.1, 0.3, 0.2) == 0.0, "lids that meet"


@pytest.mark.parametrize(("openness", "most"), [(0.35, 1.11), (1.0, 1.36)])
def test_eyes_do_not_get_wider_than_eyes_are(avatar: Avatar, openness: float, most: float) -> None:
    """A driver who began with shut eyes opens them: the avatar's are open already."""
    shape = narrow_eyed(avatar, openness)
    points = Motion.neutral().points.copy()
    points[:468] += closing(shape.nodes[:468], -1.5) - shape.nodes[:468]
    moved = avatar.source_points.copy()
    moved[:468] = closing(moved, -1.0)[:468]
    set_lids(moved, avatar.source_points, replace(Motion.neutral(), points=points, shape=shape))
    wide = [1.0 + change for change in lid_change(avatar.source_points, moved)]
    assert min(wide) >= 1.0
    assert max(wide) < most


def test_a_portrait_with_shut_eyes_opens_them_with_its_driver(avatar: Avatar) -> None:
    shape = narrow_eyed(avatar, 0.1)
    points = Motion.neutral().points.copy()
    points[:468] += closing(shape.nodes[:468], -6.0) - shape.nodes[:468]
    shut = closing(avatar.source_points, 0.9)
    moved = avatar.source_points.copy()
    set_lids(moved, shut, replace(Motion.neutral(), points=points, shape=shape))
    np.testing.assert_array_equal(moved, avatar.source_points)


def test_half_a_blink_and_a_motion_without_a_face_are_left_alone(avatar: Avatar) -> None:
    shape = narrow_eyed(avatar, 1.0)
    motion = Motion.neutral()
    points = motion.points.copy()
    points[:468] += closing(shape.nodes[:468], LID_NOISE - 0.02) - shape.nodes[:468]
    moved = avatar.source_points.copy()
    set_lids(moved, avatar.source_points, replace(motion, points=points, shape=shape))
    set_lids(moved, avatar.source_points, replace(motion, points=5 * points))
    np.testing.assert_array_equal(moved, avatar.source_points)


def test_a_driver_who_began_with_shut_eyes_and_keeps_them_shut_shuts_the_avatars(avatar: Avatar) -> None:
    """Against a gap of nearly nothing, its noise would open and shut the avatar's eyes."""
    shape = narrow_eyed(avatar, 0.1)
    for share in (-0.8, 0.0, 0.6):
        points = Motion.neutral().points.copy()
        points[:468] += closing(shape.nodes[:468], share) - shape.nodes[:468]
        moved = avatar.source_points.copy()
        set_lids(moved, avatar.source_points, replace(Motion.neutral(), points=points, shape=shape))
        assert max(1.0 - change for change in lid_change(avatar.source_points, moved)) < 0.2
    shut = closing(avatar.source_points, 0.9)
    moved = shut.copy()
    set_lids(moved, shut, replace(Motion.neutral(), shape=shape))
    np.testing.assert_array_equal(moved, shut)


def blinking(image: Image, points: Floats, share: float) -> Image:
    """The image of a face with its upper lids painted over the eyes in the skin's colour."""
    found = image.copy()
    for upper, lower in EYES:
        above, below = points[list(upper)], points[list(lower)]
        edge = above + np.float32(share) * (below - above)
        skin = image[tuple(int(v) for v in (above[4] - (0, 5))[::-1])]
        outline = np.concatenate([above - (0, 2), edge[::-1]]).round().astype(np.int32)
        cv2.fillPoly(found, [outline], skin.tolist())
        cv2.polylines(found, [edge.round().astype(np.int32)], False, (60, 40, 30), 2)
    return found


def test_a_drivers_blink_shuts_the_avatars_eyes(
    astronaut: Image, landmarker: Landmarker, runtime: Runtime
) -> None:
    close = cv2.resize(astronaut[10:210, 120:320], (512, 512), interpolation=cv2.INTER_CUBIC)
    driver = np.ascontiguousarray(close, np.uint8)
    points = landmarker.detect(driver)[0].landmarks[:, :2]
    with Tracker() as tracker:
        tracker.track(Frame(driver, 0, 0, 0.0))
        motion = tracker.track(Frame(blinking(driver, points, 0.97), 1, 0, 0.04))
    assert motion is not None
    avatar = Avatar.of(driver, landmarker, runtime)

    def open_by(motion: Motion) -> float:
        shown = landmarker.detect(Renderer(avatar, runtime).render(motion).image)
        return float(openness(shown[0].landmarks[None])[0, 1])

    before = open_by(Motion.neutral())
    assert openness(carry_over(motion, avatar).points[None])[0, 1] < 0.6 * before
    shut = open_by(motion)
    print(f"open by {before:.3f}; shut {shut:.3f}")
    assert shut < 0.85 * before


def test_a_shut_lid_leaves_the_skin_under_the_brow(avatar: Avatar) -> None:
    """What is stretched is between crease and brow: the brow's hair must not come down with a blink."""
    geometry, motion = avatar.geometry, Motion.neutral()
    shape = narrow_eyed(avatar, 1.0)
    points = motion.points.copy()
    points[:468] += closing(shape.nodes[:468], 1.0) - shape.nodes[:468]
    moved = avatar.source_points.copy()
    set_lids(moved, avatar.source_points, replace(motion, points=points, shape=shape))
    down = (moved - avatar.source_points)[:, 1]
    for (upper, _), (crease, under_brow) in zip(EYES, CREASE, strict=True):
        lid = float(down[list(upper[1:-1])].max())
        assert lid * avatar.crop.pixels_per_norm > 0.05 * geometry.unit
        assert 0.6 * lid < float(down[list(crease)].max()) < lid
        assert float(np.abs(down[list(under_brow)]).max()) < 0.25 * lid


@pytest.mark.parametrize(("aside", "up"), [(0.1, 0.1), (-0.2, -0.12), (0.6, 1.0), (-0.9, -0.5)])
def test_an_iris_stays_in_its_eye_however_the_reference_was_misread(
    avatar: Avatar, aside: float, up: float
) -> None:
    """It went by a whole width of the eye, and a white eye was left."""
    points = avatar.source_points.copy()
    for eye, iris in enumerate((topo.RIGHT_IRIS, topo.LEFT_IRIS)):
        before = Eye.of(points, eye)
        asked = complex(aside, up) * before.width
        points[list(iris)] += np.float32([asked.real, asked.imag])
        found = complex(*gaze_shift(eye, avatar.source_points, points).tolist()) / before.width
        for now, wanted, most in ((found.real, aside, GAZE_ASIDE), (found.imag, up, GAZE_UP)):
            assert now == pytest.approx(wanted, abs=1e-3) or abs(wanted) > most[0]
            assert most[0] - 1e-3 < abs(now) <= most[1] + 1e-3 or abs(wanted) <= most[0]
            assert now * wanted > 0
