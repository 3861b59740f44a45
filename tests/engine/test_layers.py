"""Person and background as two layers: the portrait at rest, and a background that stands still."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.avatar.avatar import _notes
from mien.engine.avatar.canvas.canvas import make_canvas
from mien.engine.avatar.crop import Square, continued, extended
from mien.engine.avatar.person.connected import of_the_face
from mien.engine.avatar.person.layers import Layers, without_holes
from mien.engine.avatar.person.looks import Look, surest_look
from mien.engine.avatar.pose_limits import FREE_TURN, held_motion, held_scale, held_turn
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.landmarks.segmentation import read_network
from mien.engine.motion import Head, Motion
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Image, MienError
from mien.engine.utils.assets import GALLERY, SEGMENTATION
from mien.engine.utils.image_files import load_image
from mien.engine.utils.openvino_core import compile_for_cpu, load_openvino


def test_the_networks_last_layer_is_the_custom_operation_that_openvino_does_not_read() -> None:
    """Against the operation written out: each place's 16 values give 2 x 2 pixels."""
    load_openvino()
    from openvino import Model

    whole = read_network(SEGMENTATION)
    enlarge = next(op for op in whole.get_ordered_ops() if op.get_type_name() == "ConvolutionBackpropData")
    bias = next(op for op in whole.get_ordered_ops() if op.get_type_name() == "Add" and _follows(op, enlarge))
    given = whole.get_parameters()
    before = compile_for_cpu(
        Model([enlarge.input_value(0)], given, "before"), threads=1, precision="f32"
    ).create_infer_request()
    after = compile_for_cpu(read_network(SEGMENTATION), threads=1, precision="f32").create_infer_request()
    picture = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    maps = before.infer({0: picture})[0][0]
    weights = np.asarray(enlarge.input_value(1).get_node().data)[:, 0]
    add = float(np.asarray(bias.input_value(1).get_node().data).ravel()[0])
    wanted = np.zeros((256, 256), np.float32)
    for down in range(2):
        for right in range(2):
            wanted[down::2, right::2] = np.tensordot(weights[:, down, right], maps, axes=1) + add
    found = after.infer({0: picture})[0].reshape(256, 256)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.clip(wanted, -60, 60))), atol=1e-5)


def _follows(op: object, other: object) -> bool:
    return op.input_value(0).get_node().get_friendly_name() == other.get_friendly_name()  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_damaged_model_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    with pytest.raises(MienError, match="missing"):
        read_network(path)
    path.write_bytes(content)
    with pytest.raises(MienError, match="damaged") as caught:
        read_network(path)
    assert "\n" not in str(caught.value)


def test_the_person_is_found(avatar: Avatar) -> None:
    layers = avatar.layers
    assert layers is not None
    points = avatar.geometry.points.astype(int)
    inner = np.setdiff1d(np.arange(468), topo.FACE_OVAL)
    assert np.quantile(layers.person[points[inner, 1], points[inner, 0]], 0.02) > 0.99
    top = layers.person[: max(1, int(avatar.crop.y) + 4), :].mean()
    assert top < 0.8


@pytest.mark.parametrize("crop", [None, 256])
def test_person_over_background_is_the_portrait(avatar: Avatar, runtime: Runtime, crop: int | None) -> None:
    canvas = make_canvas(avatar, crop)
    inside = canvas.still[canvas.top : canvas.bottom, canvas.left : canvas.right]
    found = Renderer(avatar, runtime, crop=crop).render(Motion.neutral()).image
    if canvas.pasted:
        found = found[canvas.top : canvas.bottom, canvas.left : canvas.right]
    np.testing.assert_array_equal(found, inside)


def test_the_background_stands_still_while_the_head_sways(avatar: Avatar, runtime: Runtime) -> None:
    layers = avatar.layers
    assert layers is not None
    rim = int(0.09 * avatar.crop.side)
    around = cv2.dilate(
        (layers.person > 0.02).astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    )
    background = around == 0
    assert background.mean() > 0.1
    renderer = Renderer(avatar, runtime)
    for shift, roll, yaw in ((0.1, 0.0, 0.0), (-0.1, 0.1, 0.0), (0.0, 0.0, 0.3)):
        motion = replace(Motion.neutral(), head=Head((shift, 0.0), 1.0, roll, (0.0, yaw)))
        changed = np.abs(renderer.render(motion).image.astype(int) - avatar.image)
        assert changed[background].mean() < 0.05
        assert changed.mean() > 1


def look_at(person: np.ndarray, crop: Square, share: float = 0.5, unsure: float = 0.05) -> Look:
    return Look(person.astype(np.float32), crop, share, unsure, 1.0)


