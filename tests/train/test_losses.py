"""The landmark loss measures faces like the tracker and moves an image's lids and lips into place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.engine.landmarks import Landmarker
from mien.engine.landmarks.bundle import load_bundle
from mien.engine.landmarks.networks import LandmarkNetwork
from mien.engine.types import Image, MienError
from mien.train.losses import landmarks as module
from mien.train.losses.landmarks import LandmarkDistance
from mien.train.losses.painting import cut_out, pasted
from mien.train.model.grid import base_grid, warp


@pytest.fixture(scope="module")
def distance() -> LandmarkDistance:
    return LandmarkDistance()


@pytest.fixture(scope="module")
def face(close_up: Image, landmarker: Landmarker) -> tuple[Tensor, Tensor]:
    """A face's image ``(1, 3, 256, 256)`` and its normalised landmarks ``(1, 478, 2)``."""
    landmarker.reset()
    found = landmarker.track(close_up)
    assert found is not None
    points = torch.from_numpy(found.landmarks[None, :, :2] / 127.5 - 1.0).float()
    return torch.from_numpy(close_up.copy()).permute(2, 0, 1)[None] / 255.0, points


def test_it_is_the_trackers_own_network(
    distance: LandmarkDistance, face: tuple[Tensor, Tensor], close_up: Image
) -> None:
    network = LandmarkNetwork(load_bundle().landmarks, threads=1)
    network.image[:] = close_up
    with torch.no_grad():
        found = distance.landmarks(face[0].repeat(2, 1, 1, 1))
    np.testing.assert_allclose(found[1].numpy(), network.run()[0][:, :2], atol=5e-3)


def test_a_shifted_face_is_as_far_as_it_was_shifted(
    distance: LandmarkDistance, face: tuple[Tensor, Tensor]
) -> None:
    image, points = face
    assert float(distance(image, image, points)) == 0.0
    shifted = warp(image, base_grid(256) + 3.0 / 127.5)
    with torch.no_grad():
        found = float(distance(shifted, image, points))
    assert found == pytest.approx(3.0 * 2**0.5, abs=0.6)


def test_descending_it_brings_landmarks_to_their_place(
    distance: LandmarkDistance, face: tuple[Tensor, Tensor]
) -> None:
    image, points = face
    shift = torch.full((1, 2, 1, 1), 2.0 / 127.5, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=2e-3)
    for _ in range(12):
        optimizer.zero_grad()
        distance(warp(image, base_grid(256) + shift), image, points).backward()
        optimizer.step()
    assert all(p.grad is None for p in distance.parameters())
    assert float(shift.detach().abs().max()) < 0.7 / 127.5, "from two pixels away to less than one"


def test_an_unsupported_operator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(module._OPERATORS, "PRelu")
    with pytest.raises(MienError, match="PRelu"):
        LandmarkDistance()


def test_painted_crops_lie_where_they_were_cut_out() -> None:
    whole = torch.rand(2, 3, 256, 256)
    corners = [(0, 8), (16, 40), (8, 8), (40, 40)]
    crops = cut_out(whole, corners, 24)
    assert torch.equal(pasted(whole, crops, corners), whole)
    crops.requires_grad_()
    result = pasted(torch.zeros_like(whole), crops, corners)
    assert torch.equal(result[1, :, 168:248, 168:248], whole[1, :, 168:248, 168:248])
    assert float(result.detach()[0, :, 168:248, 168:248].abs().max()) == 0.0, "another image's crop"
    result.sum().backward()
    assert crops.grad is not None and float(crops.grad[:, :, 8:-8, 8:-8].min()) == 1.0
