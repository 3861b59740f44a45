"""The torch reference that exported models are held against."""

from __future__ import annotations

from pathlib import Path

from engine.runtime.torch_runtime import TorchRuntime
from export.onnx_export import deployable, untrained_model
from train.model.weights import load_live


def reference_runtime(weights: Path | None = None) -> TorchRuntime:
    """A :class:`TorchRuntime` that computes what the export of ``weights`` (None: untrained) computes."""
    return TorchRuntime(deployable(untrained_model() if weights is None else load_live(weights)))
