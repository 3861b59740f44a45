"""Nothing leaves the machine: every connection that a run makes is watched, system call by system call."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.drivers import make_driver, talking
from network_watch import ROOT, can_trace, leaks, traced

pytestmark = [
    pytest.mark.skipif(not can_trace(), reason="strace cannot run here"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def clip(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    return make_driver(folder / "talk.mkv", talking(carphone, 25), sound=True)


@pytest.fixture
def address(clip: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(clip.parent))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{clip.name}"
    server.shutdown()
    server.server_close()


def test_the_demo_stays_on_this_machine(tmp_path: Path) -> None:
    lines = traced(tmp_path, ROOT / "run_live.py", "--demo", "--crop", "--size", "64")
    assert leaks(lines) == []
    assert (tmp_path / "mien-demo.mp4").exists()


def test_a_file_run_stays_on_this_machine(clip: Path, tmp_path: Path) -> None:
    lines = traced(tmp_path, ROOT / "run_live.py", "--driving", clip, "--output", "out.mp4")
    assert leaks(lines) == []
    assert (tmp_path / "out.mp4").exists()


def test_a_live_run_reaches_its_source_alone(address: str, tmp_path: Path) -> None:
    lines = traced(tmp_path, ROOT / "run_live.py", "--driving", address, "--output", "out.mp4")
    port = address.split(":")[2].split("/")[0]
    assert any(f"htons({port})" in line for line in lines), "the trace sees connections"
    assert leaks(lines) == []
    assert (tmp_path / "out.mp4").exists()


def test_the_doctor_stays_on_this_machine(tmp_path: Path) -> None:
    assert leaks(traced(tmp_path, ROOT / "run_live.py", "--doctor")) == []


def test_openvino_imported_past_its_silent_door_is_caught(tmp_path: Path) -> None:
    """The test of the test: OpenVINO's own import reaches for the network, and is seen to."""
    code = "import openvino, openvino_telemetry, time; time.sleep(3)"
    found = leaks(traced(tmp_path, "-c", code))
    assert found, "this OpenVINO reports nothing any more: plant something else that does"


def test_a_planted_look_up_is_caught(tmp_path: Path) -> None:
    code = "import socket\ntry: socket.create_connection(('mien.invalid', 443), 2)\nexcept OSError: pass"
    assert leaks(traced(tmp_path, "-c", code))
    code = "import socket\ntry: socket.create_connection(('192.0.2.1', 443), 1)\nexcept OSError: pass"
    assert any("192.0.2.1" in line for line in leaks(traced(tmp_path, "-c", code)))


def test_openvino_comes_through_its_silent_door() -> None:
    """Its import is what reports; :mod:`mien.engine.utils.openvino_core` silences it first."""
    at_once = re.compile(r"^(import|from) openvino\b", re.MULTILINE)
    anywhere = re.compile(r"^\s*(import|from) openvino\b", re.MULTILINE)
    folders = ("cli", "engine", "streams", "train", "export")
    for path in [ROOT / "run_live.py", *(path for name in folders for path in (ROOT / name).rglob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        assert not at_once.search(text), f"{path} imports openvino before anyone could silence it"
        if anywhere.search(text):
            assert "load_openvino()" in text, path
