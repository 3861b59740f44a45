"""Weights of the ``live`` preset, from a file."""

from __future__ import annotations

from pathlib import Path

from engine.types import MienError
from train.model.config import MODEL_VERSION, LiveConfig
from train.model.live import LiveModel


def load_live(path: Path) -> LiveModel:
    """A model in eval mode from a ``.safetensors`` file of ``fit``; its shape is in the metadata, if any.

    Raises:
        MienError: unreadable, or weights of another model.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("config")
        model = LiveModel(LiveConfig.from_json(text) if text else None).eval()
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise MienError(f"{path}: cannot read weights: {error}. Give a .safetensors file of fit.") from error
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise MienError(
            f"{path}: not weights of the live model (version {MODEL_VERSION}): {reason}"
        ) from error
    return model
