"""A portrait's own smile or open mouth and the driver's do not add up."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.avatar.lips.lip_limits import Measured, limit_lips
from mien.engine.avatar.lips.lip_shape import LOWER_EDGE, UPPER_EDGE, Lips
from mien.engine.face.layout import N_MESH, layout
from mien.engine.face.lips import at_rest, eyes_apart
from mien.engine.landmarks import topology as topo
from mien.engine.types import Floats
from tests.engine.test_lip_shape import driver, gaping, portrait

__all__ = ["portrait"]


def widened(by: float) -> Floats:
    """Displacements of lips that become wider by so many face units."""
    flat, found = layout().points, np.zeros((478, 2), np.float32)
    lips = list({*topo.LIPS_INNER, *topo.LIPS_OUTER})
    first, last = (flat[UPPER_EDGE[end], 0] for end in (0, -1))
    found[lips, 0] = by * (flat[lips, 0] - (first + last) / 2) / (last - first)
    return found


def measured(face: Floats, at_rest_in: Floats) -> Measured:
    rest, now = (Lips.of(one[UPPER_EDGE], one[LOWER_EDGE]) for one in (at_rest_in, face))
    return Measured.of(now, eyes_apart(face), at_rest(abs(rest.width), at_rest_in))


def limited(portrait: Floats, before: Floats, now: Floats) -> tuple[Measured, Measured, Measured]:
    """Mouths of the driver, and of the avatar without limits and with them."""
    reference, face = (layout().points + one[:N_MESH] for one in (before, now))
    plain: Floats = portrait + np.float32(0.3) * (now - before)
    held = plain.copy()
    limit_lips(held, portrait, portrait, driver(before, now - before), 1.0)
    return measured(face, reference), measured(plain, portrait), measured(held, portrait)


def test_a_laugh_on_a_laughing_portrait_is_as_wide_and_open_as_the_wider_of_both(portrait: Floats) -> None:
    laugh = widened(0.35) + gaping(0.5, 0.5)
    theirs, plain, held = limited(portrait + np.float32(0.3) * laugh, np.zeros_like(laugh), laugh)
    assert plain.width > 1.25 * theirs.width and held.width < 1.10 * theirs.width
    assert plain.gap > 1.6 * theirs.gap and held.gap < 1.25 * theirs.gap


def test_a_driver_who_shuts_a_parted_mouth_shuts_that_of_a_portrait_that_is_further_open(
    portrait: Floats,
) -> None:
    parted, shut = gaping(0.06, 0.5), gaping(-0.06, 0.5)
    open_ = portrait + np.float32(0.3) * gaping(0.18, 0.5)
    _, plain, held = limited(open_, parted, shut)
    assert plain.gap > 0.1 and held.gap == pytest.approx(0.0, abs=0.01)


def test_a_driver_whose_mouth_was_shut_leaves_an_open_portrait_open(portrait: Floats) -> None:
    shut = gaping(-0.06, 0.5)
    open_ = portrait + np.float32(0.3) * gaping(0.25, 0.5)
    _, plain, held = limited(open_, shut, shut)
    assert held == plain


@pytest.mark.parametrize("size", [0.0, 0.005, 0.01])
@pytest.mark.parametrize("own", [0.0, 0.3])
def test_small_motion_is_taken_over_as_it_is(portrait: Floats, size: float, own: float) -> None:
    expression = widened(own) + gaping(own, 0.5)
    moved = widened(size) + gaping(size, 0.5)
    face = portrait + np.float32(0.3) * expression
    _, plain, held = limited(face, np.zeros_like(moved), moved)
    assert held == plain


def test_an_opening_mouth_never_jumps_or_turns_back(portrait: Floats) -> None:
    open_ = portrait + np.float32(0.3) * gaping(0.3, 0.5)
    gaps = [limited(open_, gaping(0.06, 0.5), gaping(gap, 0.5))[2].gap for gap in np.arange(-0.06, 0.8, 0.01)]
    steps = np.diff(gaps)
    assert steps.min() > -1e-4 and steps.max() < 0.08


def test_a_mouth_of_another_shape_opens_as_far_as_it_did(portrait: Floats) -> None:
    """Beside a laugh that drops the jaw a mouth is narrower than at rest: its gap is no larger for that."""
    narrow_and_open = gaping(0.7, 0.5) + widened(-0.15)
    _, plain, held = limited(portrait, np.zeros_like(narrow_and_open), narrow_and_open)
    assert held == plain


def test_a_head_that_turns_moves_no_lips(portrait: Floats) -> None:
    """Seen aslant, a laugh is wider beside the distance of the eyes."""
    laugh = portrait + np.float32(0.3) * (widened(0.35) + gaping(0.3, 0.5))
    turned = laugh.copy()
    turned[[33, 263], 0] *= np.float32(0.85)
    held = turned.copy()
    shut = np.zeros((478, 2), np.float32)
    limit_lips(held, laugh, turned, driver(shut, shut), 1.0)
    np.testing.assert_array_equal(held, turned)


@pytest.mark.parametrize("left", [0.5, 0.8])
def test_a_face_that_began_as_the_driver_did_is_left_as_far_open_as_they_are(
    portrait: Floats, left: float
) -> None:
    before, now = gaping(0.3, 0.5), gaping(0.3 * left, 0.5)
    theirs, plain, held = limited(portrait + np.float32(0.3) * before, before, now)
    assert held.gap > 0.97 * min(theirs.gap, plain.gap)
