"""Judge of a driven clip: identity and, if the true frames are known, image and landmark measures.

Measures whose package is not installed are left out; :attr:`Judge.notes` names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.engine.landmarks import Landmarker
from mien.engine.types import Floats, Image, MienError
from mien.train.metrics.identity import FaceEmbedding, cosine

if TYPE_CHECKING:
    from mien.train.metrics.images import FaceSquare, PerceptualDistance

SAMPLES = 32
"""Number of frames of a clip that are measured, evenly spread; the first, the reference, is not."""


class Judge:
    """The measures available in this installation.

    Args:
        landmarker: finds the faces in portraits, results and true frames.

    Attributes:
        embed: the face embedding, or None.
        perceptual: the perceptual distance, or None.
        image_measures: whether the image measures are available.
        notes: a line for every measure left out.
    """

    def __init__(self, landmarker: Landmarker) -> None:
        self.landmarker = landmarker
        self.notes: list[str] = []
        self.embed: FaceEmbedding | None = None
        self.perceptual: PerceptualDistance | None = None
        self.image_measures = True
        try:
            self.embed = FaceEmbedding()
        except MienError as error:
            self.notes.append(f"identity is left out: {error}")
        try:
            from mien.train.metrics.images import PerceptualDistance

            self.perceptual = PerceptualDistance()
        except ModuleNotFoundError as error:
            self.image_measures = False
            self.notes.append(
                f"L1, PSNR, SSIM, AKD, perceptual are left out (no {error.name}): pip install 'mien[train]'."
            )
        except MienError as error:
            self.notes.append(f"perceptual is left out: {error}")

    def landmarks(self, image: Image) -> Floats | None:
        """``(478, 2)`` landmarks of a single image, pixels, or None without a face."""
        self.landmarker.reset()
        face = self.landmarker.track(image)
        return None if face is None else face.landmarks[:, :2]

    def embedding(self, image: Image, landmarks: Floats | None) -> Floats | None:
        """The face's embedding, or None without a face or a network."""
        return None if self.embed is None or landmarks is None else self.embed(image, landmarks)


class Truth:
    """The frames that the result should equal, at the measured indices.

    Args:
        judge: finds the faces.
        frames: ``(H, W, 3) uint8`` RGB each.
    """

    def __init__(self, judge: Judge, frames: Sequence[Image]) -> None:
        from mien.train.metrics.images import FaceSquare

        self.seen: dict[int, tuple[FaceSquare, Image, Floats]] = {}
        for index in looked_at(len(frames)):
            points = judge.landmarks(frames[index])
            if points is not None:
                square = FaceSquare(points, *frames[index].shape[:2])
                self.seen[index] = (square, square.image(frames[index]), points)


class Watch:
    """Measures a result as it is generated.

    Args:
        judge: the measures.
        portrait: ``(H, W, 3) uint8`` RGB, from which the avatar was made.
        count: number of frames of the result.
        truth: the frames it should equal, if known.

    Attributes:
        scores: measure -> value of each measured frame; ``lost`` is 1 where no face was found.
    """

    def __init__(self, judge: Judge, portrait: Image, count: int, truth: Truth | None = None) -> None:
        self.scores: dict[str, list[float]] = {}
        self._judge = judge
        self._person = judge.embedding(portrait, judge.landmarks(portrait))
        self._wanted = frozenset(looked_at(count))
        self._truth = truth

    def over(self, images: Iterable[Image]) -> Iterator[Image]:
        """Yield the images, unchanged, and measure them as they pass."""
        for index, image in enumerate(images):
            if index in self._wanted:
                self._look(index, image)
            yield image

    def means(self) -> dict[str, float]:
        """Mean of every measure over the frames in which it was available."""
        kept = {name: [v for v in values if np.isfinite(v)] for name, values in self.scores.items()}
        return {name: float(np.mean(values)) for name, values in kept.items() if values}

    def _look(self, index: int, image: Image) -> None:
        points = self._judge.landmarks(image)
        self._add("lost", float(points is None))
        embedding = self._judge.embedding(image, points)
        if embedding is not None and self._person is not None:
            self._add("identity", cosine(embedding, self._person))
        if self._truth is not None and index in self._truth.seen:
            self._compare(image, points, *self._truth.seen[index])

    def _compare(
        self, image: Image, points: Floats | None, square: FaceSquare, target: Image, wanted: Floats
    ) -> None:
        from mien.train.metrics.images import image_scores, landmark_distance

        whole, box = square.image(image), square.box(wanted)
        face, true_face = whole[box], target[box]
        for name, value in image_scores(face, true_face).items():
            self._add(name, value)
        self._add("l1_wide", image_scores(whole, target)["l1"])
        found = None if points is None else square.points(points)
        self._add("akd", landmark_distance(found, square.points(wanted)))
        if self._judge.perceptual is not None:
            self._add("perceptual", self._judge.perceptual(face, true_face))

    def _add(self, name: str, value: float) -> None:
        self.scores.setdefault(name, []).append(value)


def looked_at(count: int) -> list[int]:
    """Indices of the measured frames: at most :data:`SAMPLES`, evenly spread, without the first."""
    if count < 2:
        return []
    places = np.linspace(1, count - 1, min(SAMPLES, count - 1))
    return [round(float(place)) for place in places]
