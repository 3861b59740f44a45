"""Export of the ``paper`` preset to four ONNX files: detector, encoder, motion, decoder.

The encoder and the detector run once per portrait; per frame the detector runs on the driving crop, the
motion part warps the portrait's code, and the decoder draws.  Opset 18 by the dynamo exporter, batch 1,
static shapes, weights FP32, ``grid_sample`` 4-D with the model's own ``align_corners``.  Only the decoder
tolerates low precision: everything before it computes positions.

==========  ===========================================================  =========================
part        inputs                                                       outputs
==========  ===========================================================  =========================
detector    image (1,3,256,256); points (1,18,2) pixels, if given        key_points (1,K,2),
                                                                         jacobians (1,K,2,2)
encoder     source (1,3,256,256)                                         features (1,256,64,64)
motion      source, features, source_points, source_jacobians,           warped (1,256,64,64)
            driving_points, driving_jacobians
decoder     warped                                                       picture (1,3,256,256)
==========  ===========================================================  =========================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mien.engine.types import ModelError
from mien.engine.utils.openvino_core import compile_for_cpu, core
from mien.export.onnx_export import strip, to_onnx, weights_sha256
from mien.train.model.paper import PAPER_NAME, PAPER_VERSION, PaperModel

TOLERANCE = {"key_points": 1e-4, "jacobians": 1e-3, "features": 1e-3, "warped": 1e-3, "picture": 1e-3}
"""Largest accepted absolute difference from torch, FP32 against FP32, per output."""


class Part(NamedTuple):
    """The content of one file.

    Attributes:
        module: the exported module.
        args: example inputs.
        inputs, outputs: their names.
    """

    module: nn.Module
    args: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _Detector(nn.Module):
    def __init__(self, model: PaperModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, points: Tensor | None = None) -> tuple[Tensor, Tensor]:
        found = self.model.detect(image, points)
        return found.points, found.jacobians


class _Encoder(nn.Module):
    def __init__(self, model: PaperModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor) -> Tensor:
        return self.model.encode(source)


class _Motion(nn.Module):
    def __init__(self, model: PaperModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        source: Tensor,
        features: Tensor,
        source_points: Tensor,
        source_jacobians: Tensor,
        driving_points: Tensor,
        driving_jacobians: Tensor,
    ) -> Tensor:
        model = self.model
        before, after = (
            model.keys(source_points, source_jacobians),
            model.keys(driving_points, driving_jacobians),
        )
        warp = model.generator.dense_motion_network(source, before, after)
        return model.generator.warp(features, warp)


class _Decoder(nn.Module):
    def __init__(self, model: PaperModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, warped: Tensor) -> Tensor:
        return self.model.generator.decode(warped)


def parts(model: PaperModel) -> dict[str, Part]:
    """The model's parts, with example inputs in which something moves."""
    config = model.config
    generator = torch.Generator().manual_seed(1)
    size, count = config.image_size, config.points
    image = torch.rand(1, 3, size, size, generator=generator)
    pixels = (torch.rand(1, count, 2, generator=generator) * 0.6 + 0.2) * size
    seen = (image, pixels) if config.given_points else (image,)
    eye = torch.eye(2).expand(1, count, 2, 2)
    points = pixels * 2 / size - 1
    frames = eye + 0.2 * torch.randn(1, count, 2, 2, generator=generator)
    moved = points + 0.05 * torch.randn(1, count, 2, generator=generator)
    with torch.no_grad():
        features = model.encode(image)
        motion = _Motion(model).eval()
        given = (image, features, points, frames, moved, eye.clone())
        warped = motion(*given)
    return {
        "detector": Part(
            _Detector(model), seen, ("image", "points")[: len(seen)], ("key_points", "jacobians")
        ),
        "encoder": Part(_Encoder(model), (image,), ("source",), ("features",)),
        "motion": Part(
            motion,
            given,
            (
                *("source", "features", "source_points", "source_jacobians"),
                *("driving_points", "driving_jacobians"),
            ),
            ("warped",),
        ),
        "decoder": Part(_Decoder(model), (warped,), ("warped",), ("picture",)),
    }


def build(model: PaperModel) -> dict[str, bytes]:
    """Contents of the ONNX files by part name (:data:`mien.engine.paper.openvino_paper.PARTS`)."""
    model = model.cpu().float().eval()
    metadata = {
        "name": PAPER_NAME,
        "version": str(PAPER_VERSION),
        "config": model.config.to_json(),
        "weights_sha256": weights_sha256(model),
    }
    built = {}
    for name, part in parts(model).items():
        proto = to_onnx(part.module, part.args, part.inputs, part.outputs)
        strip(proto, part.outputs, {**metadata, "part": name})
        built[name] = proto.SerializeToString(deterministic=True)
    return built


def measure(model: PaperModel, built: Mapping[str, bytes]) -> dict[str, float]:
    """Largest absolute difference of each output, OpenVINO FP32 against torch."""
    found = {}
    for name, part in parts(model.cpu().float().eval()).items():
        compiled = compile_for_cpu(core().read_model(built[name], b""), threads=1, precision="f32")
        result = compiled({k: v.numpy() for k, v in zip(part.inputs, part.args, strict=True)})
        with torch.no_grad():
            wanted = part.module.eval()(*part.args)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for output, value in zip(part.outputs, wanted, strict=True):
            found[output] = float(np.abs(result[output] - value.numpy()).max())
    return found


def check(differences: Mapping[str, float]) -> None:
    """Raise :class:`MienError` if an output differs from torch by more than :data:`TOLERANCE`."""
    for name, difference in differences.items():
        if not difference <= TOLERANCE[name]:  # also catches NaN
            raise ModelError(
                f"exported {name} differs from torch by {difference:.2g} (> {TOLERANCE[name]:.0e})"
            )
