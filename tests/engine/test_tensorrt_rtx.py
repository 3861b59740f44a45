"""Both presets become TensorRT FP16 engines, on a machine without a GPU.

``tensorrt_rtx`` (PyPI) builds engines without one; nothing here runs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mien.engine.runtime import ENCODER, RENDERER
from mien.engine.runtime.graphs.editing import load_proto
from mien.engine.runtime.tensorrt.backend import EngineError, TensorRt, find_backend
from mien.engine.runtime.tensorrt.inspection import check_network, network_types
from mien.engine.runtime.tensorrt.parts import Part, live_parts
from mien.engine.types import MienError
from mien.export.__main__ import main

trt = pytest.importorskip("tensorrt_rtx", reason='pip install "mien[tensorrt-rtx]"')


@pytest.fixture(scope="module")
def backend() -> TensorRt:
    return find_backend(("tensorrt_rtx",))


@pytest.fixture(scope="module")
def live() -> dict[str, Part]:
    return live_parts(ENCODER.read_bytes(), RENDERER.read_bytes())


def parsed_types(backend: TensorRt, part: Part) -> Any:
    _, network, _parser = backend.parse(part.onnx)
    check_network(trt, network, part.onnx)
    return network_types(trt, network)


def learned(content: bytes) -> int:
    """Convolutions over channels."""
    nodes = load_proto(content).graph.node
    return sum(n.op_type == "Conv" and all(a.i == 1 for a in n.attribute if a.name == "group") for n in nodes)


def by_channel(content: bytes) -> int:
    """Grouped convolutions: the fixed blur, and those of ImageNet's features."""
    return sum(n.op_type == "Conv" for n in load_proto(content).graph.node) - learned(content)


def test_live_is_read_with_fp16_convolutions_and_fp32_grids(backend: TensorRt, live: dict[str, Part]) -> None:
    encoder, renderer, image = (parsed_types(backend, live[name]) for name in live)
    shipped = ENCODER.read_bytes()
    assert encoder.convolutions == {"HALF": learned(shipped), "FLOAT": by_channel(shipped)}
    assert by_channel(shipped) == 12
    assert renderer.convolutions == {"HALF": learned(RENDERER.read_bytes())}
    assert renderer.modes == {"LINEAR": 4}
    # Linear: the paint and its strength; cubic: flow, portrait and skin.
    assert image.modes == {"LINEAR": 2, "CUBIC": 3}
    for found in (encoder, renderer, image):
        assert set(found.grids) == {"FLOAT"}


def test_a_misread_sampler_is_refused(backend: TensorRt, live: dict[str, Part]) -> None:
    part = live["image"]
    _, network, _parser = backend.parse(part.onnx)
    proto = load_proto(part.onnx)
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.name == "mode" and attribute.s == b"bicubic":
                attribute.s = b"nearest"
    with pytest.raises(MienError, match="reads GridSample as"):
        check_network(trt, network, proto.SerializeToString())


def test_an_unknown_operator_is_reported_in_one_line(backend: TensorRt) -> None:
    proto = load_proto(ENCODER.read_bytes())
    proto.graph.node[0].op_type, proto.graph.node[0].domain = "NobodyKnows", "nobody.knows"
    with pytest.raises(EngineError, match="cannot read the model") as caught:
        backend.parse(proto.SerializeToString())
    assert "\n" not in str(caught.value)


def test_a_blob_that_is_not_an_engine_is_refused(backend: TensorRt) -> None:
    with pytest.raises(EngineError, match="cannot load the engine"):
        backend.load(b"nonsense" * 100)


def test_the_papers_networks_are_built_for_the_runtime(backend: TensorRt) -> None:
    """On a model that computes in a moment; the real one is slow."""
    from fakes.paper import tiny_parts

    from mien.engine.paper.parts import paper_parts

    parts = paper_parts(tiny_parts())
    found = {name: parsed_types(backend, part) for name, part in parts.items()}
    assert {name: types.convolutions for name, types in found.items()} == {
        name: {"HALF": 1} for name in parts
    }
    assert found["renderer"].modes == {"LINEAR": 1}
    assert found["renderer"].grids == {"FLOAT": 1}
    for part in parts.values():
        assert len(backend.build(part.onnx, part.profile)) > 1000


@pytest.mark.slow
def test_live_is_built(backend: TensorRt, live: dict[str, Part]) -> None:
    for part in live.values():
        shares: list[float] = []
        blob = backend.build(part.onnx, part.profile, lambda _, share, shares=shares: shares.append(share))
        assert len(blob) > 100_000
        assert shares == sorted(shares)
        assert 0 <= shares[0] < shares[-1] <= 1


@pytest.mark.slow
def test_the_command_writes_engines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--untrained", "--to", "tensorrt-rtx", "--batch", "2", "--output", str(tmp_path)]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"live-{part}.fp16.engine" for part in ("encoder", "picture", "renderer")]
    assert "live-renderer.fp16.engine" in capsys.readouterr().out


@pytest.mark.slow
def test_paper_is_built_with_fp16_convolutions_and_fp32_grids(backend: TensorRt) -> None:
    from mien.engine.paper.parts import paper_parts, renderer
    from mien.export import paper_onnx
    from mien.train.model.paper import PaperModel

    built = paper_onnx.build(PaperModel().eval())
    whole = {**built, "renderer": renderer(built)}
    assert learned(whole["renderer"]) == learned(built["motion"]) + learned(built["decoder"])
    grids = 0
    for name, part in paper_parts(built).items():
        content = whole[name]
        found = parsed_types(backend, part)
        assert found.convolutions["HALF"] == learned(content)
        assert set(found.grids) <= {"FLOAT"}
        assert set(found.modes) <= {"LINEAR"}
        grids += sum(found.grids.values())
        assert len(backend.build(part.onnx, part.profile)) > 100_000
    assert grids >= 2
