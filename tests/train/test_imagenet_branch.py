"""The encoder's ImageNet branch: the published network's features, frozen, without effect until trained."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")

from conftest import SIGHT  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from mien.train.losses.perceptual import LitePerceptual  # noqa: E402
from mien.train.model.imagenet_branch import Trunk  # noqa: E402
from mien.train.model.live import LiveModel  # noqa: E402
from mien.train.model.weights import load_live, with_imagenet_branch  # noqa: E402


@pytest.fixture(scope="module")
def seeing() -> LiveModel:
    torch.manual_seed(2)
    return with_imagenet_branch(LiveModel(), 16)


@pytest.mark.parametrize("size", [256, 96])
def test_the_trunk_computes_the_published_features(size: int) -> None:
    published = LitePerceptual()
    trunk = Trunk()
    trunk.take(published.net)
    image = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    wanted = published.features(image)[2:]  # after the stem and the first block
    for found, features in zip(trunk(image), wanted, strict=True):
        torch.testing.assert_close(F.normalize(found, dim=1, eps=1e-3), features, rtol=0, atol=1e-4)


def test_the_imagenet_branch_changes_nothing_until_it_is_trained() -> None:
    torch.manual_seed(3)
    blind = LiveModel()
    image = torch.rand(1, 3, 256, 256)
    assert torch.equal(with_imagenet_branch(blind, 16).encode(image), blind.encode(image))


def test_the_trunk_stays_as_published_while_the_rest_learns(seeing: LiveModel) -> None:
    seeing.train().requires_grad_(True)
    seeing.zero_grad()
    seeing.encode(torch.rand(1, 3, 256, 256)).square().mean().backward()
    sight = seeing.encoder.sight
    assert sight is not None
    assert all(value.grad is None for value in sight.trunk.parameters())
    assert float(sight.leave.weight.grad.abs().max()) > 0.0


def test_the_imagenet_branch_is_restored_from_exported_files(trained: tuple[LiveModel, Path]) -> None:
    exported, folder = trained
    found = load_live(folder)
    assert found.config.sight == SIGHT
    image = torch.rand(1, 3, 256, 256)
    torch.testing.assert_close(found.encode(image), exported.encode(image), rtol=1e-2, atol=1e-2)
