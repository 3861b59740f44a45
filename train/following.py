"""Training of how far hair, neck and shoulders follow a head (:mod:`mien.engine.mesh.following`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F

from mien.engine.landmarks import make_landmarker
from mien.engine.mesh.following import FREE, INSIDE, KNOWN, LAYERS, MOST, SHARES, SHOULDERS, USUAL
from mien.engine.mesh.sheet_grid import NODES
from mien.engine.types import SinkError, SourceError
from mien.engine.utils.files import replacing
from mien.train.data.dataset import split_ids
from mien.train.data.heads import HeadSample, head_samples

BELOW, TURN = KNOWN.index("below"), SHARES.index("turn")
WIDTH = 48
BATCH = 16
RATE, DECAY = 3e-3, 0.05
SMOOTH = 0.6
"""Weight of the differences between neighbouring nodes' shares."""

STEADY = 0.05
"""Weight of the shoulders' share of the head's turn: it tells little of them, and they are not to swing."""

LOW = (0.1, 0.8)
"""Face units below the chin from which on that counts, and wholly so."""

LEAST = 0.05
"""Added to a pair's own motion (face units), by which its error is divided: pairs at rest must not lead."""

ROUND = 0.01
"""Face units up to which the distance is squared."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Mean distances from where nodes went, face units: at rest, by the usual shares, and by learned ones."""

    still: float
    usual: float
    learned: float


class FollowingNet(nn.Module):
    """The network as trained; its start gives the usual shares."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (len(KNOWN), WIDTH, WIDTH, WIDTH, len(SHARES))
        self.layers = nn.ModuleDict(
            {name: nn.Linear(a, b) for name, a, b in zip(LAYERS, sizes[:-1], sizes[1:], strict=True)}
        )
        for value in self.layers["leave"].parameters():
            nn.init.zeros_(value)

    def forward(self, known: Tensor) -> Tensor:
        """``(..., G, 8)`` -> ``(..., G, 3)``."""
        x = F.relu(self.layers["enter"](known))
        x = x + F.relu(self.layers["first"](x))
        x = x + F.relu(self.layers["second"](x))
        free = (-known[..., INSIDE] / FREE).clamp(0.0, 1.0)
        free = free * free * (3 - 2 * free)
        change = torch.tanh(self.layers["leave"](x))
        return (usual_of(known) + free[..., None] * change).clamp(0.0, MOST)

    def save(self, path: Path) -> None:
        """Write the file that the engine reads.

        Raises:
            SinkError: it cannot be written.
        """
        arrays = {}
        for name, layer in self.layers.items():
            assert isinstance(layer, nn.Linear)
            arrays[f"{name}.weight"] = layer.weight.detach().numpy().T
            arrays[f"{name}.bias"] = layer.bias.detach().numpy()
        try:
            with replacing(path) as part, part.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        except OSError as error:
            raise SinkError(f"{path}: cannot write: {error.strerror or error}.") from error


def usual_of(known: Tensor) -> Tensor:
    """The shares without a network, as :func:`mien.engine.mesh.following.usual_shares`."""
    usual = known[..., USUAL]
    return torch.stack([usual + (1 - usual) * SHOULDERS, usual, usual], dim=-1)


def train_following(data: Path, output: Path, most: int, steps: int, console: Console) -> Followed:
    """Learn from packed clips and write ``output``; returns how well it does on people not trained on.

    Args:
        most: pairs of each source.

    Raises:
        SourceError: no clip shows a person with a known outline.
    """
    with make_landmarker() as landmarker:
        train, unseen = (
            [
                samples
                for name in track(split_ids(data, part), f"{part} clips", console=console, transient=True)
                if (samples := head_samples(data / "clips" / name, landmarker, most))
            ]
            for part in ("train", "validation")
        )
    if not train or not unseen:
        raise SourceError(f"{data}: no clip shows a person before a background. Prepare more clips.")
    net = fit_following(train, steps)
    net.save(output)
    return measured(net, [sample for samples in unseen for sample in samples])


def fit_following(clips: Sequence[Sequence[HeadSample]], steps: int, seed: int = 0) -> FollowingNet:
    """Train on samples by clip; each clip counts the same."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    net = FollowingNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        drawn = [clips[int(k)] for k in rng.integers(len(clips), size=BATCH)]
        batch = _stacked([samples[int(rng.integers(len(samples)))] for samples in drawn])
        loss = _loss(net, *(_mirrored(*batch) if rng.random() < 0.5 else batch))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def measured(net: FollowingNet, samples: Sequence[HeadSample]) -> Followed:
    """How far nodes are from where they went, over all that count."""
    sums, count = torch.zeros(3), 0.0
    for one in samples:
        known, parts, moved, counts = _stacked([one])
        shares = (torch.zeros_like(usual_of(known)), usual_of(known), net(known))
        sums += torch.stack([(_distance(x, parts, moved) * counts).sum() for x in shares])
        count += float(counts.sum())
    return Followed(*(sums / max(count, 1.0)).tolist())


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def _loss(net: FollowingNet, known: Tensor, parts: Tensor, moved: Tensor, counts: Tensor) -> Tensor:
    shares = net(known)
    total = counts.sum(dim=1) + 1
    own = (torch.linalg.vector_norm(moved, dim=-1) * counts).sum(dim=1) / total
    errors = (_distance(shares, parts, moved) * counts).sum(dim=1) / total
    grid = shares.reshape(-1, NODES, NODES, len(SHARES))
    rough = grid.diff(dim=1).square().mean() + grid.diff(dim=2).square().mean()
    low = ((known[..., BELOW] - LOW[0]) / (LOW[1] - LOW[0])).clamp(0.0, 1.0)
    swung = (low * shares[..., TURN].square()).mean()
    loss: Tensor = (errors / (own + LEAST)).mean() + SMOOTH * rough + STEADY * swung
    return loss


def _distance(shares: Tensor, parts: Tensor, moved: Tensor) -> Tensor:
    """``(B, G)``, rounded at zero."""
    goal = (shares.transpose(1, 2)[..., None] * parts).sum(dim=1)
    distance: Tensor = ((goal - moved).square().sum(dim=-1) + ROUND**2).sqrt()
    return distance


def _stacked(samples: Sequence[HeadSample]) -> Batch:
    known, parts, moved, counts = (torch.from_numpy(np.stack(x)) for x in zip(*samples, strict=True))
    return known, parts, moved, counts.float()


def _mirrored(known: Tensor, parts: Tensor, moved: Tensor, counts: Tensor) -> Batch:
    """The mirror images: what lies across and goes across changes its sign, node by node."""
    side, signs = torch.ones(len(KNOWN)), torch.tensor([-1.0, 1.0])
    side[KNOWN.index("across")] = -1.0

    def flipped(values: Tensor) -> Tensor:
        """The grid's columns in the other order; nodes are the axis before the last."""
        shape = values.shape
        grid = values.reshape(*shape[:-2], NODES, NODES, shape[-1])
        return grid.flip(-2).reshape(shape)

    return (
        flipped(known * side),
        flipped(parts * signs),
        flipped(moved * signs),
        flipped(counts[..., None])[..., 0],
    )
