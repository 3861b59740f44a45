"""One robust local affine per facial region: the paper's motion representation, measured, not predicted.

The first order motion model (Siarohin et al., NeurIPS 2019, section 3.1) describes motion near a key
point by the key point's displacement and a 2x2 matrix.  Here both come from a weighted robust fit to
the dense field over the region, which averages the measurement's noise away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from mien.engine.face.layout import GRID, N_MESH, layout
from mien.engine.face.regions import region_maps
from mien.engine.types import Floats

ROUNDS = 2


@dataclass(frozen=True, slots=True)
class _Basis:
    """Constants of the fit over the ``P`` grid nodes on the face.

    ``nodes`` selects them; ``weights`` is ``(K, P)``, ``place`` ``(P, 2)``, ``centres`` ``(K, 2)``;
    ``moments`` ``(P, 6)`` are the products 1, x, y, xx, xy, yy of the positions.
    """

    nodes: NDArray[np.intp]
    weights: Floats
    place: Floats
    centres: Floats
    moments: Floats


@lru_cache(maxsize=1)
def _basis() -> _Basis:
    positions = layout().nodes[N_MESH:]
    apart = np.linalg.norm(positions[:, None] - layout().points[None], axis=2)
    # Every second row and column: the flow is smooth at that scale, and the fit is four times cheaper.
    row, column = np.divmod(np.arange(len(positions)), GRID)
    nodes = np.flatnonzero((apart.min(axis=1) < 0.13) & (row % 2 == 0) & (column % 2 == 0))
    # Selected columns are stored column by column, for which BLAS takes three times as long.
    weights = np.ascontiguousarray(region_maps().at_grid[:, nodes])
    place = positions[nodes]
    x, y = place[:, 0], place[:, 1]
    moments = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    centres = (weights @ place) / weights.sum(axis=1, keepdims=True)
    return _Basis(nodes, weights, place, centres, moments)


_Fit = tuple[Floats, Floats]
"""``(K, 2)`` displacements and ``(K, 2, 2)`` affines, as from :func:`fit_regions`."""


class RegionFits:
    """Displacement and local affine of every region, computed when they are first asked for.

    Recordings and measurements read them, but nothing that is drawn follows them: in live use a fit of every
    frame was a twentieth of the tracking.

    Args:
        fit: computes them.
    """

    __slots__ = ("_fit", "_found")

    def __init__(self, fit: Callable[[], _Fit]) -> None:
        self._fit = fit
        self._found: _Fit | None = None

    @staticmethod
    def given(regions: Floats, affines: Floats) -> RegionFits:
        """Known ones."""
        return RegionFits(partial(_known, regions, affines))

    @staticmethod
    def of(grid: Floats, trust: Floats, rounds: int = ROUNDS) -> RegionFits:
        """Those of a field; neither array may be changed afterwards.  Arguments as of :func:`fit_regions`."""
        return RegionFits(partial(fit_regions, grid, trust, rounds))

    @property
    def found(self) -> _Fit:
        """Both."""
        if self._found is None:
            self._found = self._fit()  # two threads that ask at once compute the same
        return self._found

    def scaled(self, per_region: Floats) -> RegionFits:
        """The same with each region's motion scaled; ``per_region`` is ``(K,)``."""
        return RegionFits(partial(_scaled, self, per_region))

    def mixed(self, other: RegionFits, share: float) -> RegionFits:
        """The same with ``share`` (0..1) of another's mixed in, computed now: mixtures are mixed again."""
        regions, affines = (
            ((1 - share) * mine + share * theirs).astype(np.float32)
            for mine, theirs in zip(self.found, other.found, strict=True)
        )
        return RegionFits.given(regions, affines)


def _known(regions: Floats, affines: Floats) -> _Fit:
    return regions, affines


def _scaled(fits: RegionFits, per_region: Floats) -> _Fit:
    regions, affines = fits.found
    identity = np.eye(2, dtype=np.float32)
    return regions * per_region[:, None], identity + (affines - identity) * per_region[:, None, None]


def fit_regions(grid: Floats, trust: Floats, rounds: int = ROUNDS) -> tuple[Floats, Floats]:
    """Fit displacement and local affine of every region.

    Args:
        grid: ``(GRID, GRID, 2)`` displacement field, face units.
        trust: ``(GRID, GRID)`` 0..1.
        rounds: number of times outliers are down-weighted.

    Returns:
        ``(K, 2) float32`` displacements at the regions' centres, and ``(K, 2, 2) float32`` affines
        (identity plus the displacement's gradient).
    """
    basis = _basis()
    values = grid.reshape(-1, 2)[basis.nodes]
    x, y = basis.place[:, :1], basis.place[:, 1:]
    products = np.concatenate([basis.moments, values, x * values, y * values], axis=1)
    weights = basis.weights * (0.05 + trust.reshape(-1)[basis.nodes])
    for _ in range(rounds):
        origin, slope = _solve(weights, products)
        error_x = values[:, 0] - (origin[:, :1] + slope[:, :, 0] @ basis.place.T)
        error_y = values[:, 1] - (origin[:, 1:] + slope[:, :, 1] @ basis.place.T)
        square = error_x * error_x + error_y * error_y
        scale = 2.25 * (weights * square).sum(axis=1) / weights.sum(axis=1) + 1e-10
        weights = weights / (1.0 + square / scale[:, None])
    origin, slope = _solve(weights, products)
    shift = origin + np.einsum("ki,kij->kj", basis.centres, slope)
    affines = np.eye(2, dtype=np.float32) + slope.transpose(0, 2, 1)
    return shift.astype(np.float32), affines.astype(np.float32)


def _solve(weights: Floats, products: Floats) -> tuple[Floats, Floats]:
    """Weighted least squares ``values ~ origin + place @ slope`` for every region at once.

    Args:
        weights: ``(K, P)``.
        products: ``(P, 12)`` the moments of the places, then the values, x times these, and y times these.

    Returns:
        ``(K, 2)`` and ``(K, 2, 2)``; ``slope[k, i, j]`` is the derivative of component j along i.
    """
    sums = (weights @ products).astype(np.float64)
    left, right = sums[:, :6], sums[:, 6:]
    total, mean_x, mean_y = left[:, 0], left[:, 1] / left[:, 0], left[:, 2] / left[:, 0]
    # A slight ridge, so that a region without any trusted nodes does not blow up.
    xx = left[:, 3] / total - mean_x * mean_x + 2e-5
    xy = left[:, 4] / total - mean_x * mean_y
    yy = left[:, 5] / total - mean_y * mean_y + 2e-5
    mean = right[:, :2] / total[:, None]
    with_x = right[:, 2:4] / total[:, None] - mean_x[:, None] * mean
    with_y = right[:, 4:] / total[:, None] - mean_y[:, None] * mean
    det = (xx * yy - xy * xy)[:, None]
    slope_x = (yy[:, None] * with_x - xy[:, None] * with_y) / det
    slope_y = (xx[:, None] * with_y - xy[:, None] * with_x) / det
    origin = mean - mean_x[:, None] * slope_x - mean_y[:, None] * slope_y
    return origin.astype(np.float32), np.stack([slope_x, slope_y], axis=1).astype(np.float32)
