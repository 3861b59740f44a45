"""Training of the ``paper`` preset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mien.engine.types import Image, ModelError, UsageError
from mien.train.config import FitConfig, StageConfig
from mien.train.data.dataset import split_ids
from mien.train.data.paper import PaperBatch, PaperData
from mien.train.losses.adversarial import CriticObjective, PaperObjective
from mien.train.losses.perceptual import LitePerceptual, loss_network
from mien.train.model.paper import Discriminator, PaperModel
from mien.train.model.paper.weights import facts_of, load_paper
from mien.train.sheet import contact_sheet, to_image
from mien.train.tasks.base import Task, Update, channels_last
from mien.train.validation import Validation

SMALLEST = 32
"""Side of the smallest image that the feature network accepts, pixels."""

TITLES = ("source", "driving", "ours", "occlusion")


class PaperTask(Task):
    """Generator and detector against a discriminator; see :mod:`mien.train.losses.adversarial`."""

    name = "paper"

    def __init__(self, config: FitConfig) -> None:
        self._count = config.data.sources * config.data.drivings
        root, size = Path(config.data.path), config.paper.image_size
        smallest = min(config.paper_loss.scales) * size
        if smallest < SMALLEST:
            raise UsageError(
                f"configuration: paper_loss.scales: the smallest image has {smallest:g} pixels; "
                f"the perceptual loss needs at least {SMALLEST} pixels."
            )
        out, seed = config.data.leave_out, config.run.seed
        self.data = PaperData(root, split_ids(root, "train", out), config.augment, seed, size)
        self.unseen = PaperData(root, split_ids(root, "validation", out), None, seed, size)
        if config.run.start:
            started = load_paper(Path(config.run.start))
            if started.config.image_size != size:
                raise ModelError(
                    f"{config.run.start}: for images of {started.config.image_size}, not {size}."
                )
            self.shape = started.config
            self.model = channels_last(started.train())
        else:
            self.shape = config.paper
            self.model = self.fresh()
        assert isinstance(self.model, PaperModel)
        self.judge = LitePerceptual()
        network = loss_network(config.run.perceptual, self.judge)
        critic = Discriminator(config.discriminator)
        self.helpers = {"discriminator": critic}
        weights = config.paper_loss
        self.updates = (
            Update(PaperObjective(self.model, critic, network, weights), self.model.parameters()),
            Update(CriticObjective(critic, weights), critic.parameters()),
        )

    def fresh(self) -> PaperModel:
        model = channels_last(PaperModel(self.shape))  # type: ignore[arg-type]
        assert isinstance(model, PaperModel)
        return model

    def facts(self) -> dict[str, str]:
        return facts_of(self.shape)  # type: ignore[arg-type]

    def batch(self, index: int, stage: StageConfig, rank: int) -> PaperBatch:
        return self.data.batch(index, self._count, stage.focus, rank)

    @torch.no_grad()
    def validate(self, model: nn.Module, pairs: int) -> Validation:
        """L1 and perceptual distance to the true driving image: of the still source, and of ours."""
        assert isinstance(model, PaperModel)
        device = next(model.parameters()).device
        judge = self.judge.to(device)
        sums = {"l1": np.zeros(2), "perceptual": np.zeros(2)}
        rows: list[list[Image]] = []
        total = 0
        for batch in self._unseen(pairs):
            batch = PaperBatch(*(part.to(device) for part in batch))
            given = model.config.given_points
            before = model.detect(batch.source, batch.source_points if given else None)
            after = model.detect(batch.driving, batch.driving_points if given else None)
            out = model(batch.source, before, after)
            for k, image in enumerate((batch.source, out.prediction)):
                sums["l1"][k] += float((image - batch.driving).abs().mean())
                sums["perceptual"][k] += float(judge(image, batch.driving))
            total += 1
            if len(rows) < 14:
                hidden = out.warp.occlusion
                hidden = torch.ones_like(batch.source[:, :1]) if hidden is None else hidden
                shown = (batch.source, batch.driving, out.prediction, hidden.expand(-1, 3, -1, -1))
                rows.append([to_image(x[0]) for x in shown])
        scores = {name: (float(s[0]) / total, float(s[1]) / total) for name, s in sums.items()}
        return Validation(scores, contact_sheet(rows, TITLES))

    def _unseen(self, pairs: int) -> Iterator[PaperBatch]:
        for index in range(max(1, pairs)):
            yield self.unseen.batch(index, 1, focus=1.0)
