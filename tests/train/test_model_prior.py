"""The facial prior against a plain float64 reference, and properties of a landmark warp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mien.engine.landmarks import canonical_mesh
from mien.engine.landmarks.topology import FACE_OVAL
from mien.train.model import LiveConfig
from mien.train.model.grid import warp
from mien.train.model.prior import FADE, NEAR_FACE, TURNED, FacialPrior
from mien.train.model.regions import APERTURES, REGIONS, RIGID, landmark_spacing, rigid_weights

Array = NDArray[np.float64]
CONFIG = LiveConfig()
PIXELS = 127.5  # of the 256-pixel crop in one normalised unit


def face(seed: int = 0, yaw: float = 0.0) -> Array:
    """``(478, 2)``: MediaPipe's canonical face as it lies in a crop, of a slightly different person for each
    ``seed``, turned aside by ``yaw`` (radians), with lips 6 px apart."""
    mesh = canonical_mesh().astype(np.float64)
    eyes = 0.5 * (mesh[33] + mesh[263])
    mesh = (mesh - eyes) * (0.58 / (mesh[263, 0] - mesh[33, 0])) * (1, -1, 1)
    turned = np.stack((np.cos(yaw) * mesh[:, 0] + np.sin(yaw) * mesh[:, 2], mesh[:, 1] - 0.2), axis=1)
    turned[lower_lip(turned)] += (0.0, 6 / PIXELS)
    irises = np.repeat(turned[[33, 263]] * 0.5 + turned[[133, 362]] * 0.5, 5, axis=0)
    points = np.concatenate((turned, irises))
    return np.asarray(points + 0.003 * np.random.default_rng(seed).standard_normal(points.shape))


def lower_lip(points: Array) -> NDArray[np.intp]:
    """The mouth's landmarks below its inner corners."""
    mouth = np.array(REGIONS[3])
    return np.asarray(mouth[points[mouth, 1] > points[[78, 308], 1].mean()])


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
    apart = landmark_spacing(478).double().numpy()
    sparse = np.clip((apart - CONFIG.finest_spacing) / FADE + 0.5, 0, 1)
    reach = surroundings(left, driving, grid)
    for level, eps in enumerate(CONFIG.kernel_eps):
        widths = np.maximum(CONFIG.kernel_widths[level], CONFIG.kernel_spacing[level] * apart)
        passes = CONFIG.kernel_passes[level]
        if level == 3:
            left = left * (1 - sparse[:, None])

        def smooth(at: Array, values: Array, widths: Array = widths, eps: float = eps) -> Array:
            squared = ((at[:, None] - driving[None]) ** 2).sum(axis=2)
            weights = np.exp(-squared / (2 * widths**2))
            return np.asarray(weights @ values / (weights.sum(axis=1, keepdims=True) + eps))

        fitted = np.zeros_like(left)
        for _ in range(passes):
            fitted = fitted + (left - smooth(driving, fitted))
        flow = flow + smooth(grid, fitted) * (reach[:, None] if CONFIG.kernel_spacing[level] else 1.0)
        left = left - smooth(driving, fitted)
    field = flow.T.reshape(2, 64, 64)
    return field if dense is None else field + dense[2] * (dense[:2] - field)


def surroundings(left: Array, driving: Array, grid: Array) -> Array:
    """How far each grid node follows the level whose Gaussians reach beyond the face."""
    depth = np.zeros(478)
    depth[:468] = canonical_mesh()[:, 2] - canonical_mesh()[:, 2].mean()
    depth /= np.linalg.norm(depth)
    share = ((depth @ left) ** 2).sum() / ((left**2).sum() + 1e-6)
    turned = np.clip((share - TURNED[0]) / (TURNED[1] - TURNED[0]), 0, 1)
    squared = ((grid[:, None] - driving[None]) ** 2).sum(axis=2)
    face = np.exp(-squared / (2 * CONFIG.region_width**2)).sum(axis=1)
    near = np.minimum(face / (face + 1) / NEAR_FACE, 1)
    return np.asarray(near + (1 - near) * turned)


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
    lips, lower = list(REGIONS[3]), lower_lip(source)
    driving = source.copy()
    driving[lower, 1] += 0.12 * np.exp(-((source[lower, 0] / 0.1) ** 2))  # 15 px in the middle
    error = at_points(prior_flow(source, driving), driving) - (source - driving)
    # Nodes 4 px apart blur lips as close as that; the engine moves them in pieces (engine/face/lips.py).
    assert np.linalg.norm(error[lips]) < 0.3 * np.linalg.norm((source - driving)[lips])
    assert np.abs(error[list(RIGID)]).max() * PIXELS < 0.5


def holes(config: LiveConfig) -> float:
    """How far the flow is off a straight line half way between neighbours on the outline of a face that turns
    out of its hiding: the worst place, pixels."""
    source, driving = face(yaw=0.6), face()
    flow = np.asarray(FacialPrior(config)(tensor(source), tensor(driving)).flow[0].double().numpy())
    ring = driving[list(FACE_OVAL)]
    after = np.roll(ring, -1, axis=0)
    straight = 0.5 * (at_points(flow, ring) + at_points(flow, after))
    return float(np.linalg.norm(at_points(flow, 0.5 * (ring + after)) - straight, axis=1).max() * PIXELS)


def test_a_face_that_turns_out_of_its_hiding_has_no_holes() -> None:
    everywhere = replace(CONFIG, kernel_spacing=(0.0, 0.0, 0.0, 0.0), finest_spacing=1.0)
    assert holes(CONFIG) < 1.5
    assert holes(everywhere) > 2 * holes(CONFIG)


def test_hair_follows_a_turn_of_the_head_and_not_a_raised_brow() -> None:
    rest = face()
    brow, top = rest[[107, 336, 55, 285]].mean(axis=0), rest[10]
    above = np.stack([top - (0.0, up) for up in (0.15, 0.25, 0.35)])

    raised = rest.copy()
    raised[:, 1] -= 0.03 * np.exp(-((rest - brow) ** 2).sum(axis=1) / (2 * 0.1**2))
    flow = prior_flow(rest, raised)
    head = similarity(rest, raised, above)
    assert at_points(flow, brow[None])[0, 1] > 0.02
    assert np.abs(at_points(flow, above) - head).max() < 0.005

    for yaw in (0.1, 0.3, 0.5):
        turned = face(yaw=yaw)
        left = rest - turned - similarity(rest, turned, turned)
        assert float(FacialPrior(CONFIG)._turned(tensor(left))) == 1.0
    assert float(FacialPrior(CONFIG)._turned(tensor(rest - raised))) == 0.0


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
        row, column = np.unravel_index(int(found.argmax()), (64, 64))
        peak = np.array((column, row)) / 31.5 - 1
        assert np.linalg.norm(face()[list(region)] - peak, axis=1).min() < 0.06


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
