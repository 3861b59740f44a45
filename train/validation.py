"""Quick evaluation during a run, on people not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mien.engine.types import Image
from mien.train.data.augment import Change
from mien.train.data.dataset import Batch, PackedClip, PackedData
from mien.train.losses.image import CROP, part_squares, square_crop
from mien.train.losses.landmarks import LandmarkDistance
from mien.train.losses.motion import flow_error
from mien.train.losses.perceptual import Perceptual
from mien.train.model import LiveModel
from mien.train.sheet import contact_sheet, to_image

TITLES = ("source", "driving", "untrained warp", "ours", "painted")


@dataclass(frozen=True, slots=True)
class Validation:
    """Means over the validation pairs: of the untrained warp and of ours.

    Attributes:
        scores: name -> (untrained warp, ours); lower is better.
        sheet: a contact sheet.
    """

    scores: dict[str, tuple[float, float]]
    sheet: Image

    @property
    def ratio(self) -> float:
        """Mean of ours / untrained over image errors, by which the best checkpoint is chosen."""
        names = [name for name in self.scores if name != "pixels"]
        return float(np.mean([self.scores[n][1] / max(self.scores[n][0], 1e-9) for n in names]))


class Pairs(NamedTuple):
    """Pairs of one source frame as packed, without augmentation.

    Attributes:
        clip: their clip.
        rows: their indices in ``clip.arrays["pairs"]``.
        batch: the pairs as a batch with a single source.
    """

    clip: PackedClip
    rows: np.ndarray
    batch: Batch


def validation_pairs(data: PackedData, count: int, focus: float = 1.0, seed: int = 11) -> Iterator[Pairs]:
    """Iterate over up to three pairs of a source frame at a time, spread over the clips.

    Args:
        count: approximate number of pairs.
        focus: 0 draws pairs uniformly, 1 in proportion to their importance.
    """
    rng = np.random.default_rng(seed)
    for k in range(-(-count // 3)):
        clip = data.clips[k % len(data.clips)]
        rows = clip.sources[rng.integers(len(clip.sources))]
        weights = clip.importance[rows].astype(np.float64) ** focus
        chosen = rng.choice(rows, min(3, len(rows)), replace=False, p=weights / weights.sum())
        arrays = data.assemble(clip, chosen, Change(), rng)
        yield Pairs(clip, chosen, Batch(*(torch.from_numpy(part) for part in arrays)))


def spread(batch: Batch) -> tuple[Tensor, Tensor]:
    """The source image and its landmarks, repeated for each driving frame."""
    times = len(batch.driving)
    source, points = (x.expand(times, *x.shape[1:]) for x in (batch.source, batch.source_points))
    return source, points


@torch.no_grad()
def validate(
    model: LiveModel,
    perceptual: Perceptual,
    data: PackedData,
    count: int,
    rows: int,
    landmarks: LandmarkDistance | None = None,
) -> Validation:
    """Compare ``model`` (put into eval mode meanwhile) with its own untrained warp.

    Args:
        count: approximate number of pairs.
        rows: of the contact sheet.
        landmarks: if given, the distance of landmarks is also measured.
    """
    was, total = model.training, 0
    sums: dict[str, tuple[float, float]] = {}
    images: list[list[Image]] = []
    model.eval()
    device = next(model.parameters()).device
    for number, (_, _, batch) in enumerate(validation_pairs(data, count)):
        batch = Batch(*(part.to(device) for part in batch))
        times = len(batch.driving)
        source, points = spread(batch)
        out = model(source, points, batch.driving_points, batch.dense)
        plain = prior_warp(model, source, out.prior_flow)
        scores = _scores(batch, plain, out.image, out.prior_flow, out.flow, perceptual)
        if landmarks is not None:
            before, after = (landmarks(x, batch.driving, batch.driving_points) for x in (plain, out.image))
            scores["landmarks"] = float(before), float(after)
        for name, (a, b) in scores.items():
            old = sums.get(name, (0.0, 0.0))
            sums[name] = (old[0] + a * times, old[1] + b * times)
        total += times
        if number < rows:
            last = times - 1
            shown = (source, batch.driving, plain, out.image, out.paint + 0.5)
            images.append([to_image(x[last]) for x in shown])
    model.train(was)
    scores = {name: (a / total, b / total) for name, (a, b) in sums.items()}
    return Validation(scores, contact_sheet(images, TITLES))


def prior_warp(model: LiveModel, source: Tensor, prior_flow: Tensor) -> Tensor:
    """The image that the untrained model would give."""
    from mien.train.model.grid import warp

    return warp(source, model.enlarge(model.prior.base + prior_flow))


def _scores(
    batch: Batch, plain: Tensor, ours: Tensor, prior_flow: Tensor, flow: Tensor, perceptual: Perceptual
) -> dict[str, tuple[float, float]]:
    scores: dict[str, tuple[float, float]] = {}
    target = batch.driving
    squares = part_squares(batch.driving_points)

    def both(name: str, measure: object) -> None:
        assert callable(measure)
        scores[name] = (float(measure(plain)), float(measure(ours)))

    both("l1", lambda image: (image - target).abs().mean())
    both("perceptual", lambda image: perceptual(image, target))
    for name, (centre, half) in zip(("mouth", "eye"), squares, strict=True):
        wanted = square_crop(target, centre, half, CROP)
        both(
            f"{name}_l1", lambda i, c=centre, h=half, w=wanted: (square_crop(i, c, h, CROP) - w).abs().mean()
        )
    ones = torch.ones_like(batch.teacher[:, 2:])
    scores["pixels"] = (
        float(flow_error(prior_flow, batch.teacher, ones)),
        float(flow_error(flow, batch.teacher, ones)),
    )
    return scores
