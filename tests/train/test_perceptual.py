"""The perceptual loss with VGG-19 from a file: the published layers, and invalid files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("efficientnet_lite_pytorch")

from narrow_paper import NARROW_PAPER  # noqa: E402
from short_training import QUIET, losses_of, pack  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from mien.engine.landmarks import Landmarker  # noqa: E402
from mien.engine.types import Image, MienError  # noqa: E402
from mien.train.config import FitConfig, build  # noqa: E402
from mien.train.fit import Fit  # noqa: E402
from mien.train.losses.perceptual import LitePerceptual, VggPerceptual  # noqa: E402

LAYOUT = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0)
"""VGG-19's convolutions by their channels, and its pools (0)."""


def vgg19() -> nn.Sequential:
    """``features`` as in torchvision: every convolution followed by a ReLU."""
    layers: list[nn.Module] = []
    channels = 3
    torch.manual_seed(1)
    for outputs in LAYOUT:
        if not outputs:
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU()]
        nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")
        channels = outputs
    return nn.Sequential(*layers)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    return vgg19().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def weights(network: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(nn.ModuleDict({"features": network}).state_dict(), path)
    return path


def test_the_published_layers_are_compared(network: nn.Sequential, weights: Path) -> None:
    torch.manual_seed(2)
    image, target = torch.rand(2, 3, 48, 48), torch.rand(2, 3, 48, 48)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    a, b = ((x - mean[:, None, None]) / std[:, None, None] for x in (image, target))
    wanted = torch.zeros(2)
    for index, layer in enumerate(network):
        a, b = layer(a), layer(b)
        if index in (1, 6, 11, 20, 29):  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
            wanted += (a - b).abs().mean(dim=(1, 2, 3))
    found = VggPerceptual(weights)
    torch.testing.assert_close(found.each(image, target), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found(image, target), wanted.mean(), rtol=1e-4, atol=1e-5)
    assert float(found(image, image)) == 0
    assert not any(parameter.requires_grad for parameter in found.parameters())


def without_last(state: dict[str, Tensor]) -> object:
    return {key: value for key, value in state.items() if key != "features.34.bias"}


def sixteen(state: dict[str, Tensor]) -> object:
    return {**without_last(state), "features.17.weight": torch.zeros(512, 256, 3, 3)}  # type: ignore[dict-item]


def other_shape(state: dict[str, Tensor]) -> object:
    return {**state, "features.0.weight": torch.zeros(64, 1, 3, 3)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without_last, "not VGG-19: features.34.bias"),
        (sixteen, "not VGG-19: features.34.bias"),
        (other_shape, "not VGG-19: features.0.weight"),
        (lambda state: {**state, "classifier.0.weight": torch.zeros(2)}, "not VGG-19: classifier.0.weight"),
        (lambda state: {"state": state}, "not a network's weights"),
        (lambda state: [1, 2], "not a network's weights"),
    ],
)
def test_other_files_are_refused(
    change: Callable[[dict[str, Tensor]], object], says: str, network: nn.Sequential, tmp_path: Path
) -> None:
    state = {f"features.{key}": value.to(torch.half) for key, value in network.state_dict().items()}
    torch.save(change(state), tmp_path / "w.pth")
    with pytest.raises(MienError, match=says) as refusal:
        VggPerceptual(tmp_path / "w.pth")
    assert "vgg19-dcbb9e9d.pth" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_files_without_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.pth"
    part.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(MienError, match="damaged, or not a torch file"):
        VggPerceptual(part)
    with pytest.raises(MienError, match="cannot read: No such file"):
        VggPerceptual(tmp_path / "none.pth")


def test_a_run_uses_the_file_for_training_and_the_same_measures_for_evaluation(
    weights: Path, tmp_path: Path, close_up: Image, landmarker: Landmarker
) -> None:
    landmarks = landmarker.detect(close_up)[0].landmarks
    for name in ("a", "b"):
        pack(tmp_path / "packed" / "clips" / name, close_up, landmarks)
    (tmp_path / "packed" / "split.json").write_text('{"train": ["a"], "validation": ["b"]}', encoding="utf-8")
    values = {
        "preset": "paper",
        "data": {"path": str(tmp_path / "packed"), "sources": 1, "drivings": 1},
        "paper": {"image_size": 64, **NARROW_PAPER},
        "discriminator": {"width": 4, "most": 16},
        "paper_loss": {"scales": [1.0]},
        "run": {"output": str(tmp_path / "run"), "precision": "32-true", "accelerator": "cpu", "threads": 1},
        "stages": [{"steps": 1, "train": ["kp_detector", "generator"]}],
    }
    plain = build(FitConfig, values, "")
    through = replace(plain, run=replace(plain.run, perceptual=str(weights), output=str(tmp_path / "vgg")))
    fits = [Fit(config, QUIET) for config in (plain, through)]
    assert [type(fit.task.updates[0].objective.perceptual) for fit in fits] == [LitePerceptual, VggPerceptual]
    scores = [fit.task.validate(fit.averaged(), 1).scores["perceptual"] for fit in fits]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)
    losses = [losses_of(fit, 1)[0] for fit in fits]
    assert losses[0] != pytest.approx(losses[1], rel=0.01)
