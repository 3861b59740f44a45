"""Weights restored from exported files, which can be trained further, evaluated and exported again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ZERO_FILTER

from mien.engine.types import MienError
from mien.engine.utils.assets import ASSETS
from mien.export import onnx_export
from mien.export.__main__ import main
from mien.train.model import LiveConfig
from mien.train.model.layers import Conv
from mien.train.model.weights import facts_in, load_live, preset_name
from mien.train.model_card import card


@pytest.mark.parametrize("which", ["trained", "untrained"])
def test_the_weights_are_restored_to_half_a_rounding_step(which: str, request: pytest.FixtureRequest) -> None:
    exported, folder = request.getfixturevalue(which)
    found = onnx_export.deployable(load_live(folder)).state_dict()
    for name, value in exported.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=2e-3, atol=3e-5, msg=name)


def test_imported_shipped_weights_draw_the_same_images_and_can_be_trained_further() -> None:
    model = load_live(ASSETS)
    assert preset_name(ASSETS) == "live"
    assert model.config == LiveConfig.from_json(facts_in(ASSETS)["config"])
    filters = [m for m in model.modules() if isinstance(m, Conv)]
    for filter_ in filters:
        spread = filter_.weight.std(dim=(1, 2, 3), correction=0)
        torch.testing.assert_close(spread, torch.ones_like(spread), rtol=1e-3, atol=0)
    source, _, points, moved, dense = onnx_export.example_inputs(model.config)
    made = model.train().render(source, model.encode(source), points, moved, dense)
    made.image.mean().backward()
    first = filters[0].weight.grad
    assert first is not None
    assert float(first.abs().max()) > 0.0


def test_shipped_files_are_exported_again_for_another_target(tmp_path: Path) -> None:
    assert main([str(ASSETS), "--to", "openvino", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "live-renderer.xml").is_file()


def test_a_filter_of_zeros_stays_one(trained: tuple[Any, Path]) -> None:
    found = load_live(trained[1])
    assert float(found.encoder.leave.standardised()[ZERO_FILTER].detach().abs().max()) == 0.0
    assert float(found.encoder.leave.weight[ZERO_FILTER].detach().abs().max()) > 0.0


def test_bad_folders_are_refused_in_one_line(trained: tuple[Any, Path], tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"live-encoder\.onnx does not exist"):
        load_live(tmp_path)
    mixed = tmp_path / "mixed"
    shutil.copytree(trained[1], mixed)
    shutil.copy(ASSETS / onnx_export.ENCODER_FILE, mixed)
    with pytest.raises(MienError, match="different exports"):
        load_live(mixed)
    (mixed / onnx_export.ENCODER_FILE).write_bytes(b"no such thing")
    with pytest.raises(MienError, match="cannot read"):
        load_live(mixed)


def test_exported_files_have_no_model_card(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="do not record their training"):
        card(ASSETS, tmp_path, None, "unknown")
