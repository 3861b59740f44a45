"""The exported files: the properties that runtimes rely on, and equality with the shipped ones."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from mien.engine.runtime import ENCODER, RENDERER
from mien.engine.types import MienError
from mien.export import onnx_export, parity
from mien.export.__main__ import main
from mien.export.targets import write
from mien.train.model import LiveConfig, LiveModel
from mien.train.model.weights import load_live


@pytest.fixture(scope="module")
def exported(untrained: tuple[LiveModel, Path]) -> tuple[LiveModel, bytes, bytes]:
    model, folder = untrained
    encoder, renderer = (folder / name for name in (onnx_export.ENCODER_FILE, onnx_export.RENDERER_FILE))
    return model, encoder.read_bytes(), renderer.read_bytes()


def metadata(proto: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in proto.metadata_props}


@pytest.mark.parametrize("path", [ENCODER, RENDERER])
def test_shipped_files_suit_every_runtime(path: Path) -> None:
    proto = onnx.load(path)
    onnx.checker.check_model(proto)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 18)]
    inferred = onnx.shape_inference.infer_shapes(proto)
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    }
    grids = [node for node in proto.graph.node if node.op_type == "GridSample"]
    assert grids
    for node in grids:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        assert attributes["mode"] == b"bilinear"  # opset 18's name for linear
        assert attributes["align_corners"] == 1
        assert len(shapes[node.output[0]]) == 4
    for node in proto.graph.node:
        if node.op_type == "Resize":
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            assert attributes["coordinate_transformation_mode"] == b"align_corners"
            assert not attributes.get("antialias", 0)


def test_shipped_interface() -> None:
    encoder, renderer = onnx.load(ENCODER), onnx.load(RENDERER)
    assert [v.name for v in encoder.graph.input] == ["source"]
    assert [v.name for v in encoder.graph.output] == ["features"]
    assert tuple(v.name for v in renderer.graph.input) == onnx_export.RENDERER_INPUTS
    assert tuple(v.name for v in renderer.graph.output) == onnx_export.RENDERER_OUTPUTS
    values = {name for node in renderer.graph.node for name in node.output}
    assert values >= set(onnx_export.RENDERER_CUTS)
    for proto in (encoder, renderer):
        found = metadata(proto)
        assert LiveConfig.from_json(found["config"]).landmarks == 478
        assert found["name"] == "mien-live"
        assert json.loads(found["untrained"]) in (True, False)
    assert metadata(encoder)["weights_sha256"] == metadata(renderer)["weights_sha256"]
    assert ENCODER.stat().st_size + RENDERER.stat().st_size < 16 * 2**20


def test_files_reveal_nothing_about_the_exporting_machine() -> None:
    for path in (ENCODER, RENDERER):
        content = path.read_bytes()
        assert b"/work/" not in content
        assert b"site-packages" not in content


def shapes(proto: onnx.ModelProto) -> list[tuple[int, ...]]:
    """Of all convolutions' filters, in order."""
    filters = {name for node in proto.graph.node if node.op_type == "Conv" for name in node.input[1:2]}
    kept = {tensor.name.removesuffix(".half"): tuple(tensor.dims) for tensor in proto.graph.initializer}
    return sorted(kept[name] for name in filters)


def test_shipped_files_match_this_code_and_are_trained(exported: tuple[LiveModel, bytes, bytes]) -> None:
    model, encoder, renderer = exported
    for path, content in ((ENCODER, encoder), (RENDERER, renderer)):
        shipped, fresh = onnx.load(path), onnx.load_from_string(content)
        # The shipped model has an ImageNet branch, which only adds to the encoder.
        assert metadata(shipped)["config"] == replace(model.config, sight=64).to_json()
        assert metadata(shipped)["untrained"] == "false"
        assert metadata(shipped)["weights_sha256"] != metadata(fresh)["weights_sha256"]
        assert not Counter(shapes(fresh)) - Counter(shapes(shipped))
        assert path == ENCODER or shapes(fresh) == shapes(shipped)
        for ends in ("input", "output"):
            ours, theirs = (
                {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in getattr(p.graph, ends)}
                for p in (shipped, fresh)
            )
            assert ours == theirs


@pytest.mark.slow
def test_trained_weights_export_with_parity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(5)
    model = LiveModel()
    for layer in (model.correction.heads, model.painter.leave):
        torch.nn.init.normal_(layer.weight, std=0.02)
    weights = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), weights, metadata={"config": model.config.to_json()})
    assert main([str(weights), "--output", str(tmp_path / "out")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["live-encoder.onnx", "live-renderer.onnx"]
    found = metadata(onnx.load(tmp_path / "out" / "live-renderer.onnx"))
    assert found["untrained"] == "false"
    assert found["weights_sha256"] == onnx_export.weights_sha256(onnx_export.deployable(load_live(weights)))


def test_parity_notices_other_weights(exported: tuple[LiveModel, bytes, bytes]) -> None:
    _, encoder, renderer = exported
    torch.manual_seed(6)
    with pytest.raises(MienError, match="features differs from torch"):
        parity.measure(onnx_export.deployable(LiveModel()), encoder, renderer).check()


@pytest.mark.parametrize("content", [None, b"nonsense", "other"])
def test_bad_weights_are_reported_in_one_line(
    content: bytes | str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "weights.safetensors"
    if content == "other":
        save_file({"x": torch.zeros(3)}, weights)
    elif isinstance(content, bytes):
        weights.write_bytes(content)
    assert main([str(weights), "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("mien: ")
    assert error.count("\n") == 1
    assert "weights.safetensors" in error
    assert not list(tmp_path.glob("*.onnx*"))


def test_an_output_that_is_a_file_is_reported_in_one_line(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    with pytest.raises(MienError, match="taken: cannot write") as caught:
        write({"live-encoder.onnx": b"x"}, taken)
    assert "\n" not in str(caught.value)
    assert taken.read_text(encoding="utf-8") == "mine"


def test_failed_parity_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = parity.Parity({"flow": np.nan})
    monkeypatch.setattr(parity, "measure", lambda *_: bad)
    monkeypatch.setattr(onnx_export, "build", lambda *_, **__: (b"", b""))
    assert main(["--untrained", "--output", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())
