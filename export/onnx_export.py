"""Export of LiveModel to two ONNX files, ``live-encoder.onnx`` and ``live-renderer.onnx``.

Opset 18 by the dynamo exporter, batch 1, static shapes.  Convolution weights are stored as FP16 and cast
to FP32 by the node that follows them (runtimes fold the cast when they load the file), so the exported
model is the original with its convolution weights rounded to half precision: :func:`deployable`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mien.train.model import MODEL_NAME, MODEL_VERSION, LiveConfig, LiveModel
from mien.train.model.layers import fold

OPSET = 18
SEED = 20211020  # the paper's day at MM '21; any number: the untrained asset must be reproducible
ENCODER_FILE = "live-encoder.onnx"
RENDERER_FILE = "live-renderer.onnx"

RENDERER_INPUTS = ("source", "features", "source_points", "driving_points", "dense")
RENDERER_OUTPUTS = ("flow", "occlusion", "paint")
#: Named values inside the renderer's graph at which a runtime may cut it into FP32 and low-precision parts.
RENDERER_CUTS = (
    "prior.flow",
    "prior.maps",
    "prior.change",
    "prior.life",
    "prior.features",
    "correction.heads",
    "correction.hidden",
    "compose.warped",
    "compose.features",
    "compose.need",
)


class RendererGraph(nn.Module):
    """The renderer as exported: its outputs, then the values at the cuts."""

    def __init__(self, model: LiveModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        source: Tensor,
        features: Tensor,
        source_points: Tensor,
        driving_points: Tensor,
        dense: Tensor,
    ) -> tuple[Tensor, ...]:
        model = self.model
        seen = model.observe(features, source_points, driving_points, dense)
        heads, hidden = model.correction(seen.features, seen.maps, seen.change, seen.flow)
        composed = model.compose(source, features, seen, heads)
        strokes = model.painter(
            composed.features, hidden, seen.maps, seen.change, composed.occlusion, composed.warped
        )
        outputs = (composed.flow, composed.occlusion, strokes * composed.need)
        return (*outputs, *seen, heads, hidden, composed.warped, composed.features, composed.need)


def untrained_model(config: LiveConfig | None = None) -> LiveModel:
    """Create the seeded untrained model, a pure landmark warp."""
    state = torch.get_rng_state()
    try:
        torch.manual_seed(SEED)
        return LiveModel(config).eval()
    finally:
        torch.set_rng_state(state)


def deployable(model: LiveModel) -> LiveModel:
    """Copy ``model`` into the form that its export computes: folded, convolutions rounded to FP16."""
    folded = fold(model.cpu().float())
    with torch.no_grad():
        for module in folded.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.half().float())
    assert isinstance(folded, LiveModel)
    return folded.requires_grad_(False)


def weights_sha256(model: nn.Module) -> str:
    """Hash over names, shapes and values of all weights."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} ".encode())
        digest.update(value.detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def example_inputs(config: LiveConfig) -> tuple[Tensor, ...]:
    """Renderer inputs of the right shapes with some motion, in :data:`RENDERER_INPUTS` order."""
    generator = torch.Generator().manual_seed(1)
    n, size = config.landmarks, config.field_size
    source = torch.rand(1, 3, config.image_size, config.image_size, generator=generator)
    features = torch.randn(1, config.features, size, size, generator=generator)
    points = torch.rand(1, n, 2, generator=generator) * 1.2 - 0.6
    moved = points * 1.03 + 0.02 + 0.03 * torch.sin(4.0 * points.flip(2))
    dense = 0.01 * torch.randn(1, 3, size, size, generator=generator)
    dense[:, 2] = torch.rand(1, size, size, generator=generator)
    return source, features, points, moved, dense


def to_onnx(
    module: nn.Module, args: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str]
) -> Any:
    """Export a module as a checked ``onnx.ModelProto`` with these names of inputs and outputs."""
    import onnx

    # The exporter prints progress, warns about its own future and reports that torchvision is missing; none
    # of that concerns the user.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            args,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    onnx.checker.check_model(proto)
    return proto


def _halve_weights(proto: Any) -> None:
    """Store every convolution weight as FP16, followed by a Cast to FP32."""
    from onnx import TensorProto, helper, numpy_helper

    weights = {node.input[1] for node in proto.graph.node if node.op_type == "Conv"}
    casts = []
    for initializer in proto.graph.initializer:
        if initializer.name not in weights:
            continue
        name = initializer.name
        half = numpy_helper.from_array(numpy_helper.to_array(initializer).astype("float16"), f"{name}.half")
        initializer.CopyFrom(half)
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.cast", to=TensorProto.FLOAT))
    for cast in reversed(casts):
        proto.graph.node.insert(0, cast)


def strip(proto: Any, keep: Sequence[str], metadata: Mapping[str, str]) -> None:
    """Keep only the outputs in ``keep``; replace source paths and traces of the machine by our metadata."""
    for output in [o for o in proto.graph.output if o.name not in keep]:
        proto.graph.output.remove(output)
    del proto.graph.value_info[:]
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for part in (proto.graph, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del part.metadata_props[:]
    del proto.metadata_props[:]
    for key, value in sorted(metadata.items()):
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value


def build(model: LiveModel, *, untrained: bool) -> tuple[bytes, bytes]:
    """Contents of the two ONNX files, encoder and renderer, for a :func:`deployable` model."""
    config = model.config
    metadata = {
        "name": MODEL_NAME,
        "version": str(MODEL_VERSION),
        "config": config.to_json(),
        "weights_sha256": weights_sha256(model),
        "untrained": str(untrained).lower(),
    }
    args = example_inputs(config)
    encoder = to_onnx(model.encoder, args[:1], ("source",), ("features",))
    renderer = to_onnx(RendererGraph(model), args, RENDERER_INPUTS, RENDERER_OUTPUTS + RENDERER_CUTS)
    for proto, part, keep in ((encoder, "encoder", ("features",)), (renderer, "renderer", RENDERER_OUTPUTS)):
        _halve_weights(proto)
        strip(proto, keep, {**metadata, "part": part})
    return encoder.SerializeToString(deterministic=True), renderer.SerializeToString(deterministic=True)
