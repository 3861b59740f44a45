"""The light on a driver's skin over time: folds where it moves, and the light on the whole face."""

from __future__ import annotations

from mien.engine.motion.shading import Shading
from mien.engine.tracking.one_euro import OneEuro
from mien.engine.tracking.skin_light import Change, where_it_moves
from mien.engine.types import Floats

FOLDS = 2.0, 20.0, 2.0, 0.1, 5
"""The folds' One-Euro filter: cut-off at rest, Hz, and its increase with the speed; cut-off of the speed, Hz;
speed up to which a node rests, logarithms a second; box of nodes over which speed is averaged."""

SHADING = 2.0, 20.0, 2.0, 0.1
"""The same of the light on the whole face."""


class SteadyLight:
    """Light and shadow on one driver's skin, frame by frame.

    Args:
        live: smooth it over time.
    """

    def __init__(self, live: bool) -> None:
        self._live = live
        self._folds, self._shading = OneEuro(*FOLDS), OneEuro(*SHADING)

    def reset(self) -> None:
        """Forget what was seen: there is a new reference."""
        self._folds.reset()
        self._shading.reset()

    def __call__(
        self, change: Change, turn: tuple[float, float], displacement: Floats, time: float
    ) -> tuple[Floats | None, Shading]:
        """Folds, as :attr:`mien.engine.motion.Motion.light`, and the light on the whole face.

        Args:
            change: what differs from the reference.
            turn: of the head since then, radians.
            displacement: ``(GRID, GRID, 2)`` of the skin, face units.
            time: of the frame, seconds.
        """
        folds, shading = change.folds(turn), change.shading()
        if folds is not None:
            folds = where_it_moves(folds, displacement)
        if not self._live:
            return folds, shading
        shading = Shading.of(self._shading(shading.values, time))
        return None if folds is None else self._folds(folds, time), shading
