"""Same-identity reconstruction: a frame of a clip is driven by another one and compared with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mien.engine.landmarks import Landmarker
from mien.engine.types import Floats, Image
from mien.train.data.choice import openness
from mien.train.data.dataset import Batch, PackedData
from mien.train.evaluation.candidates import Candidate
from mien.train.losses.image import CROP, part_squares, square_crop
from mien.train.losses.perceptual import LitePerceptual, Perceptual
from mien.train.metrics.identity import FaceEmbedding, cosine
from mien.train.metrics.image_quality import keypoint_distance, landmarks_of, psnr, sharpness, ssim
from mien.train.sheet import to_image
from mien.train.validation import Pairs, spread, validation_pairs

METHODS = ("still", "landmarks", "warp", "ours")
MEASURES = ("l1", "psnr", "ssim", "perceptual", "akd", "identity", "mouth", "eyes", "sharpness")
MOUTH_OPENS = 0.06
EYES_CLOSE = 0.03


@dataclass(frozen=True, slots=True)
class Case:
    """One pair, measured.

    Attributes:
        clip: its clip's id.
        tags: ``"mouth opens"``, ``"eyes close"`` if they do.
        scores: method -> measure -> value.
        images: source, driving, without the network, ours, and an intermediate result of the network (paint,
            or occlusion), ``(H, W, 3) uint8``.
    """

    clip: str
    tags: tuple[str, ...]
    scores: dict[str, dict[str, float]]
    images: tuple[Image, ...]


@torch.no_grad()
def reconstruct(
    candidate: Candidate,
    data: PackedData,
    count: int,
    focus: float,
    landmarker: Landmarker,
    done: Callable[[], None] = lambda: None,
    embed: FaceEmbedding | None = None,
) -> list[Case]:
    """Measure about ``count`` pairs.

    Args:
        focus: 0 draws pairs uniformly, 1 in proportion to importance (opening mouths, uncovered areas).
        done: called after every source.
        embed: the face embedding, or None: identity is NaN then.
    """
    judge = LitePerceptual()
    cases: list[Case] = []
    for pairs in validation_pairs(data, count, focus):
        cases.extend(_cases(pairs, candidate, judge, landmarker, embed))
        done()
    return cases


def _cases(
    pairs: Pairs,
    candidate: Candidate,
    judge: Perceptual,
    landmarker: Landmarker,
    embed: FaceEmbedding | None,
) -> list[Case]:
    name, batch = str(pairs.clip.meta["clip"]["id"]), pairs.batch
    (source, _), drawn = spread(batch), candidate.draw(pairs)
    made = {"still": source, "landmarks": drawn.landmarks, "warp": drawn.warp, "ours": drawn.ours}
    scores = {method: _measure(image, batch, judge) for method, image in made.items()}
    wanted = _faces(batch.driving, landmarker, embed)
    for method, image in made.items():
        found = _faces(image, landmarker, embed)
        both = list(zip(found, wanted, strict=True))
        scores[method]["akd"] = [keypoint_distance(a[0], b[0]) for a, b in both]
        scores[method]["identity"] = [_likeness(a[1], b[1]) for a, b in both]
    tags = _tags(batch)
    shown = (source, batch.driving, drawn.warp, drawn.ours, drawn.inside)
    return [
        Case(
            name,
            tags[k],
            {method: {m: values[m][k] for m in MEASURES} for method, values in scores.items()},
            tuple(to_image(x[k]) for x in shown),
        )
        for k in range(len(batch.driving))
    ]


def _faces(
    images: Tensor, landmarker: Landmarker, embed: FaceEmbedding | None
) -> list[tuple[Floats | None, Floats | None]]:
    """Landmarks of each ``(3, H, W)`` image and the first one's embedding, as far as available.

    An embedding takes as long as everything else together: one per source is enough for a mean.
    """
    found: list[tuple[Floats | None, Floats | None]] = []
    for k, shown in enumerate(to_image(image) for image in images):
        points = landmarks_of(shown, landmarker)
        likeness = None if k or points is None or embed is None else embed(shown, points)
        found.append((points, likeness))
    return found


def _likeness(one: Floats | None, other: Floats | None) -> float:
    return float("nan") if one is None or other is None else cosine(one, other)


def _measure(image: Tensor, batch: Batch, judge: Perceptual) -> dict[str, list[float]]:
    target = batch.driving
    mouth, eye = part_squares(batch.driving_points)

    def part(centre: Tensor, half: Tensor) -> Tensor:
        apart = square_crop(image, centre, half, CROP) - square_crop(target, centre, half, CROP)
        return apart.abs().mean(dim=(1, 2, 3))

    values = {
        "l1": (image - target).abs().mean(dim=(1, 2, 3)),
        "psnr": psnr(image, target),
        "ssim": ssim(image, target),
        "perceptual": judge.each(image, target),
        "mouth": part(*mouth),
        "eyes": part(*eye),
        "sharpness": sharpness(image) / sharpness(target).clamp(min=1e-6),
    }
    return {name: value.tolist() for name, value in values.items()}


def _tags(batch: Batch) -> list[tuple[str, ...]]:
    before, after = openness(batch.source_points.numpy()), openness(batch.driving_points.numpy())
    change = after - before
    return [
        (("mouth opens",) if d[0] > MOUTH_OPENS else ()) + (("eyes close",) if d[1] < -EYES_CLOSE else ())
        for d in change
    ]
