"""Training of the paper preset on tiny data: the loss drops, resuming is exact, losses are correct."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("efficientnet_lite_pytorch")

from narrow_paper import NARROW_PAPER  # noqa: E402
from short_training import QUIET, check_interruption, losses_of, pack  # noqa: E402

from mien.engine.landmarks import Landmarker  # noqa: E402
from mien.engine.paper.points import FLIP, given_points  # noqa: E402
from mien.engine.types import Image, MienError  # noqa: E402
from mien.train.config import FitConfig, build, load_config  # noqa: E402
from mien.train.data.augment import AugmentConfig, Change  # noqa: E402
from mien.train.data.dataset import split_ids  # noqa: E402
from mien.train.data.paper import PaperData  # noqa: E402
from mien.train.data.tracking import WHOLE  # noqa: E402
from mien.train.fit import Fit  # noqa: E402
from mien.train.losses.equivariance import Distortion, distorted_pixels, equivariance  # noqa: E402
from mien.train.model.paper import KeyPoints  # noqa: E402

PARTS = ["kp_detector", "generator"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, close_up: Image, landmarker: Landmarker) -> Path:
    root = tmp_path_factory.mktemp("packed")
    landmarks = landmarker.detect(close_up)[0].landmarks
    for name, light in (("a", 1.0), ("b", 0.7)):
        pack(root / "clips" / name, (close_up * light).astype(np.uint8), landmarks)
    (root / "split.json").write_text(json.dumps({"train": ["a"], "validation": ["b"]}), encoding="utf-8")
    return root


@pytest.fixture
def config(packed: Path, tmp_path: Path) -> Iterator[FitConfig]:
    threads = torch.get_num_threads()
    run = {"output": str(tmp_path / "run"), "precision": "32-true", "accelerator": "cpu", "threads": 1}
    run |= {"log_every": 1, "validation_pairs": 2}
    values = {
        "preset": "paper",
        "data": {"path": str(packed), "sources": 2, "drivings": 1},
        "paper": {"image_size": 64, **NARROW_PAPER},
        "discriminator": {"width": 4, "most": 16},
        "paper_loss": {"scales": [1.0, 0.5]},
        "optim": {"betas": [0.5, 0.999], "clip": 1000.0, "warm_up": 1},
        "run": run,
        "stages": [{"steps": 6, "rate": 2e-3, "final": 1.0, "train": PARTS}],
    }
    yield build(FitConfig, values, "")
    torch.set_num_threads(threads)


def test_a_resumed_run_gives_the_same_losses(config: FitConfig) -> None:
    fit = Fit(config, QUIET)
    losses_of(fit, 2)
    fit.save()
    wanted = losses_of(fit, 3)
    resumed = Fit(config, QUIET)
    assert resumed.step == 2
    assert losses_of(resumed, 3) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
def test_the_loss_falls(config: FitConfig) -> None:
    stage = replace(config.stages[0], steps=40)
    fit = Fit(replace(config, data=replace(config.data, overfit=True), stages=(stage,)), QUIET)
    found = losses_of(fit, 40)
    assert np.mean(found[-5:]) < 0.8 * np.mean(found[:3])


@pytest.mark.slow
def test_passes_over_tiny_data_lower_the_loss_and_an_interruption_changes_nothing(
    config: FitConfig, tmp_path: Path
) -> None:
    """Sixteen times the four packed pairs, two per step, drawn uniformly."""
    stage = replace(config.stages[0], steps=32, focus=0.0)
    whole = replace(config, stages=(stage,))
    losses = losses_of(Fit(whole, QUIET), 32)
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    check_interruption(whole, losses, tmp_path / "broken", rel=1e-4)


def test_a_run_leaves_weights_that_load(config: FitConfig) -> None:
    from mien.train.model.paper.weights import load_paper

    fit = Fit(replace(config, stages=(replace(config.stages[0], steps=2),)), QUIET)
    fit.run()
    model = load_paper(Path(config.run.output) / "paper-best.safetensors")
    assert model.config == config.paper
    assert model.config.align_corners
    # Running statistics accompany the averaged weights.
    norm = model.generator.first.norm
    assert int(norm.num_batches_tracked) == 2
    assert not torch.equal(norm.running_mean, torch.zeros_like(norm.running_mean))


def test_every_loss_has_a_gradient_where_it_should(config: FitConfig) -> None:
    fit = Fit(config, QUIET)
    objective = fit.task.updates[0].objective
    batch = fit._batch(0)
    parts = objective(batch, 0).parts
    assert set(parts) == {
        *("perceptual", "generator_gan", "feature_matching"),
        *("equivariance_value", "equivariance_jacobian"),
    }
    for name in ("equivariance_value", "equivariance_jacobian"):
        only = {each: float(each == name) for each in (*parts, "discriminator_gan")}
        objective.weights = replace(config.paper_loss, **only)
        fit.model.zero_grad()
        objective(batch, 0).total.backward()
        reached = fit.model.kp_detector.kp.weight.grad if name.endswith("value") else None
        reached = fit.model.kp_detector.jacobian.weight.grad if reached is None else reached
        assert float(reached.abs().max()) > 0
    assert all(p.grad is None for p in fit.task.helpers["discriminator"].parameters())


def test_points_of_a_flipped_image_change_sides(close_up: Image, landmarker: Landmarker) -> None:
    seen = WHOLE.normalised(landmarker.detect(close_up)[0].landmarks[:, :2])
    mirrored = given_points(Change(flip=True).points(seen))
    assert mirrored == pytest.approx(given_points(seen)[FLIP] * [-1, 1], abs=1e-5)


def test_each_image_of_a_pair_has_its_own_points(packed: Path) -> None:
    data = PaperData(packed, split_ids(packed, "train"), AugmentConfig(), 3)
    one, again = data.batch(5, 3, 1.0), data.batch(5, 3, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert one.source.shape == (3, 3, 256, 256)
    moved = (one.source_points - one.driving_points).norm(dim=2)
    assert float(moved.mean()) > 1.0


def test_a_distortion_moves_points_like_the_image() -> None:
    distortion = Distortion.drawn(2, 0.05, 0.005, 5, 7, torch.zeros(()))
    points = torch.tensor([[[90.0, 70.0], [150.0, 180.0]]]).repeat(2, 1, 1)
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    spots = [(-((x - px) ** 2 + (y - py) ** 2) / 18).exp() for px, py in points[0].tolist()]
    image = torch.stack(spots)[None].repeat(2, 1, 1, 1)
    shown = distortion.image(image)
    mass = shown / shown.sum(dim=(2, 3), keepdim=True)
    there = torch.stack(((mass * x).sum(dim=(2, 3)), (mass * y).sum(dim=(2, 3))), dim=2)
    moved = distorted_pixels(distortion, points, 256)
    assert float((moved - points).norm(dim=2).min()) > 1.0
    assert moved.numpy() == pytest.approx(there.numpy(), abs=0.15)


def test_equivariant_key_points_cost_nothing() -> None:
    distortion = Distortion.drawn(1, 0.05, 0.005, 5, 3, torch.zeros(()))
    places = torch.rand(1, 6, 2) - 0.5
    frames = torch.eye(2) + 0.2 * torch.randn(1, 6, 2, 2)
    seen = KeyPoints(places, frames, places)
    there = distortion.at(places)
    assert distortion.inverse(there).numpy() == pytest.approx(places.numpy(), abs=1e-5)
    slope = torch.autograd.functional.jacobian(lambda p: distortion.at(p).sum(dim=(0, 1)), places)
    assert distortion.slope(places)[0].numpy() == pytest.approx(slope[:, 0].transpose(0, 1).numpy(), abs=1e-5)
    keys = KeyPoints(there, distortion.slope(places) @ frames, there)
    assert all(float(value) < 1e-5 for value in equivariance(keys, seen, distortion).values())
    wrong = equivariance(keys._replace(jacobians=frames), seen, distortion)
    assert float(wrong["equivariance_jacobian"]) > 0.01


def test_shipped_configuration_is_the_published_one() -> None:
    from mien import train

    config = load_config(Path(train.__file__).parent / "configs" / "paper.toml")
    assert config.preset == "paper"
    assert config.optim.betas == (0.5, 0.999)
    assert (config.paper_loss.perceptual, config.paper_loss.equivariance_jacobian) == (10.0, 10.0)
    assert [stage.rate for stage in config.stages] == [2e-4, 2e-5, 2e-6]


def test_wrong_names_are_reported(config: FitConfig) -> None:
    stage = replace(config.stages[0], train=("encoder",))
    fit = Fit(replace(config, stages=(stage,)), QUIET)
    with pytest.raises(MienError, match="encoder is unknown; known: kp_detector, generator"):
        losses_of(fit, 1)
    with pytest.raises(MienError, match="papper is not a preset"):
        Fit(replace(config, preset="papper"), QUIET)
    scales = replace(config.paper_loss, scales=(1.0, 0.125))
    with pytest.raises(MienError, match="at least 32 pixels"):
        Fit(replace(config, paper_loss=scales), QUIET)
