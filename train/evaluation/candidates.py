"""Weights under test, of either preset, as used by ``evaluate``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mien.engine.avatar.model_io import IMAGE_SIZE
from mien.engine.paper.torch_paper import TorchPaper
from mien.engine.paper.tracker import crop_points
from mien.engine.presets import PresetRuntime
from mien.engine.types import ModelError
from mien.train.data.packed_clip import PackedClip
from mien.train.data.tracking import WHOLE
from mien.train.evaluation.painted_mouths import with_portrait_colours
from mien.train.evaluation.runtime import ModelRuntime, WarpRuntime
from mien.train.model import LiveModel
from mien.train.model.grid import warp
from mien.train.model.paper import KeyPoints, PaperModel
from mien.train.model.paper.weights import load_paper
from mien.train.model.weights import load_live, preset_name
from mien.train.validation import Pairs, shown, spread


class Drawn(NamedTuple):
    """The driving images of some pairs, as reconstructed by each method: ``(B, 3, 256, 256)`` in 0..1.

    Attributes:
        landmarks: by the landmark warp, which no mesh and no training changes.
        warp: by the engine without a network: the mesh.
        ours: by the weights under test.
        inside: an intermediate result of the network to look at: paint (``live``) or occlusion (``paper``).
    """

    landmarks: Tensor
    warp: Tensor
    ours: Tensor
    inside: Tensor


def landmark_warp(model: LiveModel, source: Tensor, flow: Tensor) -> Tensor:
    """The source warped by the facial prior's flow alone."""
    return warp(source, model.enlarge(model.prior.base + flow))


class Candidate(ABC):
    """Weights under test, together with the engine without a network.

    Attributes:
        preset: name of the weights' preset.
        inside: what :attr:`Drawn.inside` shows, for a heading.
    """

    preset: str
    inside: str

    @abstractmethod
    def draw(self, pairs: Pairs) -> Drawn:
        """Reconstruct the driving frames of pairs from their source frame."""

    @abstractmethod
    def runtimes(self) -> dict[str, PresetRuntime]:
        """``warp`` and ``ours`` for the engine."""


class LiveCandidate(Candidate):
    """Weights of the ``live`` preset.

    Args:
        model: in eval mode.
    """

    preset = "live"
    inside = "painted"

    def __init__(self, model: LiveModel) -> None:
        self._model = model

    def draw(self, pairs: Pairs) -> Drawn:
        batch, (source, points) = pairs.batch, spread(pairs.batch)
        out = self._model(source, points, batch.driving_points, batch.dense)
        plain = landmark_warp(self._model, source, out.prior_flow)
        mesh, ours = with_portrait_colours(pairs, batch.mesh, shown(batch, out))
        return Drawn(plain, mesh, ours, out.paint + 0.5)

    def runtimes(self) -> dict[str, PresetRuntime]:
        return {"warp": WarpRuntime(self._model), "ours": ModelRuntime(self._model)}


class PaperCandidate(Candidate):
    """Weights of the ``paper`` preset, with given points or with the detector's own.

    Two frames of one person need no relative motion: the source is moved to the driving frame's own key
    points (FOMM, section 4, reconstruction).  Another person's portrait is driven as in the engine.

    Args:
        model: in eval mode.
    """

    preset = "paper"
    inside = "occlusion"

    def __init__(self, model: PaperModel) -> None:
        self._model = model
        self._untrained = LiveModel().eval()

    def draw(self, pairs: Pairs) -> Drawn:
        batch, (source, points) = pairs.batch, spread(pairs.batch)
        prior = self._untrained.prior(points, batch.driving_points, batch.dense)
        places = pairs.clip.arrays["pairs"][pairs.rows]
        before = self._detect(batch.source, pairs.clip, places[:1, 0])
        after = self._detect(batch.driving, pairs.clip, places[:, 1])
        once = (self._model.encode(batch.source), *before)
        code, *keys = (x.expand(len(source), *x.shape[1:]) for x in once)
        out = self._model.animate(source, code, KeyPoints(*keys), after)
        seen = out.warp.occlusion
        seen = torch.ones_like(source[:, :1]) if seen is None else seen
        plain = landmark_warp(self._untrained, source, prior.flow)
        mesh, _ = with_portrait_colours(pairs, batch.mesh, batch.mesh)
        return Drawn(plain, mesh, out.prediction, seen.expand(-1, 3, -1, -1))

    def _detect(self, images: Tensor, clip: PackedClip, frames: np.ndarray) -> KeyPoints:
        if not self._model.config.given_points:
            return self._model.detect(images)
        seen = np.stack([crop_points(WHOLE, clip.arrays["landmarks"][k, :, :2]) for k in frames])
        return self._model.detect(images, torch.from_numpy(seen))

    def runtimes(self) -> dict[str, PresetRuntime]:
        return {"warp": WarpRuntime(self._untrained), "ours": TorchPaper(self._model)}


def load_candidate(path: Path) -> Candidate:
    """Load the weights in a ``.safetensors`` file of ``fit`` or ``import``; the file names its preset.

    Raises:
        MienError: unreadable, of no known preset, or for images of another size than the engine's.
    """
    return CANDIDATES[preset_name(path)](path)


def _live(path: Path) -> Candidate:
    return LiveCandidate(load_live(path))


def _paper(path: Path) -> Candidate:
    model = load_paper(path)
    if model.config.image_size != IMAGE_SIZE:
        raise ModelError(
            f"{path}: for images of {model.config.image_size} pixels; evaluate and the engine need "
            f"{IMAGE_SIZE}."
        )
    return PaperCandidate(model)


CANDIDATES: Mapping[str, Callable[[Path], Candidate]] = {"live": _live, "paper": _paper}
"""What loads the weights of each preset, by its name."""
