"""The facial prior against a plain float64 reference, and what a landmark warp must do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from train.model import LiveConfig
from train.model.grid import warp
from train.model.prior import FacialPrior
from train.model.regions import APERTURES, REGIONS, RIGID, rigid_weights

Array = NDArray[np.float64]
CONFIG = LiveConfig()
PIXELS = 127.5  # of the 256-pixel crop in one normalised unit


def face(seed: int = 0) -> Array:
    """``(478, 2)``: points spread over a face-sized ellipse, denser where the eyes and the mouth are."""
    rng = np.random.default_rng(seed)
    radius, angle = np.sqrt(rng.random(478)), rng.random(478) * 2 * np.pi
    points = np.stack((0.5 * radius * np.cos(angle), 0.62 * radius * np.sin(angle)), axis=1)
    centres = ((-0.22, -0.15), (0.22, -0.15), (0.0, -0.3), (0.0, 0.3))
    mouth = (np.abs(points[:, 0]) < 0.14) & (np.abs(points[:, 1] - 0.3) < 0.06)
    points[mouth, 1] += 0.12  # no point lies within the lips
    for region, (x, y) in zip(REGIONS, centres, strict=True):
        turn = np.linspace(0, 2 * np.pi, len(region), endpoint=False)
        points[list(region)] = np.stack((x + 0.12 * np.cos(turn), y + 0.05 * np.sin(turn)), axis=1)
    return points


def similarity(source: Array, driving: Array, at: Array) -> Array:
    """Displacement driving -> source at the positions ``at`` ``(M, 2)``, by a complex least-squares line."""
    w = rigid_weights(478).double().numpy()
    d, s, z = (p[:, 0] + 1j * p[:, 1] for p in (driving, source, at))
    cd, cs = (w * d).sum(), (w * s).sum()
    factor = (w * (s - cs) * np.conj(d - cd)).sum() / (w * abs(d - cd) ** 2).sum()
    moved = cs + factor * (z - cd) - z
    return np.stack((moved.real, moved.imag), axis=1)


def reference(source: Array, driving: Array, dense: Array | None = None) -> Array:
    """``(2, 64, 64)`` backward flow, straight from the definition."""
    axis = np.linspace(-1, 1, 64)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    left = source - driving - similarity(source, driving, driving)
    flow = similarity(source, driving, grid)
    levels = zip(CONFIG.kernel_widths, CONFIG.kernel_eps, CONFIG.kernel_passes, strict=True)
    for width, eps, passes in levels:

        def smooth(at: Array, values: Array, width: float = width, eps: float = eps) -> Array:
            squared = ((at[:, None] - driving[None]) ** 2).sum(axis=2)
            weights = np.exp(-squared / (2 * width**2))
            return np.asarray(weights @ values / (weights.sum(axis=1, keepdims=True) + eps))

        fitted = np.zeros_like(left)
        for _ in range(passes):
            fitted = fitted + (left - smooth(driving, fitted))
        flow = flow + smooth(grid, fitted)
        left = left - smooth(driving, fitted)
    field = flow.T.reshape(2, 64, 64)
    return field if dense is None else field + dense[2] * (dense[:2] - field)


def tensor(points: Array) -> torch.Tensor:
    return torch.from_numpy(points)[None].float()


def prior_flow(source: Array, driving: Array, dense: Array | None = None) -> Array:
    prior = FacialPrior(CONFIG)
    out = prior(tensor(source), tensor(driving), None if dense is None else tensor(dense))
    return np.asarray(out.flow[0].double().numpy())


def at_points(flow: Array, points: Array) -> Array:
    positions = tensor(points).transpose(1, 2)[:, :, None]
    return np.asarray(warp(tensor(flow), positions)[0, :, 0].T.double().numpy())


def expression(points: Array, size: float = 0.02) -> Array:
    return size * np.sin(5.0 * points[:, ::-1] + np.array((0.3, 1.0)))


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_reference(seed: int) -> None:
    source = face(seed)
    driving = source @ np.array([[1.04, 0.08], [-0.08, 1.04]]) + (0.05, -0.03) + expression(source)
    dense = np.random.default_rng(seed).uniform(size=(3, 64, 64))
    expected = reference(source, driving, dense)
    np.testing.assert_allclose(prior_flow(source, driving, dense), expected, atol=3e-5)
    np.testing.assert_allclose(prior_flow(source, driving), reference(source, driving), atol=1e-5)


def test_nothing_moves_nothing() -> None:
    assert np.abs(prior_flow(face(), face())).max() == 0.0


@pytest.mark.parametrize(
    ("scale", "turn", "shift"), [(1, 0, (0.1, -0.05)), (1, 0.3, (0, 0)), (1.2, -0.2, (0.1, 0))]
)
def test_similarity_is_exact_everywhere(scale: float, turn: float, shift: tuple[float, float]) -> None:
    source = face()
    matrix = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    driving = source @ matrix + shift
    axis = np.linspace(-1, 1, 64)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    expected = (grid - shift) @ np.linalg.inv(matrix) - grid
    np.testing.assert_allclose(prior_flow(source, driving).transpose(1, 2, 0), expected, atol=1e-5)


def test_smooth_displacement_is_reproduced_at_the_points() -> None:
    driving = face()
    for size in (0.002, 0.02, 0.08):  # a quarter of a pixel, 2.5 and 10
        source = driving + expression(driving, size)
        error = at_points(prior_flow(source, driving), driving) - (source - driving)
        assert np.linalg.norm(error) < 0.02 * np.linalg.norm(source - driving)


def test_opened_mouth_is_reproduced_at_the_lips() -> None:
    source = face()
    lips = list(REGIONS[3])
    driving = source.copy()
    low = source[:, 1] > 0.3 + 1e-6
    driving[low, 1] += 0.12 * np.exp(-((source[low, 0] / 0.07) ** 2))  # 15 px in the middle, 1 at the corners
    error = at_points(prior_flow(source, driving), driving) - (source - driving)
    assert np.linalg.norm(error[lips]) < 0.1 * np.linalg.norm((source - driving)[lips])
    assert np.abs(error[list(RIGID)]).max() * PIXELS < 0.5


def test_expression_fades_to_the_heads_motion() -> None:
    source = face()
    driving = source + np.array((0.03, 0.01))
    driving[list(REGIONS[3]), 1] += 0.05
    flow = prior_flow(source, driving)
    head = similarity(source, driving, np.array([[-1.0, -1.0], [1.0, 1.0]]))
    np.testing.assert_allclose(flow[:, 0, 0], head[0], atol=2e-4)
    np.testing.assert_allclose(flow[:, -1, -1], head[1], atol=2e-4)


def test_a_dense_flow_takes_the_landmarks_place_by_its_weight() -> None:
    source = face()
    driving = source + expression(source)
    dense = np.full((3, 64, 64), 0.03)
    dense[2, :, :32], dense[2, :, 32:] = 1.0, 0.25
    flow, landmarks = prior_flow(source, driving, dense), prior_flow(source, driving)
    np.testing.assert_allclose(flow[:, :, :32], 0.03, atol=1e-6)
    np.testing.assert_allclose(flow[:, :, 32:], 0.75 * landmarks[:, :, 32:] + 0.0075, atol=1e-6)


@pytest.mark.parametrize("case", ["coincident", "far", "outside", "coincident moved"])
def test_degenerate_points_stay_finite(case: str) -> None:
    zero, points = np.zeros((478, 2)), face()
    source, driving = {
        "coincident": (zero, zero),
        "coincident moved": (zero, zero + 0.2),
        "far": (points, points * 100 + 50),
        "outside": (points + 3, points + 2.9),
    }[case]
    assert np.isfinite(prior_flow(source, driving)).all()


def test_prior_is_full_precision_under_autocast() -> None:
    source = face()
    driving = source + expression(source)
    prior = FacialPrior(CONFIG)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        flow = prior(tensor(source), tensor(driving)).flow
    assert flow.dtype == torch.float32
    assert np.abs(flow[0].numpy() - prior_flow(source, driving)).max() == 0.0


def test_region_maps_are_where_the_regions_are() -> None:
    maps = FacialPrior(CONFIG)(tensor(face()), tensor(face())).driving_maps[0]
    assert float(maps.min()) >= 0.0
    assert float(maps.max()) <= 1.0
    for region, found in zip(REGIONS, maps, strict=False):
        centre = face()[list(region)].mean(axis=0)
        row, column = np.unravel_index(int(found.argmax()), (64, 64))
        peak = np.array((column, row)) / 31.5 - 1
        assert np.linalg.norm(peak - centre) < 0.15


def opened(heights: tuple[float, float, float], roll: float = 0.0) -> torch.Tensor:
    """A face whose mouth and eyes are lenses (two parabolas) of these heights, turned by ``roll``."""
    points = face()
    places = ((0.0, 0.3, 0.2), (-0.22, -0.15, 0.12), (0.22, -0.15, 0.12))
    for borders, (x, y, half), height in zip(APERTURES, places, heights, strict=True):
        for sign, border in zip((-1, 1), borders, strict=True):
            u = np.linspace(-1, 1, len(border))
            points[list(border)] = np.stack((x + half * u, y + sign * 0.5 * height * (1 - u * u)), axis=1)
    turn = np.array(((np.cos(roll), np.sin(roll)), (-np.sin(roll), np.cos(roll))))
    return tensor(points @ turn)


@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_apertures_cover_what_is_open(roll: float) -> None:
    heights, halves = (0.16, 0.08, 0.02), (0.2, 0.12, 0.12)
    points = opened(heights, roll)
    shown = FacialPrior(CONFIG)(points, points).driving_apertures[0]
    node = (2 / 63) ** 2
    for k, (height, half) in enumerate(zip(heights, halves, strict=True)):
        area = 4 / 3 * half * height  # of a lens of two parabolas, a twentieth less as polylines
        assert float(shown[k].sum()) * node == pytest.approx(area, rel=0.12), "also of gaps below a node"
    assert float(shown.max()) <= 1.0 and float(shown.min()) >= 0.0


def test_closed_apertures_cover_nothing() -> None:
    points = opened((0.0, 0.0, 0.0))
    assert float(FacialPrior(CONFIG)(points, points).driving_apertures.max()) == 0.0
