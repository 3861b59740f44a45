"""Networks for a GPU from the ``paper`` preset's exported parts: once per portrait, and per frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.engine.paper.openvino_paper import PARTS, part_file
from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.runtime.tensorrt.parts import Part, Precision, network_part, read_onnx

Contents = Mapping[str, bytes]
"""The exported files' contents by part (:data:`mien.engine.paper.openvino_paper.PARTS`)."""


def read_parts(folder: Path) -> dict[str, bytes]:
    """The contents of an exported folder; raises :class:`MienError` where one cannot be read."""
    return {part: read_onnx(part_file(folder, part)) for part in PARTS}


def renderer(contents: Contents) -> bytes:
    """Motion and decoder as one network: key points in, ``picture`` ``(1, 3, 256, 256)`` out, FP32."""
    from onnx import compose

    motion, decoder = load_proto(contents["motion"]), load_proto(contents["decoder"])
    # Their inner names are the exporter's, alike in both; inputs and outputs keep theirs.
    decoder = compose.add_prefix(decoder, "decoder.", rename_inputs=False, rename_outputs=False)
    for proto in (motion, decoder):
        del proto.metadata_props[:]
    merged: Any = compose.merge_models(motion, decoder, io_map=[("warped", "warped")])
    return bytes(merged.SerializeToString(deterministic=True))


def paper_parts(contents: Contents, precision: Precision = "fp16") -> dict[str, Part]:
    """``detector``, ``encoder`` and ``renderer``, each for one face at a time."""
    return {
        "detector": network_part("paper-detector", contents["detector"], precision, 1),
        "encoder": network_part("paper-encoder", contents["encoder"], precision, 1, pixels=True),
        "renderer": network_part("paper-renderer", renderer(contents), precision, 1),
    }
