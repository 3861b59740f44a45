"""What a preset brings to the training loop."""

from __future__ import annotations

from mien.engine.types import UsageError
from mien.train.config import FitConfig
from mien.train.tasks.base import Task


def make_task(config: FitConfig) -> Task:
    """The task of the configuration's preset.

    Raises:
        UsageError: there is no such preset, or its data are missing.
    """
    if config.preset == "live":
        from mien.train.tasks.live import LiveTask

        return LiveTask(config)
    if config.preset == "paper":
        from mien.train.tasks.paper import PaperTask

        return PaperTask(config)
    raise UsageError(f"configuration: there is no preset {config.preset}; known: live, paper.")
