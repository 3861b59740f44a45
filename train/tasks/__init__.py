"""Training tasks: each preset's model, losses and batches for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.engine.types import UsageError
from mien.train.config import FitConfig
from mien.train.tasks.base import Task


def _live() -> type[Task]:
    from mien.train.tasks.live import LiveTask

    return LiveTask


def _paper() -> type[Task]:
    from mien.train.tasks.paper import PaperTask

    return PaperTask


TASKS: Mapping[str, Callable[[], type[Task]]] = {"live": _live, "paper": _paper}
"""The task of each preset, by the preset's name; loaded when called."""


def make_task(config: FitConfig) -> Task:
    """Create the task of the configuration's preset.

    Raises:
        UsageError: an unknown preset, or missing data.
    """
    load = TASKS.get(config.preset)
    if load is None:
        raise UsageError(f"configuration: {config.preset} is not a preset; known: {', '.join(TASKS)}.")
    task: Callable[[FitConfig], Task] = load()
    return task(config)
