"""From clips to a trained model on tiny data: prepare, fit, resume, evaluate, and failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("efficientnet_lite_pytorch")

from short_training import QUIET, check_interruption, losses_of  # noqa: E402

from mien.engine.landmarks import topology  # noqa: E402
from mien.engine.types import Image, MienError  # noqa: E402
from mien.train.__main__ import main  # noqa: E402
from mien.train.checkpoint import STATE, load_state, save_state, save_weights  # noqa: E402
from mien.train.config import FitConfig, build, load_config  # noqa: E402
from mien.train.data.augment import AugmentConfig, Change, worse_tracking  # noqa: E402
from mien.train.data.choice import choose_pairs, openness  # noqa: E402
from mien.train.data.dataset import (  # noqa: E402
    Batch,
    Extra,
    PackedData,
    split_ids,
    still_ids,
)
from mien.train.data.packed_clip import PackedClip, untorn  # noqa: E402
from mien.train.data.stills import carried_flow, folds, warp_image  # noqa: E402
from mien.train.data.teacher import teacher_flow  # noqa: E402
from mien.train.fit import Fit, Place, learning_rate  # noqa: E402
from mien.train.model.live import LiveModel  # noqa: E402
from mien.train.model.weights import load_live  # noqa: E402


def moved(image: Image, k: int) -> Image:
    matrix = cv2.getRotationMatrix2D((128, 110), 1.5 * np.sin(k), 1 + 0.02 * np.cos(k))
    matrix[:, 2] += (2 * np.sin(1.3 * k), 2 * np.cos(0.7 * k))
    return np.asarray(cv2.warpAffine(image, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def write_video(path: Path, images: list[Image]) -> None:
    from mien.streams.video import VideoFileSink

    path.parent.mkdir(parents=True)
    sink = VideoFileSink(path, width=256, height=256, fps=25)
    for k, image in enumerate(images):
        sink.write(image, k / 25)
    sink.close()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three "people" (the astronaut, mirrored, darker), one for validation, and a clip without a face."""
    data = pytest.importorskip("skimage.data")
    face = np.ascontiguousarray(cv2.resize(data.astronaut()[0:256, 96:352], (256, 256)))
    people = {"a": face, "b": np.ascontiguousarray(face[:, ::-1]), "c": (face * 0.7).astype(np.uint8)}
    root = tmp_path_factory.mktemp("videos")
    for name, image in people.items():
        write_video(root / name / "v" / "1.mp4", [moved(image, k) for k in range(5)])
    write_video(root / "d" / "v" / "1.mp4", [np.full((256, 256, 3), 90, np.uint8)] * 3)
    for name, image in {"e": face, "f": np.full((256, 256, 3), 90, np.uint8)}.items():
        (root / name).mkdir()
        cv2.imwrite(str(root / name / "face.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    output = tmp_path_factory.mktemp("packed")
    arguments = ["prepare", str(root), "--output", str(output), "--sources", "2", "--drivings", "3"]
    assert main([*arguments, "--validation", "0.2"]) == 0
    assert main([*arguments, "--validation", "0.2", "--stills", "9"]) == 0  # nothing is done twice
    split = json.loads((output / "split.json").read_text(encoding="utf-8"))
    split["validation"], split["train"] = ["c-v-1"], ["a-v-1", "b-v-1"]
    (output / "split.json").write_text(json.dumps(split), encoding="utf-8")
    return output


def before_still_ground(image: Image, k: int) -> Image:
    """A face that sways by up to nine pixels in front of a static background."""
    y, x = np.mgrid[:256, :256].astype(np.float32)
    cover = np.clip(2.5 - 2 * np.hypot((x - 128) / 62, (y - 112) / 88), 0, 1)
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 240, (256, 256)), (0, 0), 3)
    ground = cv2.GaussianBlur(image, (0, 0), 15) + grain[..., None]
    matrix = cv2.getRotationMatrix2D((128, 112), 3 * np.sin(k), 1)
    matrix[:, 2] += (9 * np.sin(1.3 * k), 6 * np.cos(0.7 * k) - 6)
    face = cv2.warpAffine(image, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    shown = cv2.warpAffine(cover, matrix, (256, 256))[..., None]
    return np.clip(ground + (face - ground) * shown, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def swaying(tmp_path_factory: pytest.TempPathFactory, close_up: Image) -> Path:
    """Two people with something to learn: the landmark warp drags their backgrounds along.  12 pairs."""
    root, output = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("packed")
    for name, image in {"a": close_up, "b": np.ascontiguousarray(close_up[:, ::-1])}.items():
        write_video(root / name / "v" / "1.mp4", [before_still_ground(image, k) for k in range(4)])
    sizes = ["--sources", "2", "--drivings", "3"]
    assert main(["prepare", str(root), "--output", str(output), *sizes]) == 0
    names = ["a-v-1", "b-v-1"]
    (output / "split.json").write_text(json.dumps({"train": names, "validation": names}), encoding="utf-8")
    return output


@pytest.fixture
def config(packed: Path, tmp_path: Path) -> Iterator[FitConfig]:
    threads = torch.get_num_threads()
    small = {
        "encoder_channels": [16, 16, 16],
        "correction_channels": [16, 16, 16, 16, 16],
        "painter_channels": [16, 16, 16],
        "painter_detail": 8,
        "features": 16,
    }
    loss = {"pyramid": 4.0, "warped": 1.0, "perceptual": 0.1, "face": 0.5, "landmarks": 0.05}
    parts = ["encoder", "correction", "painter"]
    values = {
        "data": {"path": str(packed), "sources": 1, "drivings": 2},
        "model": small,
        "run": {
            "output": str(tmp_path / "run"),
            "precision": "32-true",
            "accelerator": "cpu",
            "threads": 1,
            "log_every": 1,
            "validation_pairs": 3,
        },
        "stages": [
            {"steps": 2, "rate": 1e-3},
            {"name": "joint", "steps": 4, "rate": 1e-3, "train": parts, "loss": loss},
        ],
    }
    yield build(FitConfig, values, "")
    torch.set_num_threads(threads)


def test_prepare_leaves_out_clips_without_a_face(packed: Path) -> None:
    names = sorted(path.name for path in (packed / "clips").iterdir())
    assert names == ["a-v-1", "b-v-1", "c-v-1"]
    meta = json.loads((packed / "clips/a-v-1/meta.json").read_text(encoding="utf-8"))
    assert meta["frames_without_face"] == 0
    assert meta["pairs"] == 6


def test_batches_depend_on_their_number_alone(packed: Path) -> None:
    data = PackedData(packed, split_ids(packed, "train"), AugmentConfig(), 3)
    one, again, other = (data.batch(k, 2, 2, 1.0) for k in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.driving, other.driving)
    assert one.source.shape == (2, 3, 256, 256)
    assert one.teacher.shape == (4, 3, 64, 64)


def test_the_imagenet_branch_is_added_to_a_new_model_and_to_weights_without_it(config: FitConfig) -> None:
    seeing = replace(config, model=replace(config.model, sight=8))
    fit = Fit(seeing, QUIET)
    assert isinstance(fit.model, LiveModel) and fit.model.encoder.sight is not None
    trunk = {name: value.clone() for name, value in fit.model.encoder.sight.trunk.state_dict().items()}
    losses_of(fit, 3)
    assert float(fit.model.encoder.sight.leave.weight.detach().abs().max()) > 0.0, "it learns"
    assert all(torch.equal(fit.model.encoder.sight.trunk.state_dict()[n], v) for n, v in trunk.items())

    blind = Path(config.run.output) / "blind.safetensors"
    save_weights(blind, dict(LiveModel(config.model).state_dict()), config.model, {})
    onward = Fit(replace(seeing, run=replace(config.run, start=str(blind), output=f"{blind}-run")), QUIET)
    assert isinstance(onward.model, LiveModel) and onward.model.encoder.sight is not None
    assert onward.task.shape == seeing.model


def test_leaving_one_subject_out(packed: Path, tmp_path: Path) -> None:
    assert split_ids(packed, "validation", "a") == ["a-v-1"]
    assert split_ids(packed, "train", "a") == ["b-v-1", "c-v-1"]
    with pytest.raises(MienError, match="z is not a subject; known: a, b, c"):
        split_ids(packed, "train", "z")
    config = load_config(None, ['data.leave_out="a"'])
    assert config.data.leave_out == "a"


def test_a_still_moves_by_its_teacher_flow(packed: Path) -> None:
    assert [path.name for path in (packed / "stills").iterdir()] == ["e-face"]
    arrays = PackedData(packed, ["a-v-1"], None, 0, [Extra("stills", 0.5, ["e-face"])]).extra[0][1][0].arrays
    assert len(arrays["pairs"]) >= 2
    for (source, driving), teacher in zip(arrays["pairs"], arrays["teacher"], strict=True):
        flow = np.asarray(teacher[:2], np.float32)
        assert not folds(flow)
        assert np.abs(flow).max() * 127.5 > 1  # it does move
        made = warp_image(np.asarray(arrays["frames"][source]), flow)
        apart = np.abs(made.astype(np.float32) - arrays["frames"][driving])
        assert apart.mean() < 0.5  # the flow is kept as float16


def with_gaps(still: PackedClip, mouths: list[float], lids: float = 0.1) -> PackedClip:
    """The still with these mouth gaps of its frames, and this lid gap of the moved ones, in eye distances."""
    landmarks = np.array(still.arrays["landmarks"])
    for k, (frame, mouth) in enumerate(zip(landmarks, mouths, strict=True)):
        unit = np.linalg.norm(frame[33, :2] - frame[263, :2])
        frame[14, :2] = frame[13, :2] + (0.0, mouth * unit)
        for upper, lower in ((159, 145), (386, 374)):
            frame[lower, :2] = frame[upper, :2] + (0.0, (lids if k else 0.1) * unit)
    return replace(still, arrays={**still.arrays, "landmarks": landmarks})


def test_stills_with_torn_lips_or_lids_are_left_out(packed: Path) -> None:
    still = PackedClip.open(packed / "stills" / "e-face")
    count = len(still.arrays["landmarks"])
    rest = [0.01] * count
    kept = untorn(with_gaps(still, rest))
    assert kept is not None
    np.testing.assert_array_equal(kept.sources[0], still.sources[0])
    opened = untorn(with_gaps(still, [0.01, 0.2, *rest[2:]]))
    assert opened is not None
    assert set(opened.sources[0]) == set(still.sources[0]) - {0}
    assert untorn(with_gaps(still, [0.1, *[0.2] * (count - 1)])) is not None, "an open mouth may open wider"
    assert untorn(with_gaps(still, rest, lids=0.02)) is None


def test_stills_take_their_share_and_change_nothing_without(packed: Path) -> None:
    ids = split_ids(packed, "train")
    plain = PackedData(packed, ids, AugmentConfig(), 3)
    unused = PackedData(packed, ids, AugmentConfig(), 3, [Extra("stills", 0.0, still_ids(packed))])
    for k in range(3):
        for one, other in zip(plain.batch(k, 2, 2, 1.0), unused.batch(k, 2, 2, 1.0), strict=True):
            assert torch.equal(one, other)
    alone = PackedData(packed, ids, None, 3, [Extra("stills", 1.0, still_ids(packed))])
    still = torch.from_numpy(np.array(alone.extra[0][1][0].arrays["frames"][0])).permute(2, 0, 1) / 255
    assert torch.equal(alone.batch(0, 1, 1, 0.0).source[0], still)


def test_a_flow_is_transferred_to_a_face_of_another_size_and_angle() -> None:
    theirs = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 2)).astype(np.float32)
    ours = (theirs @ np.array([[0, 0.5], [-0.5, 0]], np.float32)).astype(np.float32)  # half, a quarter turn
    flow = np.zeros((2, 64, 64), np.float32)
    flow[0] = 0.1
    found = carried_flow(flow, np.ones((64, 64), np.float32), ours, theirs)
    assert found[0] == pytest.approx(np.zeros((64, 64)), abs=1e-5)
    assert found[1] == pytest.approx(np.full((64, 64), 0.05), abs=1e-5)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    save_state(tmp_path, {"step": 3, "weights": torch.zeros(10)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))  # like a full disk
    try:
        with pytest.raises(MienError, match="The last checkpoint is kept"):
            save_state(tmp_path, {"step": 4, "weights": torch.zeros(200_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    state = load_state(tmp_path)
    assert state is not None
    assert state["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


@pytest.mark.slow
def test_two_processes_train_together(config: FitConfig, tmp_path: Path) -> None:
    toml = tmp_path / "two.toml"
    toml.write_text(
        f'[data]\npath = "{config.data.path}"\nsources = 1\ndrivings = 2\n'
        "[model]\nencoder_channels = [16, 16, 16]\ncorrection_channels = [16, 16, 16, 16, 16]\n"
        "painter_channels = [16, 16, 16]\npainter_detail = 8\nfeatures = 16\n"
        f'[run]\noutput = "{tmp_path / "two"}"\nprecision = "32-true"\naccelerator = "cpu"\n'
        "devices = 2\nthreads = 1\nlog_every = 1\nvalidation_pairs = 2\n[[stages]]\nsteps = 2\n"
        '[[stages]]\nsteps = 1\ntrain = ["encoder", "correction", "painter"]\n'
        "loss = { pyramid = 4.0, warped = 1.0 }\n",
        encoding="utf-8",
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*launch, "-m", "train", "fit", "--config", str(toml)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    state = load_state(tmp_path / "two")
    assert state is not None
    assert state["step"] == 3
    assert (tmp_path / "two/log.txt").read_text(encoding="utf-8").count(
        "steps/s"
    ) == 3  # only the first process reports


def test_a_resumed_run_gives_the_same_losses(config: FitConfig) -> None:
    fit = Fit(config, QUIET)
    losses_of(fit, 3)
    fit.save()
    wanted = losses_of(fit, 3)
    resumed = Fit(config, QUIET)
    assert resumed.step == 3
    assert losses_of(resumed, 3) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.slow
def test_one_pair_a_step_has_finite_losses_and_an_interruption_changes_nothing(
    config: FitConfig, tmp_path: Path
) -> None:
    """As many steps as pairs are packed (2 clips of 6), drawn at random."""
    stage = replace(config.stages[1], steps=12, rate=2e-3, focus=0.0)
    whole = replace(config, data=replace(config.data, drivings=1), stages=(stage,))
    losses = losses_of(Fit(whole, QUIET), 12)
    assert np.isfinite(losses).all()
    check_interruption(whole, losses, tmp_path / "broken", rel=1e-5)


def mean_loss(fit: Fit) -> float:
    """The loss over all packed pairs, unaugmented, once each."""
    objective = fit.task.updates[0].objective
    fit.task.enter(0, fit.config.stages[0])
    root, rng = Path(fit.config.data.path), np.random.default_rng(0)
    data = PackedData(root, split_ids(root, "train"), None, 0)
    found = []
    for clip in data.clips:
        for rows in clip.sources:
            arrays = data.assemble(clip, rows, Change(), rng)
            with torch.no_grad():
                losses = objective(Batch(*(torch.from_numpy(part) for part in arrays)), 0)
            found += [float(losses.total)] * len(rows)
    assert len(found) == 12
    return float(np.mean(found))


@pytest.mark.slow
def test_two_passes_over_tiny_data_lower_the_loss_and_an_interruption_changes_nothing(
    config: FitConfig, swaying: Path, tmp_path: Path
) -> None:
    """One pair per step, drawn and augmented as usual; before and after, the loss of the same 12 pairs."""
    stage = replace(config.stages[0], steps=24, rate=2e-3, focus=0.0)
    data = replace(config.data, path=str(swaying), drivings=1)
    passes = replace(config, data=data, stages=(stage,), optim=replace(config.optim, warm_up=5))
    fit = Fit(passes, QUIET)
    before = mean_loss(fit)
    losses = losses_of(fit, 24)
    assert mean_loss(fit) < 0.7 * before
    check_interruption(passes, losses, tmp_path / "broken", rel=1e-5)


def with_critic(config: FitConfig) -> FitConfig:
    """The second stage paints crops for a discriminator."""
    loss = replace(config.stages[1].loss, adversarial=0.1, matching=1.0, crop=24)
    small = replace(config.discriminator, width=4, blocks=2, spectral=True)
    return replace(
        config, discriminator=small, stages=(config.stages[0], replace(config.stages[1], loss=loss))
    )


def test_a_discriminator_learns_in_its_stage_alone_and_is_resumed(config: FitConfig) -> None:
    fit = Fit(with_critic(config), QUIET)
    critic = fit.task.helpers["discriminator"]
    before = [p.detach().clone() for p in critic.parameters()]
    losses_of(fit, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, critic.parameters(), strict=True))
    losses_of(fit, 1)
    assert not all(torch.equal(a, b) for a, b in zip(before, critic.parameters(), strict=True))
    fit.save()
    wanted = losses_of(fit, 3)
    assert losses_of(Fit(with_critic(config), QUIET), 3) == pytest.approx(wanted, rel=1e-5)


def test_a_discriminator_without_crops_is_refused(config: FitConfig) -> None:
    loss = replace(config.stages[1].loss, adversarial=0.1)
    with pytest.raises(MienError, match="set crop"):
        Fit(replace(config, stages=(replace(config.stages[1], loss=loss),)), QUIET)


def test_a_run_starts_from_weights(config: FitConfig, tmp_path: Path) -> None:
    first = Fit(config, QUIET)
    losses_of(first, 2)
    path = tmp_path / "run" / "live-last.safetensors"
    first._validate()
    second = Fit(replace(config, run=replace(config.run, output=str(tmp_path / "2"), start=str(path))), QUIET)
    assert second.step == 0
    for (name, ours), (_, theirs) in zip(
        second.model.state_dict().items(), first.averaged().state_dict().items(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_ctrl_c_saves_and_training_can_be_resumed(config: FitConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Fit(config, QUIET)
    step = Fit.train_step

    def interrupted(self: Fit, *args: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return step(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Fit, "train_step", interrupted)
        fit.run()
    assert Fit(config, QUIET).step == 1


@pytest.mark.slow
def test_overfitting_one_batch(config: FitConfig) -> None:
    stage = replace(config.stages[1], steps=30, rate=2e-3)
    fit = Fit(replace(config, data=replace(config.data, overfit=True), stages=(stage,)), QUIET)
    found = losses_of(fit, 30)
    assert np.mean(found[-3:]) < 0.92 * np.mean(found[:2])


def test_fit_evaluate_and_card_from_the_command_line(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tmp_path / "run.toml"
    toml.write_text(
        f'[data]\npath = "{packed}"\nsources = 1\ndrivings = 2\n'
        f'[run]\noutput = "{tmp_path / "out"}"\nprecision = "32-true"\naccelerator = "cpu"\n'
        "validation_pairs = 2\n[[stages]]\nsteps = 9\n",
        encoding="utf-8",
    )
    assert main(["fit", "--config", str(toml), "--set", "stages.0.steps=2"]) == 0
    weights = tmp_path / "out/live-best.safetensors"
    assert main(["evaluate", str(weights), "--data", str(packed), "--pairs", "2"]) == 0
    table = json.loads((tmp_path / "out/evaluation/live-best.json").read_text(encoding="utf-8"))
    scores = table["groups"]["all pairs"]
    assert scores["warp"]["l1"] < scores["still"]["l1"]
    assert scores["ours"]["akd"] >= 0
    report = tmp_path / "out/evaluation/live-best.md"
    assert main(["card", str(weights), "--data", str(packed), "--evaluation", str(report)]) == 0
    text = capsys.readouterr().out
    assert "landmark warp" in text
    assert "of 6 targets met" in text
    assert "third parties" in text
    assert "trained on: 2 of 2 people; validated on: 1 of 1 people" in text
    assert any("at least two people" in note for note in table["notes"])
    assert [target["met"] for target in table["targets"]][-1] is None
    from mien.train.model.weights import load_live

    assert load_live(weights).config.image_size == 256


def test_teacher_flow_finds_a_known_shift() -> None:
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8), (0, 0), 3)
    texture = np.clip((texture.astype(np.float32) - 127) * 4 + 127, 0, 255).astype(np.uint8)
    flow = teacher_flow(texture, np.roll(texture, (0, 4), (0, 1)))
    middle = flow[:, 16:48, 16:48]
    assert middle[2].mean() > 0.95
    assert np.median(middle[0]) * 127.5 == pytest.approx(-4, abs=0.1)
    assert np.median(middle[1]) * 127.5 == pytest.approx(0, abs=0.1)


def test_changes_move_images_points_and_flows_alike() -> None:
    change = Change(flip=True, zoom=0.8, shift=(0.05, -0.1))
    points = np.zeros((478, 2), np.float32)
    points[33] = (-0.3, 0.2)
    mate = int(np.flatnonzero(topology.FLIP == 33)[0])
    there = change.points(points)[mate]
    assert there == pytest.approx((0.3 * 0.8 + 0.05, 0.2 * 0.8 - 0.1), abs=1e-6)
    image = np.zeros((256, 256, 3), np.uint8)
    x, y = (round((v + 1) * 127.5) for v in (-0.3, 0.2))
    cv2.circle(image, (x, y), 4, (255, 255, 255), -1)
    mass = change.image(image)[..., 0].astype(np.float64)
    at = np.array([mass.sum(0) @ np.arange(256), mass.sum(1) @ np.arange(256)]) / mass.sum() / 127.5 - 1
    assert at == pytest.approx(there, abs=0.005)
    flow = np.zeros((3, 64, 64), np.float32)
    flow[0], flow[2] = 0.1, 1.0
    assert change.field(flow)[:, 32, 32] == pytest.approx((-0.08, 0, 1), abs=1e-6)


def test_worse_tracking_keeps_shapes() -> None:
    rng = np.random.default_rng(1)
    points, dense = np.zeros((478, 2), np.float32), np.ones((3, 64, 64), np.float32)
    config = AugmentConfig(noise=0.01, drop_dense=1.0)
    moved_points, measured = worse_tracking(points, dense, config, rng)
    assert measured[2].max() == 0
    assert dense[2].min() == 1
    assert 0 < moved_points.std() < 0.01


def test_pairs_are_of_different_frames() -> None:
    rng = np.random.default_rng(2)
    landmarks = rng.random((9, 478, 3)).astype(np.float32)
    pairs = choose_pairs(landmarks, 4, 6, rng)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs) == 24
    assert openness(landmarks).shape == (9, 2)


def test_stages_follow_each_other(config: FitConfig) -> None:
    stages = config.stages
    assert Place.at(1, stages) == Place(1, 0, 1)
    assert Place.at(2, stages) == Place(2, 1, 0)
    assert Place.at(6, stages) is None
    assert learning_rate(stages[0], 0, 1) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("optim.emma=0.9", "optim.emma is unknown"),
        ("optim.ema=often", "optim.ema must be float"),
        ("stages.3.steps=1", "entry 3 does not exist"),
        ("data", "write it as name=value"),
        ("augment.zoom=[1.0]", "needs 2 values"),
    ],
)
def test_wrong_settings(change: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[[stages]]\nsteps = 1\n", encoding="utf-8")
    with pytest.raises(MienError, match=says):
        load_config(path, [change])


def test_shipped_configuration_is_valid() -> None:
    from mien import train

    path = Path(train.__file__).parent / "configs" / "live.toml"
    config = load_config(path, ["optim.ema=0.9", "run.devices=2"])
    assert config.optim.ema == 0.9
    assert config.run.devices == 2
    stages = ["motion", "warp", "painter", "joint", "paint", "warp-again", "paint-again"]
    assert [stage.name for stage in config.stages] == stages
    more = load_config(path.with_name("live-refine.toml"))
    assert load_live(Path(train.__file__).parent.parent / more.run.start).config == more.model


def test_a_damaged_state_is_named(config: FitConfig, tmp_path: Path) -> None:
    save_state(tmp_path, {"step": 3})
    assert load_state(tmp_path) == {"step": 3}
    whole = (tmp_path / STATE).read_bytes()
    (tmp_path / STATE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MienError, match="damaged"):
        load_state(tmp_path)
    assert load_state(tmp_path / "nowhere") is None


def test_messages_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--set", f'data.path="{tmp_path}"', "--set", 'run.accelerator="cpu"']) == 2
    assert main(["prepare", str(tmp_path), "--output", str(tmp_path / "o")]) == 2
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    assert main(["evaluate", str(tmp_path / "w.safetensors"), "--data", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("mien: ") for line in lines)
