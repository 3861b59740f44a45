"""Evaluation: cross-identity driving through the engine, and the targets."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")

from mien.engine.landmarks import Landmarker  # noqa: E402
from mien.engine.types import Image  # noqa: E402
from mien.train.data.clips import Clip  # noqa: E402
from mien.train.evaluation.driving import UNMOVED, Driving  # noqa: E402
from mien.train.evaluation.passages import Passage, coded_frames, find_passages, portraits_of, turn_of  # noqa: E402
from mien.train.evaluation.report import Result, driven_summary, kinds, markdown, ordered_drives, write_report  # noqa: E402
from mien.train.evaluation.runtime import ModelRuntime, WarpRuntime  # noqa: E402
from mien.train.evaluation.targets import NAMES, block, targets  # noqa: E402
from mien.train.metrics.identity import FaceEmbedding  # noqa: E402
from mien.train.model import LiveModel  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def smiling(image: Image, k: int) -> Image:
    """A 256 px face whose mouth's corners go up by up to two pixels."""
    y, x = np.mgrid[:256, :256].astype(np.float32)
    lift = 2.0 * np.sin(k / 3) * sum(np.exp(-((x - cx) ** 2 + (y - 165) ** 2) / 400) for cx in (105, 150))
    return np.asarray(cv2.remap(image, x, (y + lift).astype(np.float32), cv2.INTER_CUBIC), np.uint8)


@pytest.fixture(scope="module")
def model() -> LiveModel:
    torch.manual_seed(0)
    return LiveModel().eval()


def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    before = rng.uniform(-0.5, 0.5, (478, 2)).astype(np.float32)
    dense = rng.normal(0, 0.02, (3, 64, 64)).astype(np.float32)
    dense[2] = 0.5
    return before, before + rng.normal(0, 0.01, before.shape).astype(np.float32), dense


def test_the_untrained_warp_is_the_untrained_model(model: LiveModel, close_up: Image) -> None:
    before, after, dense = points()
    runtime = WarpRuntime(model)
    code = runtime.encode(close_up)
    field = runtime.render(code, before, after, dense)
    arrays = [torch.from_numpy(x)[None] for x in (before, after, dense)]
    with torch.inference_mode():
        wanted = model(torch.from_numpy(code.source), *arrays)
    assert field.flow.transpose(2, 0, 1) == pytest.approx(wanted.flow[0].numpy(), abs=1e-6)
    assert float(wanted.paint.abs().max()) == 0 == np.abs(field.paint).max()


@pytest.mark.slow
def test_weights_in_the_engine_equal_torch(close_up: Image) -> None:
    torch.manual_seed(2)
    trained = LiveModel().eval()
    with torch.no_grad():
        for weight in trained.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    before, after, dense = points()
    runtime = ModelRuntime(trained)
    code = runtime.encode(close_up)
    field = runtime.render(code, before, after, dense)
    with torch.inference_mode():
        wanted = trained(*(torch.from_numpy(x)[None] for x in (code.source[0], before, after, dense)))
    assert field.paint.transpose(2, 0, 1) == pytest.approx(wanted.paint[0].numpy(), abs=1e-4)
    assert field.flow.transpose(2, 0, 1) == pytest.approx(wanted.flow[0].numpy(), abs=1e-5)
    assert np.abs(field.paint).max() > 0.01


@pytest.fixture(scope="module")
def result(model: LiveModel, close_up: Image, landmarker: Landmarker) -> Result:
    """A smile drives a mirrored, darker face; the warp takes the place of trained weights, too."""
    frames = [smiling(close_up, k) for k in range(8)]
    portrait = np.ascontiguousarray(close_up[:, ::-1] * 0.7).astype(np.uint8)
    passage = Passage("driver", "subtle", frames, landmarker.detect(frames[0])[0], 1.0, 4)
    runtimes = {"warp": WarpRuntime(model), "ours": WarpRuntime(model)}
    people = [("driver", "her", close_up), ("blank", "it", np.zeros_like(close_up)), ("p", "other", portrait)]
    drives = Driving(runtimes, landmarker, FaceEmbedding()).run([passage], people)
    return Result("weights", [], drives, ["a note"])


