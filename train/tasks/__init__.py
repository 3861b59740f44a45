"""Training tasks: each preset's model, losses and batches for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.engine.types import UsageError
from mien.train.config import FitConfig
from mien.train.tasks.base import Task


def _live(config: FitConfig) -> Task:
    from mien.train.tasks.live import LiveTask

    return LiveTask(config)


def _paper(config: FitConfig) -> Task:
    from mien.train.tasks.paper import PaperTask

    return PaperTask(config)


TASKS: Mapping[str, Callable[[FitConfig], Task]] = {"live": _live, "paper": _paper}
"""What trains each preset, by its name."""


def make_task(config: FitConfig) -> Task:
    """Create the task of the configuration's preset.

    Raises:
        UsageError: an unknown preset, or missing data.
    """
    make = TASKS.get(config.preset)
    if make is None:
        raise UsageError(f"configuration: there is no preset {config.preset}; known: {', '.join(TASKS)}.")
    return make(config)
