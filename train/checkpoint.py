"""Checkpoints: the state from which a run resumes, and the weights to ship."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from mien.engine.types import ModelError, SinkError
from mien.engine.utils.files import replacing

STATE = "state.pt"


class Describes(Protocol):
    """A model's configuration."""

    def to_json(self) -> str: ...


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write ``folder/state.pt``; the previous one is kept if the disk is full.

    Raises:
        SinkError: it cannot be written.
    """
    path = folder / STATE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError of its zip writer.
        raise SinkError(
            f"{path}: cannot save ({str(error).splitlines()[0]}). The last checkpoint is kept; free space "
            "and run fit again."
        ) from error


def load_state(folder: Path) -> dict[str, Any] | None:
    """Load the state in ``folder``; None if there is none yet.

    Raises:
        ModelError: it is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path} is damaged ({str(error).splitlines()[0]}). Delete it to start over, or restore a copy."
        ) from error
    return state


def save_weights(path: Path, weights: dict[str, Tensor], config: Describes, facts: dict[str, str]) -> None:
    """Write weights as ``.safetensors`` with the model's configuration in the metadata.

    Raises:
        SinkError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.detach().contiguous().cpu() for name, value in weights.items()}
        with replacing(path) as part:
            save_file(tensors, part, metadata={"config": config.to_json(), **facts})
    except (OSError, SafetensorError) as error:
        raise SinkError(f"{path}: cannot save: {error}. Free space or choose another folder.") from error
