"""The precision of convolutions is the faster one of this CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.engine.landmarks.bundle import load_bundle
from mien.engine.landmarks.networks import LandmarkNetwork, _Network
from mien.engine.utils import openvino_core
from mien.engine.utils.openvino_core import compile_for_cpu, quick_precision

INTEL = "vendor_id\t: GenuineIntel\nflags\t\t: avx512f avx512_bf16 avx512_vnni"
AMD = INTEL.replace("GenuineIntel", "AuthenticAMD")


def _on(monkeypatch: pytest.MonkeyPatch, folder: Path, about: str | None, bf16: bool = True) -> str:
    path = folder / "cpuinfo"
    if about is not None:
        path.write_text(about, encoding="utf-8")
    monkeypatch.setattr(openvino_core, "CPU_INFO", path)
    monkeypatch.setattr(openvino_core, "cpu_has_bf16", lambda: bf16)
    return quick_precision()


@pytest.mark.parametrize(
    ("about", "precision"),
    [(INTEL, "f32"), (INTEL + " amx_bf16 amx_tile", "bf16"), (AMD, "bf16"), (None, "bf16")],
)
def test_bfloat16_is_used_where_it_is_faster(
    about: str | None, precision: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Intel's is fast in AMX's tiles alone; where the system does not tell, it counts as fast."""
    assert _on(monkeypatch, tmp_path, about) == precision


def test_a_cpu_without_bfloat16_computes_in_fp32(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _on(monkeypatch, tmp_path, AMD, bf16=False) == "f32"


def test_the_landmark_network_computes_directly_and_the_same() -> None:
    """Its layers have few channels, for which OpenVINO's first choice is a quarter slower."""
    data = load_bundle().landmarks
    direct, usual = LandmarkNetwork(data, 1), LandmarkNetwork.__new__(LandmarkNetwork)
    compiled = compile_for_cpu(LandmarkNetwork._model(data), threads=1, precision="f32")
    _Network.__init__(usual, compiled, np.uint8)
    image = np.random.default_rng(0).integers(0, 256, direct.image.shape, np.uint8)
    points = []
    for network in (direct, usual):
        network.image[...] = image
        points.append(network.run()[0].copy())
    np.testing.assert_allclose(points[0], points[1], atol=2e-3)
    layers = direct._compiled.get_runtime_model().get_ordered_ops()
    kinds = {str(layer.get_rt_info()["primitiveType"].astype(str)) for layer in layers}
    assert not any(kind.startswith("brg") for kind in kinds)
