"""Measures besides motion fidelity: known values, and the right direction of change."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import read_clip
from known_motion import similarity, warped

from mien.engine.landmarks import Landmarker
from mien.engine.types import Floats, Image, MienError
from mien.train.metrics import __main__ as command
from mien.train.metrics import identity
from mien.train.metrics.identity import FaceEmbedding, aligned, cosine
from mien.train.metrics.images import FaceSquare, PerceptualDistance, image_scores, landmark_distance
from mien.train.metrics.judge import SAMPLES, Judge, Truth, Watch, looked_at
from mien.train.metrics.table import Row, markdown


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small images: several torch threads only contend."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def points_of(image: Image, landmarker: Landmarker) -> Floats:
    found = landmarker.detect(image)
    assert found
    return found[0].landmarks[:, :2]


def noise(image: Image, sigma: float, seed: int = 0) -> Image:
    added = image + np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.round(added), 0, 255).astype(np.uint8)


def blurred(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


# Pictures


def test_identical_images(close_up: Image) -> None:
    scores = image_scores(close_up, close_up)
    assert scores == {"l1": 0.0, "psnr": pytest.approx(100.0), "ssim": pytest.approx(1.0, abs=1e-5)}


def test_psnr_and_l1_of_known_noise() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    other = grey.copy()
    other[::2] += 10
    other[1::2] -= 10
    scores = image_scores(other, grey)
    assert scores["l1"] == pytest.approx(10 / 255, rel=1e-5)
    assert scores["psnr"] == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)
    gaussian = image_scores(noise(grey, 8.0), grey)
    rounding = 1 / 12
    assert gaussian["psnr"] == pytest.approx(10 * np.log10(255**2 / (64 + rounding)), abs=0.05)
    assert gaussian["l1"] == pytest.approx(8 * np.sqrt(2 / np.pi) / 255, rel=0.01)


@pytest.mark.parametrize("spoilt", ["noise", "blur", "shift"])
def test_ssim_is_scikit_images(close_up: Image, spoilt: str) -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    other = {
        "noise": noise(close_up, 12.0),
        "blur": blurred(close_up, 2.0),
        "shift": np.roll(close_up, 3, axis=1),
    }[spoilt]
    theirs = structural_similarity(
        close_up,
        other,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    ours = image_scores(other, close_up)
    assert ours["ssim"] == pytest.approx(theirs, abs=1e-3)
    assert ours["psnr"] == pytest.approx(peak_signal_noise_ratio(close_up, other), abs=1e-3)


def test_worse_images_score_worse(close_up: Image) -> None:
    distance = PerceptualDistance()
    assert distance(close_up, close_up) == pytest.approx(0.0, abs=1e-5)
    for spoil in (noise, blurred):
        steps = [spoil(close_up, sigma) for sigma in (1.0, 3.0, 9.0)]
        scores = [image_scores(step, close_up) for step in steps]
        far = [distance(step, close_up) for step in steps]
        assert far[0] < far[1] < far[2]
        assert scores[0]["psnr"] > scores[1]["psnr"] > scores[2]["psnr"]
        assert scores[0]["ssim"] > scores[1]["ssim"] > scores[2]["ssim"]
        assert scores[0]["l1"] < scores[1]["l1"] < scores[2]["l1"]


def test_perceptual_sees_blur_where_psnr_prefers_it(close_up: Image) -> None:
    lighter, soft = np.clip(close_up.astype(int) + 20, 0, 255).astype(np.uint8), blurred(close_up, 2.0)
    distance = PerceptualDistance()
    assert image_scores(lighter, close_up)["psnr"] < image_scores(soft, close_up)["psnr"]
    assert distance(lighter, close_up) < distance(soft, close_up)


# Where images are compared


def test_face_square_and_box() -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    image[100:180, 150:210] = 255
    points = np.array([[150, 100], [210, 180]], np.float32)
    square = FaceSquare(points, 300, 400)
    assert (square.side, square.left, square.top) == (128, 116, 76)
    cropped, box = square.image(image), square.box(points)
    assert cropped.shape == (256, 256, 3)
    np.testing.assert_allclose(square.points(points), [[68, 48], [188, 208]])
    assert box == (slice(48, 208), slice(68, 188))
    assert cropped[box].mean() > 250
    assert cropped.astype(float).sum() == pytest.approx(255 * 3 * 120 * 160, rel=0.01)


def test_face_square_stays_inside() -> None:
    square = FaceSquare(np.array([[-5, -5], [90, 95]], np.float32), 100, 120)
    assert square.side == 100
    assert (square.left, square.top) == (0, 0)
    lone = FaceSquare(np.array([[50, 50], [50, 50]], np.float32), 100, 120)
    rows, columns = lone.box(np.array([[50, 50]], np.float32))
    assert rows.stop - rows.start >= 32
    assert columns.stop - columns.start >= 32


# Landmarks


def test_akd_of_known_shifts(close_up: Image, landmarker: Landmarker) -> None:
    points = points_of(close_up, landmarker)
    moved = points + np.array([3, 4], np.float32)
    assert landmark_distance(moved, points) == pytest.approx(5.0, abs=1e-4)
    assert landmark_distance(points, points) == 0.0
    assert np.isnan(landmark_distance(None, points))
    for shift in (2.0, 6.0):
        shifted = warped(close_up, similarity((128, 128), (shift, 0.0), 1.0, 0.0))
        assert landmark_distance(points_of(shifted, landmarker), points) == pytest.approx(shift, abs=0.5)


# Identity


@pytest.fixture(scope="module")
def embed() -> FaceEmbedding:
    pytest.importorskip("dlib")
    return FaceEmbedding()


def relit(image: Image) -> Image:
    """Light from the left, and a warmer white."""
    ramp = np.linspace(1.2, 0.6, image.shape[1])[None, :, None] * np.array([1.08, 1.0, 0.85])
    return np.clip(image * ramp, 0, 255).astype(np.uint8)


def test_one_person_is_nearer_than_another(
    close_up: Image, carphone: Path, embed: FaceEmbedding, landmarker: Landmarker
) -> None:
    def of(image: Image) -> Floats:
        return embed(image, points_of(image, landmarker))

    her, frames = of(close_up), read_clip(carphone, 60)
    his = of(frames[0])
    again = {
        "turned": warped(close_up, similarity((128, 128), (4.0, -3.0), 0.9, 0.2)),
        "other light": relit(close_up),
        "small": np.asarray(cv2.resize(close_up, (128, 128), interpolation=cv2.INTER_AREA), np.uint8),
    }
    same = {name: cosine(of(image), her) for name, image in again.items()}
    same["the man, 50 frames on"] = cosine(of(frames[50]), his)
    different = cosine(his, her)
    assert min(same.values()) > 0.93, same
    assert different < 0.89
    assert cosine(her, her) == pytest.approx(1.0, abs=1e-6)


def test_blending_into_another_lowers_identity(
    close_up: Image, carphone: Path, embed: FaceEmbedding, landmarker: Landmarker
) -> None:
    man = read_clip(carphone, 1)[0]
    theirs = points_of(man, landmarker)
    chips = [aligned(close_up, points_of(close_up, landmarker)), aligned(man, theirs)]
    net = embed._net
    her = np.asarray(net.compute_face_descriptor(chips[0]), np.float32)
    mixes = [cv2.addWeighted(chips[0], 1 - share, chips[1], share, 0) for share in (0.0, 0.4, 0.7, 1.0)]
    found = [cosine(np.asarray(net.compute_face_descriptor(mix), np.float32), her) for mix in mixes]
    assert found == sorted(found, reverse=True)


def test_faces_are_aligned_whatever_their_size(astronaut: Image, landmarker: Landmarker) -> None:
    points = points_of(astronaut, landmarker)
    chip = aligned(astronaut, points)
    assert chip.shape == (150, 150, 3)
    for scale in (0.7, 4.0):
        size = (round(512 * scale), round(512 * scale))
        image = np.asarray(cv2.resize(astronaut, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        other = aligned(image, points * np.float32(size[0] / 512))
        assert np.abs(other.astype(int) - chip).mean() < 6
    mirrored = points_of(astronaut, landmarker) + np.float32(1000)  # outside: no error, edge pixels
    assert aligned(astronaut, mirrored).shape == (150, 150, 3)


def test_only_the_known_weights_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "strange_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / identity.FILE).write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(identity, "PLACES", (("strange_models", "models"),))
    with pytest.raises(MienError, match="not the known weights"):
        identity.weights()
    monkeypatch.setattr(identity, "PLACES", (("no_such_package", "models"),))
    with pytest.raises(MienError, match=r"mien\[metrics\]"):
        identity.weights()


# The judge


def test_frames_examined() -> None:
    assert looked_at(1) == []
    assert looked_at(4) == [1, 2, 3]
    many = looked_at(1000)
    assert len(many) == SAMPLES
    assert (many[0], many[-1]) == (1, 999)


def test_judge_of_perfect_shifted_and_lost_results(close_up: Image, landmarker: Landmarker) -> None:
    frames = [warped(close_up, similarity((128, 128), (2.0 * i, 0.0), 1.0, 0.0)) for i in range(3)]
    judge = Judge(landmarker)
    truth = Truth(judge, frames)

    def scores(result: list[Image]) -> dict[str, float]:
        watch = Watch(judge, close_up, len(result), truth)
        passed = list(watch.over(result))
        assert all(a is b for a, b in zip(passed, result, strict=True))
        return watch.means()

    perfect, still = scores(frames), scores([close_up] * 3)
    assert perfect["l1"] == perfect["l1_wide"] == perfect["akd"] == perfect["lost"] == 0.0
    assert perfect["ssim"] == pytest.approx(1.0, abs=1e-5)
    scale = 256 / truth.seen[1][0].side
    assert still["akd"] == pytest.approx(3.0 * scale, abs=0.4 * scale)  # 2 px in one frame, 4 in the other
    assert still["psnr"] < 30 < perfect["psnr"]
    assert still["perceptual"] > perfect["perceptual"]
    gone = scores([close_up, frames[1], np.zeros_like(close_up)])
    assert gone["lost"] == 0.5
    assert gone["akd"] == 0.0


# The command


def test_table_has_a_column_for_what_was_measured() -> None:
    rows = [
        Row("a", "one", 0.5, 1.0, 1.0, {"identity": 0.98, "psnr": 30.0, "lost": 0.0}),
        Row("b", "one", 0.7, 1.0, 1.0, {"identity": 0.96, "psnr": 32.0, "lost": 0.0}),
        Row("a", "two", 0.1, 1.0, 1.0, {"lost": 0.0}),
    ]
    table = markdown(rows).splitlines()
    assert table[0] == "| method | a | b | mean | gain | jitter | identity | PSNR dB |"
    assert table[2] == "| one | 0.50 | 0.70 | **0.60** | 1.00 | 1.00 | 0.970 | 31.00 |"
    assert table[3].endswith("| – | – |")
    assert "lost" in markdown([Row("a", "one", 0.5, 1.0, 1.0, {"lost": 0.25})])


@pytest.mark.slow
def test_command_against_the_clip_itself(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([f"{carphone}:0-4", "--self", "--json", str(tmp_path / "figures.json")]) == 0
    printed = capsys.readouterr().out
    assert "| L1 | PSNR dB | SSIM | AKD px | perceptual | L1 wide |" in printed
    rows = {
        row["method"]: row["scores"]
        for row in json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    }
    assert set(rows) == {command.COPY, command.STILL, *command.METHODS}
    assert rows.pop(command.COPY) == {}
    for scores in rows.values():
        assert scores["psnr"] > 20
        assert scores["akd"] < 6


def test_missing_packages_leave_columns_out(
    carphone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(identity, "PLACES", ())
    monkeypatch.setitem(sys.modules, "mien.train.metrics.images", None)
    monkeypatch.setattr(
        command, "METHODS", {"one": command.Method(command.TrackerSettings(live=True), network=False)}
    )
    assert command.main([f"{carphone}:0-3", "--self"]) == 0
    printed = capsys.readouterr().out
    assert "| mean | gain | jitter | by 0.1's measure |\n" in printed
    assert printed.count("Note: ") == 2
    assert command.main([f"{carphone}:0-3"]) == 0
    assert capsys.readouterr().out.count("Note: ") == 1


def test_bad_input_is_one_line(carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"{carphone}:0-2"]) == 2
    assert "at least three" in capsys.readouterr().err
    assert command.main([300 * "x" + ".mp4"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert command.main([str(carphone), "--self", "--avatar", "x.jpg"]) == 2
    assert "exclude each other" in capsys.readouterr().err
