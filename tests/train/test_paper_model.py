"""The paper preset equals the published network in keys, numbers and size; import of its checkpoints."""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import paper_reference as reference  # noqa: E402
from torch import nn  # noqa: E402

from mien.train.__main__ import main  # noqa: E402
from mien.train.model.paper import (  # noqa: E402
    FOMM,
    Discriminator,
    DiscriminatorConfig,
    KeyPoints,
    PaperConfig,
    PaperModel,
    relative,
)
from mien.train.model.paper.geometry import region_mask  # noqa: E402
from mien.train.model.paper.weights import import_checkpoint, load_paper  # noqa: E402

EXPECTED = Path(__file__).parents[1] / "data" / "paper_reference.npz"
NARROW = PaperConfig(
    align_corners=False,
    detector_width=4,
    detector_most=16,
    detector_blocks=3,
    motion_width=4,
    motion_most=16,
    motion_blocks=3,
    generator_width=8,
    generator_most=16,
    generator_blocks=1,
)


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(EXPECTED) as archive:
        return {name: archive[name] for name in archive.files}


def empty(config: PaperConfig) -> PaperModel:
    """A model created without the time taken by random weights."""
    with torch.device("meta"):
        return PaperModel(config)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "config"), [("prior", PaperConfig()), ("fomm", FOMM)])
def test_equal_weights_give_the_published_numbers(
    name: str, config: PaperConfig, expected: dict[str, np.ndarray]
) -> None:
    model = PaperModel(replace(config, align_corners=False)).eval()
    model.load_state_dict(reference.fill(model.state_dict()))
    source, driving = reference.pictures()
    given = reference.pixels() if config.given_points else (None, None)
    with torch.no_grad():
        before, after = model.detect(source, given[0]), model.detect(driving, given[1])
        out = model(source, before, after)
        points = 0 if config.given_points else config.points
        critic = Discriminator(DiscriminatorConfig(points=points)).eval()
        critic.load_state_dict(reference.fill(critic.state_dict(), "discriminator."))
        score = critic([driving], after.points)[0].score
    thin = reference.THIN
    assert out.warp.occlusion is not None
    found = {
        "source_points": before.points,
        "source_jacobians": before.jacobians,
        "driving_points": after.points,
        "driving_jacobians": after.jacobians,
        "deformation": out.warp.deformation[:, ::thin, ::thin],
        "occlusion": out.warp.occlusion[..., ::thin, ::thin],
        "shares": out.warp.mask[..., ::thin, ::thin],
        "prediction": out.prediction[..., ::thin, ::thin],
        "score": score,
    }
    for part, value in found.items():
        wanted = expected[f"{name}.{part}"]
        assert wanted.std() > 1e-3, part  # what is compared must vary
        assert np.abs(value.numpy() - wanted).max() < 1e-4, part


def test_the_region_mask_is_the_published_one(expected: dict[str, np.ndarray]) -> None:
    mask = region_mask(reference.pixels()[0], 256, 64, 0.75)
    assert mask[0].numpy() == pytest.approx(expected["prior.mask"], abs=1e-6)


def test_size_and_cost_are_the_published_ones() -> None:
    model = empty(PaperConfig())
    assert sum(weight.numel() for weight in model.parameters()) / 1e6 == pytest.approx(59.97, abs=0.01)
    costs: dict[str, float] = {}

    def count(name: str) -> object:
        def hook(layer: nn.Conv2d, _: object, out: torch.Tensor) -> None:
            costs[name] = costs.get(name, 0.0) + layer.weight[0].numel() * out.numel() / 1e9

        return hook

    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count(name))
    image = torch.empty(1, 3, 256, 256, device="meta")
    keys = model.detect(image, torch.empty(1, 18, 2, device="meta"))
    model(image, keys, keys)
    coded = sum(
        cost for name, cost in costs.items() if name.startswith(("generator.first", "generator.down"))
    )
    assert sum(costs.values()) == pytest.approx(55.7, abs=0.2)
    assert coded == pytest.approx(10.3, abs=0.05)


