"""Interface between the training loop and a preset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from mien.engine.types import UsageError
from mien.train.checkpoint import Describes
from mien.train.config import StageConfig
from mien.train.validation import Validation


@dataclass(frozen=True, slots=True)
class Update:
    """One optimizer's part of a training step.

    Attributes:
        objective: called with batch, step and, in all but the first update, the first one's
            :class:`~mien.train.losses.results.Losses`; returns such losses.
        parameters: the trained parameters.
        filters: those trained ``optim.filter_rate`` times as fast: standardised filters.
    """

    objective: nn.Module
    parameters: Iterable[nn.Parameter]
    filters: Iterable[nn.Parameter] = ()


@dataclass(frozen=True, slots=True)
class CardText:
    """Wording of the model card for one preset.

    Attributes:
        method: how it is trained; ``{features}`` and ``{points}`` are filled in.
        limits: what it cannot do.
        stills: whether it is trained on stills as well.
        imported: whether weights of this preset can come from elsewhere.
    """

    method: str
    limits: str
    stills: bool = False
    imported: bool = False


class Task(ABC):
    """One preset's model, objectives and batches.

    Attributes:
        name: prefix of the weight files' names.
        card: its wording in model cards.
        model: the model that is averaged, validated and shipped.
        shape: its configuration.
        updates: of each training step, in order; the first one trains ``model``.
        helpers: further modules saved with the state (a discriminator).
    """

    name: ClassVar[str]
    card: ClassVar[CardText]
    model: nn.Module
    shape: Describes
    updates: tuple[Update, ...]
    helpers: dict[str, nn.Module]

    @abstractmethod
    def fresh(self) -> nn.Module:
        """Create another model of the same shape."""

    @abstractmethod
    def batch(self, index: int, stage: StageConfig, rank: int) -> Any:
        """Batch number ``index``: tensors in a named tuple, determined by seed, index and rank alone."""

    @abstractmethod
    def validate(self, model: nn.Module, pairs: int) -> Validation:
        """Evaluate a model on people not trained on."""

    def facts(self) -> dict[str, str]:
        """Metadata of a weight file besides its configuration."""
        return {}

    def enter(self, index: int, stage: StageConfig) -> None:
        """Prepare for a stage: only its parts are trained.

        Raises:
            UsageError: it names a part that the model does not have.
        """
        known = [name for name, _ in self.model.named_children()]
        for name in stage.train:
            if name not in known:
                raise UsageError(
                    f"configuration: stages.{index}.train: {name} is unknown; known: {', '.join(known)}."
                )
        for name, child in self.model.named_children():
            child.requires_grad_(name in stage.train)


def channels_last(model: nn.Module) -> nn.Module:
    """Convert the model's weights to the memory layout in which convolutions run fastest."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
