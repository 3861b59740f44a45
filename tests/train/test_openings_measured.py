"""Shut eyes and wide mouths of results: as the landmark network reads them, and as they are drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mien.train.metrics.__main__ as command
from mien.engine.avatar import Avatar
from mien.engine.avatar.eyes.eyelids import EYES
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Motion, Shape
from mien.train.metrics.expression import Expression
from mien.train.metrics.openings import Drawn, Openings, compared, openings_table, telling_frames


def shutting(avatar: Avatar, right: float, left: float) -> Motion:
    """A driver with the avatar's face whose upper lids come down by these shares of their gaps."""
    geometry = avatar.geometry
    nodes = (geometry.nodes - geometry.centre) / np.float32(geometry.unit)
    shape = Shape(nodes, np.tile(np.eye(2, dtype=np.float32), (len(nodes), 1, 1)))
    points = Motion.neutral().points.copy()
    for (upper, lower, _, _), share in zip(EYES, (right, left), strict=True):
        edge, below = list(upper[1:-1]), list(lower[1:-1])
        points[edge] += np.float32(share) * (nodes[below] - nodes[edge])
    return replace(Motion.neutral(), points=points, shape=shape)


def expression(eyes: tuple[float, float], aperture: float = 0.0) -> Expression:
    return Expression(eyes, aperture, 100.0, np.zeros(51, np.float32))


def test_the_eyeball_that_is_still_seen_is_measured_on_the_map(avatar: Avatar) -> None:
    drawn = Drawn(avatar)
    at_rest = drawn.measured(carry_over(Motion.neutral(), avatar))
    assert at_rest[:2] == pytest.approx((1.0, 1.0), abs=0.02)
    wink = drawn.measured(carry_over(shutting(avatar, 1.0, 0.0), avatar))
    assert wink[0] < 0.1
    assert wink[1] == pytest.approx(1.0, abs=0.05)
    assert wink[2] == pytest.approx(at_rest[2], rel=0.05)


def test_frames_with_shut_eyes_wide_mouths_and_open_eyes_are_chosen() -> None:
    rest = expression((0.3, 0.3))
    seen = dict.fromkeys(range(40), rest)
    seen |= {k: expression((0.02, 0.3)) for k in range(10, 20)}
    seen |= {k: expression((0.2, 0.2), 80.0) for k in range(30, 40)}
    chosen = telling_frames(seen, rest, 3)
    assert [k for k in chosen if 10 <= k < 20] == [10, 14, 19]
    assert [k for k in chosen if k >= 30] == [30, 34, 39]
    assert len(chosen) == 9


def test_each_eye_and_each_wide_mouth_is_a_row(avatar: Avatar) -> None:
    own = Expression.of(avatar.face)
    rest = expression((0.3, 0.3))
    shut, opened, wide = compared(
        expression((0.03, 0.3), 80.0), rest, avatar.face, avatar.face, (0.1, 1.0, 40.0)
    )
    assert shut == [[pytest.approx(1.0), 0.1]]
    assert opened == [[pytest.approx(1.0), 1.0]]
    asked = own.width / 100.0 * 80.0
    assert wide == [[pytest.approx(own.aperture / asked), pytest.approx(40.0 / asked)]]
    lost = compared(expression((0.03, 0.2)), rest, None, avatar.face, (0.1, 0.6, 0.0))
    assert np.isnan(lost[0][0][0]) and lost[0][0][1] == 0.1
    assert lost[1:] == ([], [])


def test_the_table_counts_what_is_shut_and_what_is_wide_enough() -> None:
    def rows(*values: tuple[float, float]) -> np.ndarray:
        return np.array(values, np.float32).reshape(-1, 2)

    one = Openings("a", "p", rows((0.5, 0.1), (0.1, 0.1)), rows((0.9, 0.9)), rows((0.8, 0.95), (1.0, 1.2)))
    line = openings_table([one]).splitlines()[2]
    assert line == "| p | 2 | 0.50 | 1.00 | 0.30 | 0.10 | 1 | 0.00 | 0.00 | 2 | 0.50 | 0.50 | 0.90 | 1.08 |"
    nothing = openings_table([Openings("a", "p", rows(), rows(), rows())]).splitlines()[2]
    assert nothing.count("–") == 10


def test_the_command_prints_a_line_for_each_portrait(
    carphone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "openings.json"
    assert command.main([f"{carphone}:0-8", "--openings", "--frames", "3", "--json", str(output)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("| portrait | shut eyes |")
    assert printed[-1].startswith("| **all** |")
    (row,) = json.loads(output.read_text(encoding="utf-8"))
    assert len(row["open"]) >= 4
    assert all(0.5 < drawn < 1.5 for _, drawn in row["open"])
