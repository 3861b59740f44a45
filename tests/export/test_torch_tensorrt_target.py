"""The Torch-TensorRT backend as far as it can be tested without a GPU: the program passed to it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien.engine.runtime import ENCODER
from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.runtime.tensorrt.backend import EngineError
from mien.engine.runtime.tensorrt.parts import image_part, network_part

torch = pytest.importorskip("torch")

from mien.engine.runtime.graphs.image import IMAGE_INPUTS  # noqa: E402
from mien.engine.runtime.graphs.torch_graph import TorchGraph  # noqa: E402
from mien.export import torch_tensorrt_target as target  # noqa: E402


@pytest.mark.slow
def test_the_image_part_keeps_its_sizes_free() -> None:
    part = image_part()
    program = target.program_of(part, "cpu")
    graph = TorchGraph(load_proto(part.onnx))
    random = torch.Generator().manual_seed(1)
    for moving, still in (((30, 41), (64, 48)), ((17, 16), (33, 100))):
        names = ("height", "width", "still_height", "still_width")
        sizes = dict(zip(names, (*moving, *still), strict=True))
        shapes = {k: [sizes.get(str(size), size) for size in shape] for k, shape in IMAGE_INPUTS.items()}
        drawn = {name: torch.rand(*map(int, shape), generator=random) for name, shape in shapes.items()}
        drawn["person"] *= 255
        drawn["behind"] *= 255
        drawn["front"] = (255 * drawn["front"]).to(torch.uint8)
        inputs = [drawn[name] for name in graph.input_names]
        (found,) = program.module()(*inputs)
        assert found.shape == (1, *moving, 3)
        assert found.dtype == torch.uint8
        np.testing.assert_array_equal(found.numpy(), graph(*inputs)[0].numpy())


def test_bytes_are_passed_as_bytes() -> None:
    part = network_part("live-encoder", ENCODER.read_bytes(), "fp16", 1, pixels=True)
    ((shapes, kind),) = target._inputs(part)
    assert shapes[0] == (1, 256, 256, 3)
    assert kind == torch.uint8


def test_a_part_that_cannot_be_built_names_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(program: Any, **settings: Any) -> bytes:
        raise RuntimeError("no converter for aten.grid_sampler\nmore")

    convert = SimpleNamespace(convert_exported_program_to_serialized_trt_engine=refuse)
    fake = SimpleNamespace(Input=SimpleNamespace, dynamo=convert)
    monkeypatch.setitem(sys.modules, "torch_tensorrt", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(target, "import_torch", lambda: torch)
    monkeypatch.setattr(target, "program_of", lambda part, device: None)
    with pytest.raises(EngineError, match=r"live-picture: no converter.*--to tensorrt-rtx") as caught:
        target.build(image_part())
    assert "\n" not in str(caught.value)