def test_relative_motion_of_the_reference_frame_is_none() -> None:
    points, frames = torch.rand(1, 5, 2), torch.eye(2) + 0.2 * torch.rand(1, 5, 2, 2)
    source = KeyPoints(torch.rand(1, 5, 2), torch.eye(2) + 0.1 * torch.rand(1, 5, 2, 2), points)
    first = KeyPoints(points, frames, points)
    same = relative(source, first, first)
    assert same.points.numpy() == pytest.approx(source.points.numpy(), abs=1e-6)
    assert same.jacobians.numpy() == pytest.approx(source.jacobians.numpy(), abs=1e-5)
    turned = relative(source, KeyPoints(points + 0.1, 2 * frames, points), first, scale=0.5)
    assert turned.points.numpy() == pytest.approx(source.points.numpy() + 0.05, abs=1e-6)
    assert turned.jacobians.numpy() == pytest.approx(2 * source.jacobians.numpy(), abs=1e-5)


def checkpoint(path: Path, config: PaperConfig, **others: object) -> Path:
    """A checkpoint as saved by the published code: state dicts by module, and other entries."""
    parts: dict[str, OrderedDict[str, torch.Tensor]] = {
        "kp_detector": OrderedDict(),
        "generator": OrderedDict(),
    }
    for key, value in PaperModel(config).state_dict().items():
        part, _, rest = key.partition(".")
        parts[part][rest] = value
    torch.save(
        {**parts, "discriminator": OrderedDict(), "optimizer_generator": {}, "epoch": 9, **others}, path
    )
    return path


@pytest.mark.parametrize(
    "config", [NARROW, replace(NARROW, points=10, given_points=False, single_jacobian=True, occlusion=False)]
)
def test_a_checkpoint_becomes_weights(
    config: PaperConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = checkpoint(tmp_path / "00000099-checkpoint.pth.tar", config)
    output = tmp_path / "paper.safetensors"
    assert main(["import", str(source), "--output", str(output)]) == 0
    assert (
        f"{config.points} {'given' if config.given_points else 'learned'} points" in capsys.readouterr().out
    )
    model = load_paper(output)
    assert model.config == config
    saved = torch.load(source, weights_only=True)
    for key, value in model.state_dict().items():
        part, _, rest = key.partition(".")
        assert torch.equal(value, saved[part][rest])
    assert main(["import", str(source), "--output", str(output), "--align-corners"]) == 0
    assert load_paper(output).config.align_corners


def test_the_published_layouts_are_recognised() -> None:
    from mien.train.model.paper.weights import read_off

    for config in (PaperConfig(align_corners=False), replace(FOMM, align_corners=False)):
        # The published limit of 512 channels is never reached, so the shapes do not reveal it.
        assert read_off(empty(config).state_dict()) == replace(config, generator_most=256)


class Rogue:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this must not run",)


def test_files_that_are_not_checkpoints_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = checkpoint(tmp_path / "good.pth.tar", NARROW)
    whole = good.read_bytes()
    (tmp_path / "short.pth.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "noise.pth.tar").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty.pth.tar").write_bytes(b"")
    torch.save([1, 2], tmp_path / "list.pth.tar")
    torch.save({"generator": Rogue()}, tmp_path / "rogue.pth.tar")
    torch.save({"state_dict": {}}, tmp_path / "other.pth.tar")
    checkpoint(tmp_path / "more.pth.tar", NARROW, extra={})
    changed = torch.load(io.BytesIO(whole), weights_only=True)
    del changed["generator"]["final.bias"]
    torch.save(changed, tmp_path / "less.pth.tar")
    changed["generator"]["final.bias"] = torch.zeros(7)
    torch.save(changed, tmp_path / "shape.pth.tar")
    says = {
        "short": "damaged or truncated",
        "noise": "damaged or truncated",
        "empty": "damaged or truncated",
        "list": "holds a list",
        "rogue": "damaged or truncated",
        "other": "it has no kp_detector, generator",
        "more": "it also has extra",
        "less": "another architecture (generator.final.bias is missing)",
        "shape": "generator.final.bias is (7,), not (3,)",
        "missing": "cannot read",
    }
    for name, message in says.items():
        output = tmp_path / "out.safetensors"
        assert main(["import", str(tmp_path / f"{name}.pth.tar"), "--output", str(output)]) == 2
        told = capsys.readouterr()
        assert message in told.err, (name, told.err)
        assert told.err.count("\n") == 1, (name, told.err)
        assert "must not run" not in told.out
        assert not output.exists()
    assert main(["import", str(good), "--output", str(tmp_path / "x.pt")]) == 2
    assert import_checkpoint(good).config == NARROW