@pytest.mark.parametrize("odd", [0, 1])
def test_an_outline_that_is_too_wide_is_drawn_where_colours_end(avatar: Avatar, odd: int) -> None:
    """A strip of wall that counted as hair moved with the head."""
    points, crop = avatar.geometry.points, avatar.crop
    hull = cv2.convexHull(points[:468].round().astype(np.int32))
    size = 512 - odd
    true = cv2.dilate(
        cv2.fillConvexPoly(np.zeros((size, size), np.uint8), hull, 1), np.ones((31, 31), np.uint8)
    )
    wide = cv2.dilate(true, np.ones((15, 15), np.uint8))
    grain = np.random.default_rng(3).normal(0, 6, (size, size, 3))
    image = np.where(true[..., None] > 0, (150.0, 105.0, 80.0), (70.0, 110.0, 160.0)) + grain
    layers = Layers.of(np.asarray(image, np.uint8), crop, points, look_at(wide, crop))
    assert layers is not None
    wall = (wide > 0) & (cv2.dilate(true, np.ones((7, 7), np.uint8)) == 0)
    assert layers.person[wall].mean() < 0.1
    assert layers.person[cv2.erode(true, np.ones((7, 7), np.uint8)) > 0].mean() > 0.99


def test_a_forehead_that_the_border_cuts_has_no_wall_in_it(avatar: Avatar) -> None:
    """A patch of it at the border stood still while the head moved; above a whole head there is wall."""
    top = float(avatar.geometry.points[topo.FOREHEAD_TOP, 1])
    middle = int(avatar.geometry.points[topo.FOREHEAD_TOP, 0])
    for above, filled in ((20, True), (int(top) - 1, False)):
        points = avatar.geometry.points - np.array([0, top - above], np.float32)
        person = np.ones((400, 512), np.float32)
        person[:12, middle - 15 : middle + 15] = 0.0
        assert (without_holes(person, points)[:10, middle].min() == 1) is np.bool_(filled)


def test_a_wall_of_brush_strokes_is_not_the_person(
    avatar: Avatar, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, crop, seen = avatar.geometry.points, avatar.crop, []

    def look(image: Image, *_: object, **__: object) -> Look:
        seen.append(image)
        flat = len(seen) > 1
        share, unsure = (0.6, flat_unsure) if flat else (0.92, 0.07)
        return look_at(np.full(image.shape[:2], share), crop, share, unsure)

    monkeypatch.setattr(Look, "of", staticmethod(look))
    flat_unsure = 0.04
    assert surest_look(astronaut, crop, points).share == 0.6
    assert (
        np.abs(np.diff(seen[1].astype(int), axis=0)).mean()
        < 0.7 * np.abs(np.diff(astronaut.astype(int), axis=0)).mean()
    )
    seen.clear()
    flat_unsure = 0.08  # as of photographs
    assert surest_look(astronaut, crop, points).share == 0.92


def test_a_picture_without_a_person_has_one_layer(avatar: Avatar) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    assert Layers.of(noise, Square(20, 20, 240), avatar.geometry.points) is None


def test_an_image_goes_on_without_streaks() -> None:
    image = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    found = continued(image, Square(-100, 0, 200), 200).astype(int)
    np.testing.assert_array_equal(found[:, 100:], image[:, :100])
    far = found[:, :70]
    assert np.abs(np.diff(far, axis=0)).mean() < 2, "no rows that go on as lines"


def test_a_portrait_goes_on_beyond_its_border_and_shows_nobody_twice() -> None:
    image = np.random.default_rng(1).integers(0, 256, (200, 180, 4), np.uint8)
    found = extended(image, (50, 0, 40, 30), 200.0)
    np.testing.assert_array_equal(found[50:, 40:220], image)
    far = found[50:, :25].astype(int)
    assert np.abs(np.diff(far, axis=0)).mean() < 2
    assert far.std() < 0.2 * image.std()


def test_turns_are_free_from_the_portraits_own_pose_and_held_beyond() -> None:
    assert held_turn((0.1, 0.5), (0.0, 0.0)) == (0.1, 0.5)
    assert np.hypot(*held_turn((0.0, 1.5), (0.0, 0.0))) < 0.7
    assert held_turn((0.0, -FREE_TURN), (0.0, 0.3)) == (0.0, -FREE_TURN)
    assert held_turn((0.0, -0.5), (0.0, 0.6))[1] > -0.26, "what is behind the cheek stays there"
    assert held_turn((0.0, 0.5), (0.0, 0.8))[1] < 0.11
    assert held_turn((0.0, 0.0), (0.1, 1.0)) == (0.0, 0.0)


def test_a_head_grows_and_shrinks_as_far_as_its_shoulders_can_be_believed() -> None:
    assert held_scale(1.1) == pytest.approx(1.1)
    assert held_scale(0.9) == pytest.approx(0.9)
    assert 0.69 < held_scale(0.5) < held_scale(0.6) < held_scale(0.8)
    assert held_scale(1.3) < held_scale(1.6) < 1.44
    assert held_scale(1 / 1.5) == pytest.approx(1 / held_scale(1.5)), "coming near and going away are alike"


def test_the_further_a_portrait_is_turned_the_less_it_turns_back() -> None:
    ends = [held_turn((0.0, -0.6), (0.0, own))[1] for own in (0.2, 0.4, 0.6, 1.0)]
    assert ends == sorted(ends)
    assert ends[0] < -0.52
    assert ends[-1] > -0.06


def test_a_face_seen_from_the_side_moves_little_by_much_and_fully_by_little() -> None:
    vectors = np.array([[0.01, 0.0], [0.0, 0.5]], np.float32)
    assert held_motion(vectors, (0.0, 0.5)) is vectors
    small, large = held_motion(vectors, (0.0, 1.1))
    assert small[0] > 0.0099
    assert 0.1 < large[1] < 0.2


def test_what_is_held_back_is_said(astronaut: Image, landmarker: Landmarker, runtime: Runtime) -> None:
    assert Avatar.of(astronaut, landmarker, runtime).notes == ()
    face = landmarker.detect(astronaut)[0]
    turned = face.pose.copy()
    turned[:3, :3] = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]], np.float32)
    notes = _notes([replace(face, pose=turned)], astronaut, "me.png", None, True)
    assert [note.split(";")[0] for note in notes] == [
        "the face in me.png is turned by 37 degrees",
        "no outline of a person was found in me.png",
    ]


