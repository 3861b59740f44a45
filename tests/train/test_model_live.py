"""The live preset: the landmark warp when untrained, additive when trained, and small."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mien.train.model import LiveConfig, LiveModel
from mien.train.model.grid import Enlarge, base_grid
from mien.train.model.layers import Conv, fold
from mien.train.model.regions import LIPS_INNER, REGIONS, aperture_borders


@pytest.fixture(scope="module")
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    source = torch.rand(1, 3, 256, 256, generator=generator)
    points = torch.rand(1, 478, 2, generator=generator) - 0.5
    return source, points, points * 1.02 + 0.03 * torch.sin(4 * points.flip(2))


@pytest.fixture(scope="module")
def model() -> LiveModel:
    torch.manual_seed(0)
    return LiveModel().eval()


def test_untrained_is_the_landmark_warp(model: LiveModel, inputs: tuple[torch.Tensor, ...]) -> None:
    with torch.no_grad():
        out = model(*inputs)
    assert torch.equal(out.flow, out.prior_flow)
    assert float(out.paint.abs().max()) == 0.0
    assert float(out.occlusion.min()) > 0.95
    assert out.image.shape == (1, 3, 256, 256)
    torch.testing.assert_close(out.image, out.warped)


def test_at_rest_the_portrait_is_untouched_whatever_was_learned(inputs: tuple[torch.Tensor, ...]) -> None:
    source, points, _ = inputs
    torch.manual_seed(1)
    model = LiveModel().eval()
    for layer in (model.correction.heads, model.painter.leave):
        torch.nn.init.normal_(layer.weight)
    with torch.no_grad():
        out = model(source, points, points)
    assert float(out.flow.abs().max()) == 0.0
    assert float(out.paint.abs().max()) == 0.0
    # An unmoved position is off its pixel's centre by a rounding error, so a pixel by up to 1e-5.
    torch.testing.assert_close(out.image, source, atol=5e-5, rtol=0)


def test_the_correction_has_a_longest_step(inputs: tuple[torch.Tensor, ...]) -> None:
    torch.manual_seed(0)
    model = LiveModel().eval()
    with torch.no_grad():
        model.correction.heads.weight.normal_(0, 10.0)
        out = model(*inputs)
    longest = float(torch.linalg.vector_norm(out.flow - out.prior_flow, dim=1).max())
    assert 0.5 * model.config.correction_limit < longest <= model.config.correction_limit


def test_paint_passes_where_mouth_and_eyes_open_or_shut(inputs: tuple[torch.Tensor, ...]) -> None:
    torch.manual_seed(0)
    model = LiveModel().eval()
    with torch.no_grad():
        model.painter.leave.bias.fill_(1.0)
        source, points, driving = inputs
        seen = model.observe(model.encode(source), points, driving, None)
        paint = model(*inputs).paint
    wide = model.enlarge(seen.unknown()) > 0.9
    floor = float(seen.life * (1 - (1 - model.config.paint_floor) * torch.sigmoid(torch.tensor(3.0))))
    middle = paint[..., 32:-32, 32:-32]
    assert float(middle.min()) == pytest.approx(floor, rel=0.1), "little where the warp shows everything"
    wide = wide[..., 32:-32, 32:-32].expand_as(middle)
    assert float(middle[wide].min()) > 3 * floor
    assert float(paint[..., 0, :].abs().max()) == 0.0, "nothing at the border, where images are pasted"


def test_a_mouth_that_is_open_in_the_portrait_too_keeps_its_own_teeth(model: LiveModel) -> None:
    points = torch.rand(1, 478, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    upper, lower = aperture_borders()[0]
    points[0, upper] = torch.stack((torch.linspace(-0.2, 0.2, len(upper)), torch.full(upper.shape, 0.3)), 1)
    points[0, lower] = points[0, upper] + torch.tensor((0.0, 0.1))
    points[0, lower[[0, -1]]] = points[0, upper[[0, -1]]]
    shut = points.clone()
    shut[0, lower] = points[0, upper]
    features = torch.zeros(1, 64, 64, 64)
    inside = (0, 0, 43, 32)  # a node between the open lips
    with torch.no_grad():
        moved = model.observe(features, points, points + 0.03, None)
        opening = model.observe(features, shut, points, None)
    assert float(moved.maps[:, len(REGIONS) :][inside]) > 0.9
    assert float(moved.apertures()[inside]) > 0.9
    assert float(moved.unknown()[inside]) < 0.1
    assert float(opening.unknown()[inside]) > 0.9


def test_moving_points_move_the_image(model: LiveModel) -> None:
    source = torch.zeros(1, 3, 256, 256)
    source[..., 120:136, 100:116] = 1.0
    points = torch.rand(1, 478, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.no_grad():
        image = model(source, points, points + torch.tensor((20.0, 0.0)) * 2 / 255).image
    torch.testing.assert_close(image[..., 20:], source[..., :-20], atol=1e-3, rtol=0)


def test_gradients_reach_every_weight_after_one_step(inputs: tuple[torch.Tensor, ...]) -> None:
    torch.manual_seed(2)
    model = LiveModel().train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    target = torch.rand(1, 3, 256, 256)
    for step in range(2):
        out = model(*inputs)
        loss = (out.image - target).abs().mean() + out.flow.square().mean() + out.occlusion.mean()
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for layer in (model.correction.heads, model.painter.leave):
                assert layer.weight.grad is not None
                assert float(layer.weight.grad.abs().max()) > 0.0
        optimizer.step()
    starved = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0.0]
    assert starved == []


@pytest.mark.slow
def test_bf16_autocast_leaves_the_untrained_flow_alone(
    model: LiveModel, inputs: tuple[torch.Tensor, ...]
) -> None:
    with torch.no_grad():
        expected = model(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = model(*inputs)
    assert torch.equal(out.flow, expected.flow)
    torch.testing.assert_close(out.image, expected.image, atol=1e-5, rtol=0)


def test_folding_changes_nothing(model: LiveModel, inputs: tuple[torch.Tensor, ...]) -> None:
    folded = fold(model)
    assert not any(isinstance(m, Conv) for m in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded.encode(inputs[0]), model.encode(inputs[0]), atol=1e-4, rtol=1e-4)


def test_activations_keep_their_scale(model: LiveModel, inputs: tuple[torch.Tensor, ...]) -> None:
    with torch.no_grad():
        features = model.encode(inputs[0])
    assert 0.2 < float(features[:, 3:].std()) < 5.0


def test_first_features_are_the_reduced_portrait(model: LiveModel) -> None:
    ramp = base_grid(256)[:, :1].expand(1, 3, 256, 256) * 0.5 + 0.5
    with torch.no_grad():
        features = model.encode(ramp)
    expected = base_grid(64)[:, :1] * 0.5 + 0.5
    torch.testing.assert_close(features[:, :1, :, 2:-2], expected[..., 2:-2], atol=1e-4, rtol=0)


def test_enlarge_is_bilinear_with_aligned_corners() -> None:
    field = torch.randn(1, 2, 64, 64)
    expected = torch.nn.functional.interpolate(field, size=(256, 256), mode="bilinear", align_corners=True)
    torch.testing.assert_close(Enlarge(64, 256)(field), expected, atol=3e-5, rtol=0)


def test_budget(model: LiveModel, inputs: tuple[torch.Tensor, ...]) -> None:
    """At most 6 GFLOP per frame and 7 M parameters (a multiply-add counts as two)."""
    source, points, driving = inputs
    with torch.no_grad():
        features = model.encode(source)
        with FlopCounterMode(display=False) as counter:
            model.render(source, features, points, driving, torch.zeros(1, 3, 64, 64))
    assert counter.get_total_flops() < 6e9
    assert sum(p.numel() for p in model.parameters()) < 7e6


def test_config_survives_json() -> None:
    config = LiveConfig(face_damping=0.5, kernel_passes=(1, 1, 1, 1))
    assert LiveConfig.from_json(config.to_json()) == config
    with pytest.raises(TypeError):
        LiveConfig.from_json('{"nonsense": 1}')


def test_batches_are_independent(model: LiveModel, inputs: tuple[torch.Tensor, ...]) -> None:
    source, points, driving = inputs
    moved = driving.clone()
    moved[:, list(LIPS_INNER)] += 0.05
    with torch.no_grad():
        both = model(
            torch.cat((source, source)), torch.cat((points, points)), torch.cat((driving, moved))
        ).image
        torch.testing.assert_close(both[:1], model(source, points, driving).image, atol=1e-4, rtol=0)
