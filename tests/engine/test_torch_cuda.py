"""The torch GPU runtime, computed on the CPU: its images, its cache, its behaviour when memory is short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mien.engine.avatar.canvas.composition import compose
from mien.engine.runtime import ENCODER, RENDERER, OpenVinoRuntime, device_cache, parity
from mien.engine.runtime.batch_runtime import Drawing
from mien.engine.runtime.cuda import CudaError

torch = pytest.importorskip("torch")

from mien.engine.runtime import torch_cuda  # noqa: E402


@pytest.fixture(scope="module")
def reference() -> OpenVinoRuntime:
    return OpenVinoRuntime(ENCODER, RENDERER, threads=2, precision="f32")


@pytest.fixture(scope="module")
def drawings(reference: OpenVinoRuntime) -> list[Drawing]:
    one, other = parity.real_drawings(reference, 2, crop=64)
    return [one, replace(other, canvas=replace(other.canvas))]


def test_a_batch_that_fails_is_split_and_all_in_use_stay(
    reference: OpenVinoRuntime, drawings: list[Drawing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_cuda, "KEPT", 1)
    monkeypatch.setattr(device_cache, "IDLE_S", 1e9)  # however slow the machine
    runtime = torch_cuda.TorchCudaRuntime(
        ENCODER.read_bytes(), RENDERER.read_bytes(), half=False, device="cpu", batch=2
    )
    whole = runtime._renderer
    asked: list[int] = []

    def renderer(*inputs: Any) -> Any:
        asked.append(len(inputs[0]))
        if len(inputs[0]) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(*inputs)

    runtime._renderer = renderer
    wanted = [
        compose(
            d.canvas,
            reference.render(d.code, d.source_points, d.driving_points, d.dense),
            replace(d.warp, outline=None),
        )
        for d in drawings
    ]
    for _ in range(2):
        for found, right in zip(runtime.draw(drawings), wanted, strict=True):
            # Single pixels of fine hair differ, as the CPU looks them up in an enlarged image.
            apart = np.abs(found.astype(int) - right).max(axis=2)
            assert apart.max() <= 16
            assert (apart > 4).mean() < 0.002
    assert asked == [2, 1, 1, 1, 1]  # the failed size is not tried again
    assert len(runtime._canvases) == 2

    def broken(*inputs: Any) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")

    runtime._renderer = broken
    with pytest.raises(CudaError, match="illegal memory access") as caught:
        runtime.draw(drawings)
    assert "\n" not in str(caught.value)
