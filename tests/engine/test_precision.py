"""The precision of convolutions is the faster one of this CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.engine.runtime import describe_runtime
from mien.engine.utils import openvino_core
from mien.engine.utils.openvino_core import quick_precision

INTEL = "vendor_id\t: GenuineIntel\nflags\t\t: avx512f avx512_bf16 avx512_vnni"
AMD = INTEL.replace("GenuineIntel", "AuthenticAMD")


def _on(monkeypatch: pytest.MonkeyPatch, folder: Path, about: str | None, bf16: bool = True) -> str:
    path = folder / "cpuinfo"
    if about is not None:
        path.write_text(about)
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


def test_doctor_says_which_precision_and_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(openvino_core, "CPU_INFO", tmp_path / "cpuinfo")
    found = quick_precision()
    assert ("motion in FP32" in describe_runtime()) == (found == "bf16")
