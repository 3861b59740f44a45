"""Mouths and eyes open as far as seen; small movements are left to the alignment."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.face.layout import layout
from mien.engine.face.openings import NOISE, OPENINGS, add_detail, around, detail_shares, lip_share
from mien.engine.landmarks import topology as topo


def opened(size: float) -> np.ndarray:
    """Landmarks with the lower lip lowered by ``size`` face units."""
    seen = np.zeros((468, 2), np.float32)
    seen[list(topo.LIPS_LOWER_INNER[1:-1] + topo.LIPS_LOWER_OUTER[1:-1]), 1] = size
    return seen


def test_an_opened_mouth_is_transferred_fully() -> None:
    smooth, seen = np.zeros((468, 2), np.float32), opened(0.2)
    np.testing.assert_array_equal(add_detail(smooth, seen), seen)


def test_lips_that_part_by_little_more_than_noise_are_transferred_fully() -> None:
    smooth, seen = np.zeros((468, 2), np.float32), opened(0.05)
    before = np.ascontiguousarray(layout().points)
    lips = lip_share(before, before + seen, 1.0)
    assert lips == 1.0
    np.testing.assert_array_equal(add_detail(smooth, seen, lips=lips), seen)
    assert lip_share(before, before + opened(0.015), 1.0) == 0.0


def test_a_small_difference_is_left_to_the_alignment() -> None:
    smooth = np.random.default_rng(0).normal(0.0, 0.01, (468, 2)).astype(np.float32)
    seen = smooth + np.random.default_rng(1).normal(0.0, 0.5 * NOISE, (468, 2)).astype(np.float32)
    np.testing.assert_array_equal(add_detail(smooth, seen), smooth)
    assert detail_shares(smooth, smooth) == (0.0, 0.0, 0.0)


def test_the_rest_of_the_face_is_never_touched() -> None:
    smooth = np.zeros((468, 2), np.float32)
    others = sorted(set(range(468)) - {i for _, members in OPENINGS for i in members})
    found = add_detail(smooth, np.full((468, 2), 0.3, np.float32))
    assert np.abs(found[others]).max() == 0.0
    assert np.abs(found[list(topo.LIPS_INNER)]).min() == pytest.approx(0.3)


@pytest.mark.parametrize("size", [0.05, 0.08, 0.3])
def test_the_share_can_be_derived_from_the_result(size: float) -> None:
    smooth, seen = np.zeros((468, 2), np.float32), opened(size)
    apart = seen[list(OPENINGS[2][1])]
    rms = float(np.sqrt((apart**2).sum(axis=1).mean()))
    expected = float(np.clip((rms - NOISE) / NOISE, 0.0, 1.0))
    assert detail_shares(smooth, add_detail(smooth, seen))[2] == pytest.approx(expected, abs=0.02)


def test_the_dense_flow_is_replaced_around_outlines_only() -> None:
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([0.3 * np.cos(angles), 0.2 * np.sin(angles)], axis=1).astype(np.float32)
    mask = around(ring, 64)
    assert mask[32, 32] == pytest.approx(1.0)
    assert mask[0, 0] == 0.0
    assert mask[32, 60] == 0.0


def test_a_field_that_is_trusted_leads_the_lips_outer_edge_and_not_the_opening() -> None:
    smooth, seen = np.zeros((468, 2), np.float32), opened(0.028)
    found = add_detail(smooth, seen, lips=1.0, trust=np.ones(468, np.float32))
    np.testing.assert_array_equal(found[list(topo.LIPS_LOWER_OUTER[2:-2])], 0.0)
    np.testing.assert_array_equal(found[list(topo.LIPS_INNER)], seen[list(topo.LIPS_INNER)])


@pytest.mark.parametrize(("size", "trust"), [(0.11, 1.0), (0.028, 0.0)])
def test_a_field_that_is_far_off_or_not_trusted_does_not(size: float, trust: float) -> None:
    smooth, seen = np.zeros((468, 2), np.float32), opened(size)
    found = add_detail(smooth, seen, lips=1.0, trust=np.full(468, trust, np.float32))
    np.testing.assert_array_equal(found, seen)
