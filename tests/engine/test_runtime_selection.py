"""Choice of the runtime, and the line that says why another one is not used."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mien.cli.engine_progress import EngineProgress
from mien.engine.runtime import ENCODER, RENDERER, default_runtime, selection
from mien.engine.runtime.cuda import CudaError, driver, open_device
from mien.engine.runtime.cuda.driver import DriverCuda
from mien.engine.runtime.failover import FailoverRuntime
from mien.engine.runtime.selection import choose, live_files
from mien.engine.runtime.tensorrt.backend import EngineError, TensorRt, find_backend
from mien.engine.types import MienError

needs_no_gpu = pytest.mark.skipif(selection.device_problem() is None, reason="there is a card here")


def broken_module(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose import runs ``text``."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_missing_driver_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CudaError, match="no NVIDIA driver is installed") as caught:
        DriverCuda(str(tmp_path / "libcuda.so.1"))
    assert "\n" not in str(caught.value)


class FakeLibrary:
    """A ``libcuda`` that records its calls; ``missing`` are absent, ``failing`` return an error."""

    def __init__(self, missing: str = "", failing: str = "") -> None:
        self.called: list[str] = []
        self._missing, self._failing = missing, failing

    def __getattr__(self, name: str) -> Any:
        if name == self._missing:
            raise AttributeError(name)

        def function(*arguments: Any) -> int:
            self.called.append(name)
            if name in ("cuDeviceGetCount", "cuMemAlloc_v2"):
                arguments[0]._obj.value = 4096 if name == "cuMemAlloc_v2" else 1
            return 1 if name == self._failing else 0

        return function


def test_a_driver_too_old_for_a_call_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_load", lambda path: FakeLibrary(missing="cuDevicePrimaryCtxRetain"))
    with pytest.raises(CudaError, match=r"too old.*cuDevicePrimaryCtxRetain"):
        DriverCuda()


def test_memory_is_cleared_before_anything_is_copied_there(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeLibrary()
    monkeypatch.setattr(driver, "_load", lambda path: library)
    assert DriverCuda().allocate(16) == 4096
    assert library.called[-3:] == ["cuMemAlloc_v2", "cuMemsetD8_v2", "cuStreamSynchronize"]


def test_memory_that_cannot_be_cleared_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeLibrary(failing="cuMemsetD8_v2")
    monkeypatch.setattr(driver, "_load", lambda path: library)
    with pytest.raises(CudaError, match="cuMemsetD8_v2"):
        DriverCuda().allocate(16)
    assert library.called[-1] == "cuMemFree_v2"


@pytest.mark.parametrize("name", ["Builder", "Runtime"])
def test_a_tensorrt_without_a_usable_driver_is_reported_in_one_line(name: str) -> None:
    class Log:
        ERROR, INTERNAL_ERROR = 1, 0

    def refuse(log: Any) -> None:
        log.log(Log.ERROR, "CUDA initialization failure with error: 35\nmore")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    module = SimpleNamespace(
        __name__="tensorrt", __version__="10.0", ILogger=Log, Builder=refuse, Runtime=refuse
    )
    backend = TensorRt(module)
    with pytest.raises(EngineError, match="does not work here: CUDA initialization") as caught:
        backend.parse(b"") if name == "Builder" else backend.load(b"")
    assert "\n" not in str(caught.value)


@needs_no_gpu
def test_auto_without_a_gpu_is_silently_openvino() -> None:
    lines: list[str] = []
    cpu = default_runtime(threads=1)
    assert choose("auto", live_files(cpu, ENCODER, RENDERER), notify=lines.append) is cpu
    assert lines == []
    with pytest.raises(CudaError):
        open_device()


@needs_no_gpu
@pytest.mark.parametrize(("choice", "reason"), [("tensorrt", "NVIDIA"), ("torch", "torch")])
def test_an_unavailable_request_is_reported_in_one_line(choice: Any, reason: str) -> None:
    lines: list[str] = []
    cpu = default_runtime(threads=1)
    runtime = choose(choice, live_files(cpu, ENCODER, RENDERER), notify=lines.append)
    assert isinstance(runtime, FailoverRuntime)
    assert runtime.working is cpu
    assert len(lines) == 1
    assert reason in lines[0]
    assert lines[0].endswith("openvino is used")


@pytest.mark.parametrize(
    "text", ["raise OSError('libnvinfer.so.10: cannot open shared object file')", "import missing_part_of_it"]
)
def test_a_tensorrt_that_cannot_be_imported_is_reported_in_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_module(tmp_path, "tensorrt_broken_here", text, monkeypatch)
    with pytest.raises(EngineError, match="tensorrt_broken_here cannot be imported: ") as caught:
        find_backend(("tensorrt_broken_here",))
    assert "\n" not in str(caught.value)


def test_a_missing_tensorrt_is_reported_with_the_command_to_install_it() -> None:
    with pytest.raises(EngineError, match=r"pip install .*mien\[tensorrt-rtx\]"):
        find_backend(("no_such_tensorrt",))


def test_torch_tensorrt_without_a_driver_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.export.torch_tensorrt_target import load_torch_tensorrt

    text = "raise RuntimeError('Found no NVIDIA driver on your system.\\nPlease check ...')"
    broken_module(tmp_path, "torch_tensorrt", text, monkeypatch)
    with pytest.raises(EngineError, match="cannot be used here: Found no NVIDIA driver") as caught:
        load_torch_tensorrt()
    assert "\n" not in str(caught.value)


def test_a_torch_without_cuda_or_driver_is_reported_in_one_line() -> None:
    import torch

    from mien.engine.runtime.torch_cuda import import_torch

    if torch.cuda.is_available():
        pytest.skip("there is a card here")
    with pytest.raises(MienError, match=r"without CUDA|finds no NVIDIA GPU") as caught:
        import_torch()
    assert "\n" not in str(caught.value)


def test_the_doctor_shows_gpu_and_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    assert str(tmp_path) in selection.describe_engines()
    (tmp_path / "live-renderer-0.engine").write_bytes(b"nonsense")
    assert "live-renderer-0.engine damaged" in selection.describe_engines()
    assert "\n" not in selection.describe_gpu()


def test_builds_are_reported_once_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    told = EngineProgress()
    for share in (0.0, 0.5, 1.0):
        told.progress("live-renderer", share)
    told.note("something to read")
    assert capsys.readouterr().err.splitlines() == [
        "mien: building the GPU engine live-renderer",
        "mien: something to read",
    ]
