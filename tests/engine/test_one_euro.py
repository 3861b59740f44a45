"""The One-Euro filter: neighbours open it together, and what is slower than rest leaves it shut."""

import numpy as np

from mien.engine.tracking.one_euro import OneEuro
from mien.engine.tracking.tracker import NEAR, REST, SPEED, SPEED_CUTOFF, STILL
from mien.engine.types import Floats

FPS = 25


def filtered(signal: Floats, smooth: OneEuro) -> Floats:
    return np.stack([smooth(value, k / FPS) for k, value in enumerate(signal)])


def field_filter() -> OneEuro:
    return OneEuro(REST, SPEED, SPEED_CUTOFF, STILL, NEAR)


def onset(size: float) -> Floats:
    """A face that moves by ``size`` within a fifth of a second and stays there: ``(15, 12, 12, 2)``."""
    course = np.clip((np.arange(15) - 2) / 5, 0, 1).astype(np.float32) * np.float32(size)
    return np.broadcast_to(course[:, None, None, None], (15, 12, 12, 2)).copy()


def test_a_micro_expression_keeps_its_strength_at_its_onset() -> None:
    signal = onset(0.01)  # a pixel of a face of 145 px
    found = filtered(signal, field_filter())
    assert float((found * signal).sum() / np.square(signal).sum()) > 0.95
    lagging = filtered(signal, OneEuro(3.0, 60.0))
    assert np.abs(found - signal).max() < 0.75 * np.abs(lagging - signal).max()


def test_noise_at_rest_is_calmed() -> None:
    noise = np.random.default_rng(0).normal(0, 0.0004, (60, 12, 12, 2)).astype(np.float32)
    found = filtered(noise, field_filter())
    steps = [np.abs(np.diff(values[10:], axis=0)).mean() for values in (found, noise)]
    assert steps[0] < 0.35 * steps[1]


def test_one_noisy_node_does_not_open_the_filter_alone() -> None:
    signal = np.zeros((2, 12, 12, 2), np.float32)
    signal[1, 6, 6, 0] = 0.02
    alone = filtered(signal, OneEuro(REST, SPEED, SPEED_CUTOFF, STILL))[1, 6, 6, 0]
    among = filtered(signal, field_filter())[1, 6, 6, 0]
    assert among < 0.7 * alone


def test_below_the_floor_only_the_cutoff_counts() -> None:
    signal = np.array([[0.0], [0.0001], [0.0002]], np.float32)
    np.testing.assert_array_equal(
        filtered(signal, OneEuro(2.0, 400.0, floor=1.0)), filtered(signal, OneEuro(2.0, 0.0))
    )
