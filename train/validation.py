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
from mien.train.data.dataset import Batch, PackedData
from mien.train.data.packed_clip import PackedClip
from mien.train.losses.image import CROP, mouth_square, square_crop
from mien.train.losses.landmarks import LandmarkDistance
from mien.train.losses.motion import flow_error
from mien.train.losses.perceptual import Perceptual
from mien.train.model import LiveModel, LiveOutput
from mien.train.model.opened_mouth import with_mouth
from mien.train.sheet import contact_sheet, to_image

TITLES = ("source", "driving", "without the network", "ours", "painted")


@dataclass(frozen=True, slots=True)
class Validation:
    """Means over the validation pairs: without the network and with it.

    Attributes:
        scores: name -> (without the network, ours); lower is better.
        sheet: a contact sheet.
    """

    scores: dict[str, tuple[float, float]]
    sheet: Image

    @property
    def ratio(self) -> float:
        """Mean of ours / without over image errors, by which the best checkpoint is chosen."""
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


def validation_pairs(
    data: PackedData, count: int, focus: float = 1.0, seed: int = 11, opened: bool = False
) -> Iterator[Pairs]:
    """Iterate over up to three pairs of a source frame at a time, spread over the clips.

    Args:
        count: approximate number of pairs.
        focus: 0 draws pairs uniformly, 1 in proportion to their importance.
        opened: only pairs in which the engine opens a mouth.
    """
    rng = np.random.default_rng(seed)
    clips = data.clips
    if opened:
        clips = [found for clip in clips if (found := clip.only_opened()) is not None] or clips
    for k in range(-(-count // 3)):
        clip = clips[k % len(clips)]
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


def shown(batch: Batch, out: LiveOutput) -> Tensor:
    """What the engine shows with the network: ``(B, 3, 256, 256)`` in 0..1."""
    return with_mouth(batch.mesh, batch.front, out.warped, out.paint).clamp(0.0, 1.0)


@torch.no_grad()
def validate(
    model: LiveModel,
    perceptual: Perceptual,
    data: PackedData,
    count: int,
    rows: int,
    landmarks: LandmarkDistance | None = None,
) -> Validation:
    """Compare the engine with ``model`` (put into eval mode meanwhile) and without, where mouths open.

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
    for number, (_, _, batch) in enumerate(validation_pairs(data, count, opened=True)):
        batch = Batch(*(part.to(device) for part in batch))
        times = len(batch.driving)
        source, points = spread(batch)
        out = model(source, points, batch.driving_points, batch.dense)
        plain, ours = batch.mesh, shown(batch, out)
        scores = _scores(batch, plain, ours, out.prior_flow, out.flow, perceptual)
        if landmarks is not None:
            before, after = (landmarks(x, batch.driving, batch.driving_points) for x in (plain, ours))
            scores["landmarks"] = float(before), float(after)
        for name, (a, b) in scores.items():
            old = sums.get(name, (0.0, 0.0))
            sums[name] = (old[0] + a * times, old[1] + b * times)
        total += times
        if number < rows:
            last = times - 1
            row = (source, batch.driving, plain, ours, out.paint + 0.5)
            images.append([to_image(x[last]) for x in row])
    model.train(was)
    scores = {name: (a / total, b / total) for name, (a, b) in sums.items()}
    return Validation(scores, contact_sheet(images, TITLES))


def _scores(
    batch: Batch, plain: Tensor, ours: Tensor, prior_flow: Tensor, flow: Tensor, perceptual: Perceptual
) -> dict[str, tuple[float, float]]:
    scores: dict[str, tuple[float, float]] = {}
    target = batch.driving
    square = mouth_square(batch.driving_points)
    cover = batch.front[:, 3:]

    def both(name: str, measure: object) -> None:
        assert callable(measure)
        scores[name] = (float(measure(plain)), float(measure(ours)))

    both("l1", lambda image: (image - target).abs().mean())
    both("perceptual", lambda image: perceptual(image, target))
    wanted = square_crop(target, *square, CROP)
    both("mouth_l1", lambda image: (square_crop(image, *square, CROP) - wanted).abs().mean())
    sharp = square_crop(target, *square, 2 * CROP)
    both("mouth_perceptual", lambda image: perceptual(square_crop(image, *square, 2 * CROP), sharp))
    both("inside_l1", lambda image: ((image - target).abs() * cover).sum() / (3 * cover.sum() + 1))
    ones = torch.ones_like(batch.teacher[:, 2:])
    scores["pixels"] = (
        float(flow_error(prior_flow, batch.teacher, ones)),
        float(flow_error(flow, batch.teacher, ones)),
    )
    return scores
