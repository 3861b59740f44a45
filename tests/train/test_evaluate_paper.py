"""Evaluation of the paper preset's weights, with given and with learned points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("efficientnet_lite_pytorch")

from narrow_paper import NARROW_PAPER  # noqa: E402
from short_training import pack  # noqa: E402

from mien.engine.avatar import Avatar  # noqa: E402
from mien.engine.landmarks import Landmarker  # noqa: E402
from mien.engine.types import Image  # noqa: E402
from mien.train.__main__ import main  # noqa: E402
from mien.train.checkpoint import save_weights  # noqa: E402
from mien.train.data.dataset import PackedData, split_ids  # noqa: E402
from mien.train.data.paper import PaperData  # noqa: E402
from mien.train.evaluation.candidates import LiveCandidate, PaperCandidate, load_candidate  # noqa: E402
from mien.train.evaluation.driving import Driving, rendered, tracked  # noqa: E402
from mien.train.evaluation.passages import Passage  # noqa: E402
from mien.train.model import LiveModel  # noqa: E402
from mien.train.model.paper import PaperConfig, PaperModel  # noqa: E402
from mien.train.model.paper.weights import facts_of  # noqa: E402
from mien.train.validation import validation_pairs  # noqa: E402

GIVEN = PaperConfig(**NARROW_PAPER)  # type: ignore[arg-type]
LEARNED = replace(GIVEN, points=10, given_points=False)


pytestmark = pytest.mark.usefixtures("one_thread")


def random_paper(config: PaperConfig) -> PaperModel:
    """Random weights with peaks in heat maps, image-dependent Jacobians, and contrasts."""
    torch.manual_seed(3)
    model = PaperModel(config).eval()
    with torch.no_grad():
        model.kp_detector.kp.weight.mul_(20.0)
        torch.nn.init.normal_(model.kp_detector.jacobian.weight, std=0.02)
        model.generator.final.weight.mul_(50.0)
    return model


def write(folder: Path, config: PaperConfig, **facts: str) -> Path:
    path = folder / "paper-best.safetensors"
    save_weights(path, dict(random_paper(config).state_dict()), config, {**facts_of(config), **facts})
    return path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, close_up: Image, landmarker: Landmarker) -> Path:
    """A clip of one pair to train on, one of four to validate on."""
    root = tmp_path_factory.mktemp("packed")
    landmarks = landmarker.detect(close_up)[0].landmarks
    pack(root / "clips" / "a", close_up, landmarks, pairs=((0, 2),))
    pack(root / "clips" / "b", (close_up * 0.7).astype(np.uint8), landmarks)
    (root / "split.json").write_text(json.dumps({"train": ["a"], "validation": ["b"]}), encoding="utf-8")
    return root


@pytest.mark.parametrize("config", [GIVEN, LEARNED], ids=["given", "learned"])
def test_a_pair_is_drawn_as_in_training(config: PaperConfig, packed: Path) -> None:
    model = random_paper(config)
    (pairs,) = validation_pairs(PackedData(packed, ["a"], None, 0), 1)
    trained_on = PaperData(packed, ["a"], None, 0).batch(0, 1, 0.0)
    assert torch.equal(trained_on.driving, pairs.batch.driving)
    given = (trained_on.source_points, trained_on.driving_points) if config.given_points else (None, None)
    with torch.inference_mode():
        before, after = model.detect(trained_on.source, given[0]), model.detect(trained_on.driving, given[1])
        wanted = model(trained_on.source, before, after)
        drawn = PaperCandidate(model).draw(pairs)
        still = model(trained_on.source, before, before)
    for found, like, unlike in (
        (drawn.ours, wanted.prediction, still.prediction),
        (drawn.inside[:, :1], wanted.warp.occlusion, still.warp.occlusion),
    ):
        assert found.shape == like.shape
        assert float((found - like).abs().max()) < 0.01 * float((found - unlike).abs().max())


def test_both_presets_are_compared_with_the_same_warp(packed: Path) -> None:
    (pairs, *_) = validation_pairs(PackedData(packed, split_ids(packed, "validation"), None, 0), 4)
    with torch.inference_mode():
        paper = PaperCandidate(random_paper(GIVEN)).draw(pairs).landmarks
        live = LiveCandidate(LiveModel().eval()).draw(pairs)
    torch.testing.assert_close(paper, live.landmarks, atol=1e-6, rtol=0)
    still = (pairs.batch.source - pairs.batch.driving).abs().mean()
    assert float((paper - pairs.batch.driving).abs().mean()) < 0.5 * float(still)


def swaying(image: Image, k: int) -> Image:
    matrix = np.float32([[1, 0, 3 * np.sin(k)], [0, 1, 2 * np.sin(1.7 * k)]])
    return np.asarray(cv2.warpAffine(image, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE), np.uint8)


@pytest.mark.parametrize("config", [GIVEN, LEARNED], ids=["given", "learned"])
def test_key_points_drive_another_face(config: PaperConfig, close_up: Image, landmarker: Landmarker) -> None:
    frames = [swaying(close_up, k) for k in range(4)]
    portrait = np.ascontiguousarray(close_up[:, ::-1] * 0.7).astype(np.uint8)
    runtimes = PaperCandidate(random_paper(config)).runtimes()
    passage = Passage("driver", "subtle", frames, landmarker.detect(frames[0])[0], 1.0, 3)
    people = [("driver", "her", close_up), ("p", "other", portrait)]
    (drive,) = Driving(runtimes, landmarker, None).run([passage], people)
    alone = Driving({"warp": runtimes["warp"]}, landmarker, None).run([passage], people)
    # Whatever else is tracked.
    assert drive.scores["warp"] == pytest.approx(alone[0].scores["warp"], abs=1e-6, nan_ok=True)
    assert [image.shape for image in drive.images] == [(256, 256, 3)] * 4

    ours = runtimes["ours"]
    motions = tracked(frames, ours)  # type: ignore[arg-type]
    assert all(motion is not None and motion.keys is not None for motion in motions)
    images = rendered(motions, Avatar.of(portrait, landmarker, ours), ours)
    apart = [float(np.abs(image.astype(int) - images[0]).mean()) for image in images[1:]]
    assert min(apart) > 0.01  # every frame of the driver moves the portrait


def test_evaluate_and_card_from_the_command_line(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write(tmp_path, GIVEN, step="7", hours="0.10")
    assert main(["evaluate", str(weights), "--data", str(packed), "--pairs", "3"]) == 0
    text = (tmp_path / "evaluation/paper-best.md").read_text(encoding="utf-8")
    assert "# paper-best.safetensors (preset paper) on validation people" in text
    assert "the targets are those of `live`" in text
    assert "targets met" not in text
    found = json.loads((tmp_path / "evaluation/paper-best.json").read_text(encoding="utf-8"))
    assert found["preset"] == "paper"
    assert [target["met"] for target in found["targets"]] == [None] * 6
    scores = found["groups"]["all pairs"]
    assert (
        scores["landmarks"]["l1"] < scores["still"]["l1"] < scores["ours"]["l1"]
    )  # random weights draw nonsense
    assert cv2.imread(str(tmp_path / "evaluation/paper-best-best.png")).shape[1] == 5 * 192
    report = tmp_path / "evaluation/paper-best.md"
    assert main(["card", str(weights), "--data", str(packed), "--evaluation", str(report)]) == 0
    card = capsys.readouterr().out
    assert "# Model card: Mien `paper`" in card
    assert "18 key points" in card
    assert "### Against the landmark warp" in card
    assert "teacher flow" not in card


def test_weights_that_cannot_be_measured(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def says(path: Path, command: str = "evaluate") -> str:
        assert main([command, str(path), "--data", str(packed)]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        return lines[0]

    checkpoint = tmp_path / "vox.pth.tar"
    torch.save({"generator": {}, "kp_detector": {}}, checkpoint)
    assert "Give a .safetensors file of fit or import" in says(checkpoint)
    assert "No such file" in says(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    save_weights(other, {"x": torch.zeros(2)}, LEARNED, {})
    assert "not weights of the live model" in says(other)
    save_weights(other, {"x": torch.zeros(2)}, LEARNED, facts_of(LEARNED))
    assert "of another architecture (kp_detector" in says(other)
    small = write(tmp_path / "small", replace(GIVEN, image_size=64))
    assert "for images of 64 pixels; evaluate and the engine need 256" in says(small)
    assert "imported and not trained here" in says(small, "card")


def test_a_file_names_its_preset(tmp_path: Path) -> None:
    assert isinstance(load_candidate(write(tmp_path, LEARNED)), PaperCandidate)
    live = LiveModel()
    save_weights(tmp_path / "live.safetensors", dict(live.state_dict()), live.config, {})
    assert isinstance(load_candidate(tmp_path / "live.safetensors"), LiveCandidate)
