"""Import of the ``live`` preset's weights from exported files, so that shipped weights can be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.engine.types import ModelError
from mien.train.model.config import MODEL_NAME, LiveConfig
from mien.train.model.layers import STEADY, Conv
from mien.train.model.live import LiveModel

PARTS = {"encoder": "encoder.", "renderer": "model."}
"""Prefix of the value names in ``live-PART.onnx``; the encoder is exported without its own name."""


def facts_of_folder(folder: Path) -> dict[str, str]:
    """The metadata of the exported files in ``folder``.

    Raises:
        MienError: the files are missing or cannot be read.
    """
    return _facts(_read(folder, "renderer"))


def load_exported(folder: Path) -> LiveModel:
    """Load a model in eval mode from ``live-encoder.onnx`` and ``live-renderer.onnx``.

    It computes what the files compute, to half a rounding step of FP16.  Exported filters are standardised;
    they are restored with entries of unit variance and their norm in ``gain``, and train like the original
    filters.

    Raises:
        ModelError: a file is missing or damaged, of another model, or the two are of different exports.
    """
    files = {part: _read(folder, part) for part in PARTS}
    facts = [_facts(file) for file in files.values()]
    if any(fact.get("name") != MODEL_NAME for fact in facts):
        raise ModelError(f"{folder}: not the live model's files; mien export writes them.")
    if len({fact.get("weights_sha256") for fact in facts}) > 1:
        raise ModelError(f"{folder}: the two files are of different exports; export the weights again.")
    try:
        model = LiveModel(LiveConfig.from_json(facts[0]["config"]))
        found = dict(chain.from_iterable(_convolutions(part, file) for part, file in files.items()))
        with torch.no_grad():
            for name, module in model.named_modules():
                if isinstance(module, (Conv, nn.Conv2d)):
                    _fill(module, *found[name])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{folder}: files of another architecture ({reason}).") from error
    return model.eval()


def _read(folder: Path, part: str) -> Any:
    """``onnx.ModelProto`` of one file."""
    import onnx
    from google.protobuf.message import DecodeError

    path = folder / f"live-{part}.onnx"
    try:
        return onnx.load(path)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} does not exist. Give a .safetensors file of fit, or a folder that export wrote."
        ) from error
    except (OSError, DecodeError) as error:
        raise ModelError(f"{path}: cannot read: {error}") from error


def _facts(file: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in file.metadata_props}


def _convolutions(part: str, file: Any) -> Iterator[tuple[str, tuple[Tensor, Tensor | None]]]:
    """Weight and bias of each convolution, by its name in :class:`LiveModel`."""
    from onnx import numpy_helper

    constants = {constant.name: constant for constant in file.graph.initializer}

    def value(name: str) -> Tensor:
        constant = constants.get(f"{name}.half") or constants[name]
        return torch.from_numpy(numpy_helper.to_array(constant).astype(np.float32))

    start = PARTS[part]
    for node in file.graph.node:
        if node.op_type == "Conv" and node.input[1].endswith(".weight"):
            name = node.input[1].removesuffix(".weight")
            name = start + name if part == "encoder" else name.removeprefix(start)
            # The exporter drops zero biases and merges equal ones: only the node knows.
            bias = value(node.input[2]) if len(node.input) > 2 and node.input[2] else None
            yield name, (value(node.input[1]), bias)


def _fill(module: Conv | nn.Conv2d, weight: Tensor, bias: Tensor | None) -> None:
    if weight.shape != module.weight.shape:
        raise ValueError(f"a convolution is {tuple(weight.shape)}, not {tuple(module.weight.shape)}")
    assert module.bias is not None
    module.bias.copy_(torch.zeros_like(module.bias) if bias is None else bias)
    if isinstance(module, nn.Conv2d):
        module.weight.copy_(weight)
        return
    spread, mean = torch.std_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
    alive = spread > 0
    # A zero filter has no direction to continue from: it keeps its fresh one, with gain 0.
    unit = (weight - mean) / spread.where(alive, torch.ones_like(spread))
    module.weight.copy_(torch.where(alive, unit, module.weight))
    module.gain.copy_(spread * (1.0 + STEADY) ** 0.5 / module.scale)