def test_a_smile_is_transferred_to_another_face(result: Result) -> None:
    (drive,) = result.drives
    assert drive.portrait == "p"  # neither the driver nor the image without a face
    assert drive.scores["still"] == UNMOVED | {"ceiling": drive.scores["ours"]["ceiling"]}
    assert drive.scores["ours"]["torn"] == 0.0
    assert drive.scores["warp"] == drive.scores["ours"]
    assert drive.scores["warp"]["correlation"] > 0.6
    assert drive.scores["warp"]["identity"] > 0.9
    assert [image.shape for image in drive.images] == [(256, 256, 3)] * 4


def test_the_report_has_tables_json_and_a_sheet(result: Result, tmp_path: Path) -> None:
    write_report(result, tmp_path, "w")
    text = (tmp_path / "w.md").read_text(encoding="utf-8")
    assert "## Cross identity, subtle passages: 1, driving 1 portraits" in text
    assert "1 of 6 targets met" in text  # fidelity is that of the warp; no pairs were measured
    assert "- Note: a note" in text
    found = json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))
    assert found["driving"]["subtle passages"]["ours"]["correlation"] > 0.6
    assert found["groups"]["all pairs"]["ours"]["l1"] is None
    assert cv2.imread(str(tmp_path / "w-driving-all.png")).shape[1] == 4 * 192
    assert ordered_drives(result.drives) == list(result.drives)
    assert driven_summary(kinds(result.drives)["subtle passages"])["still"]["identity"] == 1.0
    assert "nan" not in markdown(result).split("## Cross identity")[1]


@pytest.mark.parametrize(
    ("ours", "fidelity", "met"),
    [
        (dict(zip(NAMES, (0.74, 0.77, 0.79, 0.91, 0.89), strict=True)), 0.896, [True] * 6),
        (dict(zip(NAMES, (0.76, 0.79, 0.81, 0.93, 1.2), strict=True)), 0.894, [False] * 6),
        (
            dict(zip(NAMES, (0.5, 0.5, 0.9, 0.5, float("nan")), strict=True)),
            0.95,
            [True, True, False, True, None, True],
        ),
    ],
)
def test_targets(ours: dict[str, float], fidelity: float, met: list[bool | None]) -> None:
    pairs = {"landmarks": dict.fromkeys(ours, 1.0), "ours": ours}
    found = targets(pairs, {"warp": {"correlation": 0.9}, "ours": {"correlation": fidelity}})
    assert [target.met for target in found] == met
    assert block(found)[0] == f"**{met.count(True)} of 6 targets met.**"
    assert "nan" not in "".join(block(found))


def test_coded_clips_are_read_from_onset_to_offset(tmp_path: Path) -> None:
    for k in range(40, 60):
        (tmp_path / f"img{k}.jpg").write_bytes(b"")
    clip = Clip("c", tmp_path, "s", "s", "CASME II", onset=45, apex=48, offset=52)
    assert coded_frames(clip, 20) == range(5, 13)
    assert coded_frames(Clip("c", tmp_path, "s", "s", "CASME II", onset=145, offset=152), 20) == range(20)
    assert coded_frames(Clip("c", tmp_path, "s", "s", "folder"), 20) is None


def test_a_missing_clip_is_named(landmarker: Landmarker) -> None:
    from mien.train.data.packed_clip import PackedClip

    clip = {"id": "x", "path": "/nowhere/x.mp4", "subject": "s", "group": "g", "collection": "c"}
    landmarks = np.zeros((2, 478, 3), np.float32)
    landmarks[:, 454, 0], landmarks[:, 4, 0] = 1.0, (0.5, 0.9)
    arrays = {"landmarks": landmarks, "frames": np.arange(2, dtype=np.uint8).reshape(2, 1, 1, 1)}
    packed = PackedClip({"clip": clip}, arrays, (), np.zeros(0, np.float32), np.zeros(0, bool))
    found, missing = find_passages([packed], 1, 8, landmarker)
    assert not found
    assert missing[0].startswith("x: ")
    assert turn_of(landmarks[0]) == pytest.approx(0, abs=1e-5)
    assert turn_of(landmarks[1]) == pytest.approx(0.8, abs=1e-5)
    assert [image.item() for _, _, image in portraits_of([packed])] == [0]  # the one that faces the camera


def test_invalid_extents_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from mien.train.__main__ import main

    assert main(["evaluate", "w.safetensors", "--data", "d", "--frames", "2"]) == 2
    assert "--frames of 3 or more" in capsys.readouterr().err
