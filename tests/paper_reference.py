"""Weights and pictures by formula, so that our modules and the published ones can be given the same.

``tests/data/paper_reference.npz`` holds what the published code computed from them (torch 2.13, CPU, FP32,
evaluation mode).  How it was made: the classes ``KPDetector``, ``OcclusionAwareGenerator`` and
``MultiScaleDiscriminator`` of github.com/Necolizer/Facial-Prior-Based-FOMM (``prior``) and of
github.com/AliaksandrSiarohin/first-order-model (``fomm``, configuration ``vox-adv-256``) were built as their
configurations say, with ``torch.nn.BatchNorm2d`` for their synchronised batch norm (it calls the same
function on one device) and without ``.cuda()``; :func:`fill` gave every tensor of their state dicts its
values; they were called with :func:`pictures` and :func:`pixels` as their ``animate.py`` calls them; of the
large results every fourth node or pixel was kept (:data:`THIN`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

THIN = 4


def noise(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform noise in -1..1 that depends on the name alone: fractional parts of a steep sine."""
    count = int(np.prod(shape))
    seed = zlib.crc32(name.encode()) % 10_007
    steep = np.sin(np.arange(count, dtype=np.float64) * 12.9898 + seed) * 43758.5453
    return (2.0 * (steep - np.floor(steep)) - 1.0).reshape(shape)


def fill(state: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Values for a state dict, by its keys (with ``prefix`` before them); fixed blurs and counters stay."""
    return {key: _value(prefix + key, value) for key, value in state.items()}


def _value(key: str, like: Tensor) -> Tensor:
    if key.endswith(("down.weight", "num_batches_tracked")):
        return like
    values = noise(key, tuple(like.shape))
    if key.endswith("running_var") or (".norm" in key and key.endswith("weight")):
        values = 1.0 + 0.3 * values
    elif like.ndim == 4:
        values = values * np.sqrt(3.0 * 1.5 / np.prod(like.shape[1:]))
    else:
        values = 0.1 * values
    if key.endswith("generator.final.weight"):
        values = 0.3 * values
    if key.endswith("jacobian.weight"):
        values = 0.3 * values
    if key.endswith("jacobian.bias"):
        values = values + np.tile([1.0, 0.0, 0.0, 1.0], len(values) // 4)
    return torch.tensor(values, dtype=torch.float32)


def pictures() -> tuple[Tensor, Tensor]:
    """Source and driving picture ``(1, 3, 256, 256)``: smooth, different in the channels."""
    y, x = np.mgrid[0:256, 0:256] / 255.0
    found = []
    for shift in (0.0, 0.35):
        planes = [
            0.5
            + 0.25 * np.sin((7 + 2 * c) * x + shift)
            + 0.25 * np.cos((5 + 3 * c) * y * (1 + 0.2 * x) - shift)
            for c in range(3)
        ]
        found.append(torch.tensor(np.stack(planes)[None], dtype=torch.float32))
    return found[0], found[1]


def pixels() -> tuple[Tensor, Tensor]:
    """Given points of both pictures, ``(1, 18, 2)`` whole pixels as dlib gives them."""
    first = np.round(128 + 70 * noise("points", (1, 18, 2)))
    second = np.round(first + 4 * noise("moved", (1, 18, 2)))
    return torch.tensor(first, dtype=torch.float32), torch.tensor(second, dtype=torch.float32)
