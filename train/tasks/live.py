"""Training of the ``live`` preset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from torch import nn

from mien.engine.types import UsageError
from mien.train.config import FitConfig, StageConfig
from mien.train.data.dataset import Batch, Extra, PackedData, split_ids, still_ids
from mien.train.losses.gan import CropCritic
from mien.train.losses.kept import KeptPaintings
from mien.train.losses.landmarks import LandmarkDistance
from mien.train.losses.objective import Objective
from mien.train.losses.painting import Painting
from mien.train.losses.perceptual import LitePerceptual, loss_network
from mien.train.model import LiveModel
from mien.train.model.layers import Conv
from mien.train.model.paper import Discriminator
from mien.train.model.weights import load_live, with_imagenet_branch
from mien.train.tasks.base import CardText, Task, Update, channels_last
from mien.train.validation import Validation, validate


class LiveTask(Task):
    """Flow against a teacher, then the painted image; see :mod:`mien.train.losses.objective`."""

    name = "live"
    card = CardText(
        method="""\
- method: motion part against teacher flow (DIS), then all parts with pyramid L1 and ImageNet
  features ({features}); the painter on what the engine shows of it, the inside of opened mouths
- how far hair, neck and shoulders follow the head (`head-following.npz`): a small network by itself, on
  optical flow of clips (`mien train follow`)""",
        limits="""\
- Teeth, tongue and closed lids are painted after other people's: they are plausible, not the portrait's own.
  Do not read identity, health or emotion from them.
- Turns of the head beyond about 30 degrees, hands in front of the face, and reflections on glasses are
  outside of the training data.
- Paint is computed at 256 pixels and enlarged; only moved pixels keep the portrait's
  resolution.""",
        stills=True,
    )

    def __init__(self, config: FitConfig) -> None:
        self._data = config.data
        root = Path(config.data.path)
        out, seed = config.data.leave_out, config.run.seed
        kinds: tuple[tuple[Literal["stills", "mouths"], float], ...]
        kinds = ("stills", config.data.stills), ("mouths", config.data.mouths)
        extra = [Extra(kind, share, still_ids(root, out, kind)) for kind, share in kinds if share > 0]
        self.data = PackedData(root, split_ids(root, "train", out), config.augment, seed, extra)
        self.unseen = PackedData(root, split_ids(root, "validation", out), None, seed)
        model = _begun(config)
        self.shape = model.config
        self.model = model
        self.judge = LitePerceptual()
        network = loss_network(config.run.perceptual, self.judge)
        critic = Discriminator(config.discriminator) if _adversarial(config) else None
        looked_for = any(stage.loss.landmarks for stage in config.stages)
        self._landmarks = LandmarkDistance() if looked_for else None
        self._objective = Objective(self.model, network, critic, self._landmarks)
        self._kept = KeptPaintings(self.data, self._objective, config.data.kept, seed)
        filters = {id(m.weight): m.weight for m in self.model.modules() if isinstance(m, Conv)}
        plain = [p for p in self.model.parameters() if id(p) not in filters]
        self.updates: tuple[Update, ...] = (Update(self._objective, plain, filters.values()),)
        self.helpers: dict[str, nn.Module] = {}
        self._critic = CropCritic(critic) if critic else None
        if critic and self._critic:
            self.updates += (Update(self._critic, critic.parameters()),)
            self.helpers["discriminator"] = critic

    def fresh(self) -> LiveModel:
        model = channels_last(LiveModel(self.shape))  # type: ignore[arg-type]
        assert isinstance(model, LiveModel)
        return model

    def enter(self, index: int, stage: StageConfig) -> None:
        super().enter(index, stage)
        self._objective.weights = stage.loss
        if self._critic:
            self._critic.weights = stage.loss

    def batch(self, index: int, stage: StageConfig, rank: int) -> Batch | Painting:
        sources, drivings = self._data.sources, self._data.drivings
        if self._data.kept and stage.train == ("painter",):
            return self._kept.batch(index, sources * drivings, stage, rank)
        opened = stage.loss.pyramid > 0 and not stage.loss.warped
        return self.data.batch(index, sources, drivings, stage.focus, rank, opened)

    def validate(self, model: nn.Module, pairs: int) -> Validation:
        assert isinstance(model, LiveModel)
        judge = self.judge.to(next(model.parameters()).device)
        return validate(model, judge, self.unseen, pairs, 14, self._landmarks)


def _begun(config: FitConfig) -> LiveModel:
    """The initial model; weights to start from keep their shape, but may get an ImageNet branch."""
    sight, start = config.model.sight, config.run.start
    model = load_live(Path(start)) if start else LiveModel(replace(config.model, sight=0))
    if sight and not model.config.sight:
        model = with_imagenet_branch(model, sight)
    began = channels_last(model.train())
    assert isinstance(began, LiveModel)
    return began


def _adversarial(config: FitConfig) -> bool:
    for index, stage in enumerate(config.stages):
        if stage.loss.adversarial and not stage.loss.crop:
            raise UsageError(
                f"configuration: stages.{index}.loss.adversarial: the discriminator works on crops; "
                "set crop, such as 24."
            )
    return any(stage.loss.adversarial for stage in config.stages)
