"""Training tasks: each preset's model, losses and batches for the training loop."""

from __future__ import annotations

from mien.engine.types import UsageError
from mien.train.config import FitConfig
from mien.train.tasks.base import Task


def make_task(config: FitConfig) -> Task:
    """Create the task of the configuration's preset.

    Raises:
        UsageError: an unknown preset, or missing data.
    """
    if config.preset == "live":
        from mien.train.tasks.live import LiveTask

        return LiveTask(config)
    if config.preset == "paper":
        from mien.train.tasks.paper import PaperTask

        return PaperTask(config)
    raise UsageError(f"configuration: {config.preset} is not a preset; known: live, paper.")
