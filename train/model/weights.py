"""Weights of the ``live`` preset from a file, and the preset that a file's weights belong to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mien.engine.presets import preset_named
from mien.engine.types import ModelError
from mien.train.imagenet import efficientnet_lite0
from mien.train.model.config import MODEL_VERSION, LiveConfig
from mien.train.model.exported import facts_of_folder, load_exported
from mien.train.model.filling import filled
from mien.train.model.live import LiveModel


def facts_in(path: Path) -> dict[str, str]:
    """The metadata of a ``.safetensors`` file, or of a folder of exported files.

    Raises:
        ModelError: it cannot be read, or is not such a file.
    """
    if path.is_dir():
        return facts_of_folder(path)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path}: cannot read weights: {error}. Give a .safetensors file of fit or import."
        ) from error


def preset_name(path: Path) -> str:
    """The name of the preset whose weights a ``.safetensors`` file or a folder of exported files holds.

    Raises:
        MienError: it cannot be read, or is not such a file.
    """
    return preset_named(facts_in(path).get("model")).name


def load_live(path: Path) -> LiveModel:
    """Load a model in eval mode from a ``.safetensors`` file of ``fit``, or a folder written by ``export``.

    The model's shape is read from the file's metadata, if it has any.

    Raises:
        ModelError: unreadable, or weights of another model.
    """
    if path.is_dir():
        return load_exported(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    text = facts_in(path).get("config")
    try:
        model, state = LiveModel(LiveConfig.from_json(text) if text else None), load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot read weights: {error}. Give a .safetensors file of fit.") from error
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path}: not weights of the live model (version {MODEL_VERSION}): {reason}"
        ) from error
    return filled(model, state, path)


def with_imagenet_branch(model: LiveModel, channels: int) -> LiveModel:
    """Add an ImageNet branch to the encoder; the model computes the same until it is trained.

    Raises:
        MienError: the features' packages are not installed.
    """
    seeing = LiveModel(replace(model.config, sight=channels))
    seeing.load_state_dict(model.state_dict(), strict=False)
    assert seeing.encoder.sight is not None
    seeing.encoder.sight.trunk.take(efficientnet_lite0())
    return seeing
