"""How far hair, neck and shoulders follow a head: a small network, trained on clips, asked once per portrait.

It looks at each node of the head's sheet by itself: where it lies on the head, and what the portrait shows
there.  In NumPy, as four products of small matrices are no work for a runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mien.engine.types import Floats, ModelError
from mien.engine.utils.assets import FOLLOWING
from mien.engine.utils.curves import smoothstep

KNOWN = ("across", "down", "below", "inside", "usual", "rim", "person", "depth")
"""What is known of a node; face units: its place on the upright head, how far it lies below the chin and
inside the face's outline, the share by which it follows without the network, 0 to 1 from the face to the
head's rim, whether it shows the person, and its depth."""

INSIDE, USUAL = KNOWN.index("inside"), KNOWN.index("usual")

SHARES = ("shift", "roll", "turn")
"""What is told of a node: how far it goes along with the body's shift, with what the head does on its neck in
the image (shift, roll and size), and with its turn."""

SHOULDERS = 0.6
"""Share of the body's shift that shoulders take, where nothing was learned."""

FREE = 0.25
"""Face units beyond the face's outline over which the network gets its say: on the face it has none."""

MOST = 1.6
"""Largest share."""

LAYERS = ("enter", "first", "second", "leave")


def usual_shares(usual: Floats) -> Floats:
    """The shares without a network, ``(G, 3)``: shoulders (``usual`` is 0) follow the head's shift alone."""
    shift = usual + (1 - usual) * np.float32(SHOULDERS)
    return np.stack([shift, usual, usual], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Following:
    """The network.

    Attributes:
        weights: of each of :data:`LAYERS`, ``(inputs, outputs) float32``.
        biases: ``(outputs,) float32``.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def shares(self, known: Floats) -> Floats:
        """``(G, 3)`` as :data:`SHARES`, of what is :data:`KNOWN`, ``(G, 8)``."""
        enter, first, second, leave = zip(self.weights, self.biases, strict=True)
        x = _layer(known, *enter)
        x = x + _layer(x, *first)
        x = x + _layer(x, *second)
        change = np.tanh(x @ leave[0] + leave[1])
        free = smoothstep(np.clip(-known[:, INSIDE] / np.float32(FREE), 0.0, 1.0))
        shares = usual_shares(known[:, USUAL]) + free[:, None] * change
        return np.asarray(np.clip(shares, 0.0, MOST), np.float32)


def _layer(x: Floats, weight: Floats, bias: Floats) -> Floats:
    return np.asarray(np.maximum(x @ weight + bias, 0), np.float32)


@lru_cache(maxsize=1)
def shipped_following() -> Following:
    """The network that ships.

    Raises:
        ModelError: its file is missing or damaged.
    """
    return read_following(FOLLOWING)


def read_following(path: Path) -> Following:
    """Read a network written by training.

    Raises:
        ModelError: the file is missing, damaged or of another kind.
    """
    try:
        with np.load(path) as file:
            weights, biases = (
                tuple(np.ascontiguousarray(file[f"{layer}.{part}"], np.float32) for layer in LAYERS)
                for part in ("weight", "bias")
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ModelError(f"{path}: cannot be read ({error}); reinstall mien.") from error
    return Following(weights, biases)