def test_a_portrait_faces_where_its_nose_points(avatar: Avatar) -> None:
    """In the image's axes, as a head's turns are: a bowed head that rolls by 30 degrees looks aside."""
    bow, roll = 0.4, np.pi / 6
    nod = np.array([[1, 0, 0], [0, np.cos(bow), -np.sin(bow)], [0, np.sin(bow), np.cos(bow)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = tilt @ nod
    bowed = replace(avatar, face=replace(avatar.face, pose=pose))
    assert bowed.pose == pytest.approx((bow, 0.0), abs=1e-5)
    assert bowed.facing == pytest.approx((bow * np.cos(roll), bow * np.sin(roll)), abs=1e-5)


@pytest.mark.parametrize(("rim", "light", "blur"), [(10, 0.6, 2), (20, 0.6, 2), (20, 1.0, 2), (30, 1.0, 0.1)])
def test_a_grey_close_up_is_told_from_what_is_beside_it(
    astronaut: Image, landmarker: Landmarker, runtime: Runtime, rim: int, light: float, blur: float
) -> None:
    """Of 220 portraits, many of them grey and cut close, 81 had no outline; 15 of these have none now."""
    close = cv2.cvtColor(astronaut[50 + rim : 230 - rim, 130 + rim : 310 - rim], cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(cv2.resize(close, (256, 256), interpolation=cv2.INTER_CUBIC), (0, 0), blur)
    image = np.repeat(np.asarray(light * grey, np.uint8)[..., None], 3, axis=2)
    avatar = Avatar.of(image, landmarker, runtime)
    assert avatar.layers is not None
    face = avatar.face.landmarks[[1, 152, 10, 234, 454], :2].astype(int)
    assert avatar.layers.person[face[:, 1], face[:, 0]].min() > 0.9


def test_what_does_not_hang_together_with_the_face_is_not_the_persons(
    landmarker: Landmarker, runtime: Runtime
) -> None:
    """The network sees a faint patch of the engraved wall as a person; it moved with the head."""
    image = load_image(GALLERY / "man-in-a-fez.jpg")
    layers = Avatar.of(image, landmarker, runtime).layers
    assert layers is not None
    assert layers.person[20:220, 40:110].max() < 0.05
    assert layers.person[90:130, 170:220].min() > 0.9  # the fez
    soft, points = np.zeros((40, 60), np.float32), np.full((468, 2), 20.0, np.float32)
    soft[10:30, 10:30], soft[10:30, 30:40], soft[:8, 50:] = 1.0, 0.4, 0.6
    found = of_the_face(soft, points, 15.0)
    np.testing.assert_allclose(found[:, :45], soft[:, :45])
    assert found[:, 45:].max() == 0
    assert of_the_face(soft, points, 2.0)[10:30, 35:].max() == 0, "what is faint and far from the person"
