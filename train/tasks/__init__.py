"""What a preset brings to the training loop."""

from __future__ import annotations

from engine.types import MienError
from train.config import FitConfig
from train.tasks.base import Task


def make_task(config: FitConfig) -> Task:
    """The task of the configuration's preset.

    Raises:
        MienError: there is no such preset, or its data are missing.
    """
    if config.preset == "live":
        from train.tasks.live import LiveTask

        return LiveTask(config)
    if config.preset == "paper":
        from train.tasks.paper import PaperTask

        return PaperTask(config)
    raise MienError(f"configuration: there is no preset {config.preset}; known: live, paper.")
