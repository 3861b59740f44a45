"""Training of the ``live`` preset."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from train.config import FitConfig, StageConfig
from train.data.dataset import Batch, PackedData, split_ids, still_ids
from train.losses.objective import Objective
from train.losses.picture import Perceptual
from train.model import LiveModel
from train.tasks.base import Task, Update, channels_last
from train.validation import Validation, validate


class LiveTask(Task):
    """Flow against a teacher, then the painted picture; see :mod:`train.losses.objective`."""

    name = "live"

    def __init__(self, config: FitConfig) -> None:
        self._data = config.data
        root = Path(config.data.path)
        out, share, seed = config.data.leave_out, config.data.stills, config.run.seed
        stills = still_ids(root, out) if share > 0 else []
        self.data = PackedData(root, split_ids(root, "train", out), config.augment, seed, stills, share)
        self.unseen = PackedData(root, split_ids(root, "validation", out), None, seed)
        self.shape = config.model
        self.model = self.fresh()
        self.judge = Perceptual()
        assert isinstance(self.model, LiveModel)
        self._objective = Objective(self.model, self.judge)
        self.updates = (Update(self._objective, self.model.parameters()),)
        self.helpers = {}

    def fresh(self) -> LiveModel:
        model = channels_last(LiveModel(self.shape))  # type: ignore[arg-type]
        assert isinstance(model, LiveModel)
        return model

    def enter(self, index: int, stage: StageConfig) -> None:
        super().enter(index, stage)
        self._objective.weights = stage.loss

    def batch(self, index: int, stage: StageConfig, rank: int) -> Batch:
        return self.data.batch(index, self._data.sources, self._data.drivings, stage.focus, rank)

    def validate(self, model: nn.Module, pairs: int) -> Validation:
        assert isinstance(model, LiveModel)
        return validate(model, self.judge, self.unseen, pairs, rows=14)
