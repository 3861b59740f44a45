"""Weights of the ``paper`` preset: import of published checkpoints, loading of ``.safetensors``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.engine.types import ModelError
from mien.train.model.filling import filled
from mien.train.model.paper.config import PAPER_NAME, PAPER_VERSION, PaperConfig
from mien.train.model.paper.model import PaperModel

PARTS = ("kp_detector", "generator")
"""The state dicts of a published checkpoint that form the model."""

LEFT_OUT = (
    "discriminator",
    "epoch",
    "optimizer_generator",
    "optimizer_discriminator",
    "optimizer_kp_detector",
)
"""Other entries of a published checkpoint, used only for its own training."""


def import_checkpoint(path: Path) -> PaperModel:
    """Import a published checkpoint (``.pth.tar``) of either repository, in eval mode.

    The architecture is derived from the shapes; every key must then fit, and none may be missing or left
    over.  Values known only to the code (the softmax temperature, the Gaussians' variance) are those of all
    published checkpoints.

    Raises:
        ModelError: unreadable, not a checkpoint, or of another architecture.
    """
    checkpoint = _load(path)
    unknown = sorted(str(name) for name in set(checkpoint) - {*PARTS, *LEFT_OUT})
    missing = [name for name in PARTS if not isinstance(checkpoint.get(name), Mapping)]
    if missing or unknown:
        what = "it has no " if missing else "it also has "
        raise ModelError(
            f"{path}: not a checkpoint of the paper's code or of first-order-model: "
            f"{what}{_listed(missing or unknown)}."
        )
    state = {f"{part}.{key}": value for part in PARTS for key, value in checkpoint[part].items()}
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if len(tensors) < len(state):
        raise ModelError(f"{path}: not a checkpoint: {min(set(state) - set(tensors))} is not a tensor.")
    try:
        config = read_off(tensors)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(f"{path}: of another architecture ({_reason(error)}).") from error
    return filled(PaperModel(config), tensors, path)


def load_paper(path: Path) -> PaperModel:
    """Load a model from a ``.safetensors`` file of ``import`` or ``fit``, in eval mode.

    Raises:
        ModelError: unreadable, or not weights of this preset.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, framework="pt") as file:
            facts = dict(file.metadata() or {})
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot read weights: {error}") from error
    if (facts.get("model"), facts.get("version")) != (PAPER_NAME, str(PAPER_VERSION)):
        raise ModelError(
            f"{path}: not weights of {PAPER_NAME} {PAPER_VERSION}; mien train import creates them."
        )
    try:
        config = PaperConfig.from_json(facts["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: its configuration is damaged: {_reason(error)}") from error
    return filled(PaperModel(config), tensors, path)


def facts_of(config: PaperConfig) -> dict[str, str]:
    """Metadata of a weight file besides its configuration."""
    return {"model": PAPER_NAME, "version": str(PAPER_VERSION), "points": str(config.points)}


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror or error}") from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelError(
            f"{path}: not a checkpoint, or a damaged or truncated one ({_reason(error)})."
        ) from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: not a checkpoint: it holds a {type(found).__name__}, not a dictionary.")
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".:")[:160]


def read_off(state: Mapping[str, Tensor]) -> PaperConfig:
    """Derive the configuration from the shapes of the weights."""

    def outputs(prefix: str) -> list[int]:
        count = len({key.split(".")[prefix.count(".") + 1] for key in state if key.startswith(prefix + ".")})
        return [state[f"{prefix}.{k}.conv.weight"].shape[0] for k in range(count)]

    detector, motion = "kp_detector.predictor.encoder", "generator.dense_motion_network"
    seen = state[f"{detector}.down_blocks.0.conv.weight"].shape[1]
    if seen not in (3, 4):
        raise ValueError(f"its detector takes {seen} channels, not 3 or 4")
    points = state["kp_detector.kp.weight"].shape[0]
    jacobian = state.get("kp_detector.jacobian.weight")
    found, moving, coding = (
        outputs(prefix)
        for prefix in (
            f"{detector}.down_blocks",
            f"{motion}.hourglass.encoder.down_blocks",
            "generator.down_blocks",
        )
    )
    width = state["generator.first.conv.weight"].shape[0]
    blocks = {key.split(".")[2] for key in state if key.startswith("generator.bottleneck.")}
    return PaperConfig(
        points=points,
        given_points=seen == 4,
        align_corners=False,
        reduction=_reduction(state),
        jacobians=jacobian is not None,
        single_jacobian=jacobian is not None and jacobian.shape[0] == 4 and points > 1,
        occlusion=f"{motion}.occlusion.weight" in state,
        detector_width=found[0] // 2,
        detector_most=max(found),
        detector_blocks=len(found),
        motion_width=moving[0] // 2,
        motion_most=max(moving),
        motion_blocks=len(moving),
        generator_width=width,
        generator_most=max(coding, default=width),
        generator_downs=len(coding),
        generator_blocks=len(blocks),
    )


def _reduction(state: Mapping[str, Tensor]) -> int:
    """The reduction, from the blur's size ``2 round(4 sigma) + 1`` with ``sigma = (reduction - 1) / 2``."""
    blur = state.get("kp_detector.down.weight")
    if blur is None:
        return 1
    return (blur.shape[-1] - 1) // 4 + 1
