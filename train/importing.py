"""``mien train import CHECKPOINT``: conversion of published weights to weights of the ``paper`` preset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mien.engine.types import UsageError
from mien.train.checkpoint import save_weights
from mien.train.model.paper.model import PaperModel
from mien.train.model.paper.weights import facts_of, import_checkpoint


def import_weights(checkpoint: Path, output: Path, align_corners: bool = False) -> PaperModel:
    """Read a published checkpoint and write it as ``.safetensors``.

    Args:
        align_corners: interpretation of positions by ``grid_sample``: False as the published code on torch
            1.3 and later, True as on torch 1.0 to 1.2, for which it was written.

    Returns:
        The model written.

    Raises:
        MienError: the checkpoint cannot be used, or the result cannot be written.
    """
    if output.suffix.lower() != ".safetensors":
        raise UsageError(f"--output {output} must end in .safetensors.")
    model = import_checkpoint(checkpoint)
    config = replace(model.config, align_corners=align_corners)
    save_weights(output, dict(model.state_dict()), config, facts_of(config))
    return model
