"""Loading of weights into a model: every key must fit, and none may be missing or left over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from mien.engine.types import ModelError

Model = TypeVar("Model", bound=nn.Module)


def filled(model: Model, state: Mapping[str, Tensor], path: Path) -> Model:
    """Load weights into the model and set it to eval mode.

    Args:
        path: source of the weights, for the message.

    Raises:
        ModelError: a key is missing, left over, or has another shape.
    """
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in state.items()}
    complaints = [f"{key} is missing" for key in wanted if key not in given]
    complaints += [f"{key} is unknown" for key in given if key not in wanted]
    complaints += [
        f"{key} is {given[key]}, not {shape}"
        for key, shape in wanted.items()
        if given.get(key, shape) != shape
    ]
    if complaints:
        more = f" and {len(complaints) - 1} more" if len(complaints) > 1 else ""
        raise ModelError(f"{path}: of another architecture ({complaints[0]}{more}).")
    model.load_state_dict(dict(state))
    return model.eval()
