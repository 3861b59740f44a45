"""``--webrtc`` as a program: what contradicts itself is refused, SIGTERM drains, logs are JSON if wished."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import run_live
from mien.cli.build import make_runtime
from mien.cli.live.speed import server_network
from mien.cli.model_choice import load_model
from mien.cli.options.arguments import parse
from mien.cli.web.engine import LocalEngine, changed
from mien.cli.web.run import settings_of
from mien.engine.motion import Gains
from mien.engine.runtime import Network, OpenVinoRuntime, selection
from mien.engine.runtime.failover import FailoverRuntime
from mien.engine.runtime.openvino_parts import PartedRenderer
from mien.engine.types import MienError
from mien.engine.utils.assets import ASSETS

ROOT = Path(run_live.__file__).parent


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--port", "9000"], "--port is for the web server"),
        (["--ice-server", "stun:a:1"], "--ice-server is for the web server"),
        (["--webrtc", "--port", "70000"], "not a valid port"),
        (["--webrtc", "--max-sessions", "0"], "not a valid number of sessions"),
        (["--webrtc", "--driving", "talk.mp4"], "no file can drive it"),
        (["--webrtc", "--demo"], "no file can drive it"),
        (["--webrtc", "--output", "a.mp4"], "writes no file"),
        (["--webrtc", "--profile", "anna"], "one person at one camera"),
        (["--webrtc", "--virtual-camera", "--host", "0.0.0.0"], "lets others drive"),
        (["--webrtc", "--cert", "a.pem"], "--cert and --key belong together"),
        (["--webrtc", "--token", "short"], "at least 8 characters"),
        (["--publish", "ftp://a/whip"], "begins with http"),
        (["--whep-source", "http://a/whep", "--driving", "0"], "Leave one out"),
        (["--webrtc", "--ice-server", "http://a"], "stun:HOST:PORT"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_make_no_sense_are_refused_in_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_live.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("mien: ")
    assert error.count("\n") == 1
    assert says in error


def test_the_options_become_settings() -> None:
    words = [
        "--webrtc",
        "--host",
        "0.0.0.0",
        "--max-sessions",
        "7",
        "--no-mark",
        "--ice-server",
        "stun:a:3478",
    ]
    settings = settings_of(parse(words))
    assert (settings.host, settings.port, settings.max_sessions, settings.mark) == ("0.0.0.0", 8080, 7, False)
    assert settings.token
    assert settings.ice_servers[0].url == "stun:a:3478"
    assert settings_of(parse(["--webrtc"])).token is None


def test_the_pages_gains_become_the_engines() -> None:
    gains = changed(Gains(), {"expression": 0.5, "eyes": 2.0, "micro": 3.0})
    assert (gains.expression, gains.micro, gains.regions) == (0.5, 3.0, {"eyes": 2.0})
    assert changed(gains, {"eyes": 1.0}).regions == {"eyes": 1.0}
    with pytest.raises(MienError, match="micro gain"):
        changed(gains, {"micro": 0.0})


@pytest.mark.parametrize(
    ("model", "cores", "network"),
    [
        ("live", 2, Network.OFF),
        ("live", 8, Network.BACKGROUND),
        ("live-fast", 2, Network.BACKGROUND),
        ("live-exact", 2, Network.EVERY_FRAME),
        ("folder", 2, Network.OFF),
    ],
)
def test_a_server_on_two_cores_leaves_the_network_out_unless_asked(
    model: str, cores: int, network: Network
) -> None:
    assert server_network(parse(["--webrtc", "--model", model]), cores) is network


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[PartedRenderer]:
    """The networks that were run, and so compiled."""
    found: list[PartedRenderer] = []
    run = PartedRenderer.run

    def counted(self: PartedRenderer) -> None:
        found.append(self)
        run(self)

    monkeypatch.setattr(PartedRenderer, "run", counted)
    return found


@pytest.mark.parametrize(("cores", "network"), [(2, Network.OFF), (8, Network.BACKGROUND)])
def test_a_server_starts_without_waiting_for_the_network(
    cores: int, network: Network, runs: list[PartedRenderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    engine = LocalEngine(parse(["--webrtc", "--runtime", "openvino", "--threads", "1"]))
    engine.load()
    assert isinstance(engine._runtime, OpenVinoRuntime) and engine._runtime.network is network
    assert not runs, "beside the frames its first run compiles it, in its own thread"
    engine.close()


def refuse(*_: object) -> None:
    raise MienError("the card is busy")


@pytest.mark.parametrize("folder", [False, True])
def test_a_server_with_a_card_keeps_the_network_on_the_processor_until_the_card_takes_over(
    folder: bool, runs: list[PartedRenderer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "tensorrt_installed", lambda: True)
    monkeypatch.setattr(selection, "device_problem", lambda: None)
    monkeypatch.setattr(selection, "on_device", refuse)
    monkeypatch.setattr(selection, "torch_has_gpu", lambda: False)
    if folder:
        runtime = load_model(ASSETS, 1, "auto", alone=Network.OFF)
    else:
        runtime = make_runtime(parse(["--webrtc", "--threads", "1"]), Network.OFF)
    assert isinstance(runtime, FailoverRuntime)
    working = runtime.wait()
    assert isinstance(working, OpenVinoRuntime)
    assert working.network is Network.EVERY_FRAME
    assert runs
    runtime.close()


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run_live.main(["--webrtc", "--port", str(port)]) == 2
    assert f"port {port}" in capsys.readouterr().err


@contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program, and its address."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_live.py"), "--webrtc", "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        found = re.search(r"https?://\S+", process.stdout.readline())
        assert found is not None
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_ready(url: str) -> None:
    end = time.monotonic() + 90
    while get(f"{url}/readyz")[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
def test_sigterm_says_goodbye_to_everybody_and_ends_cleanly() -> None:
    import numpy as np
    from fakes.web import Camera, Client, until

    with running("--log-json") as (process, url):
        wait_until_ready(url)

        async def visit() -> None:
            client = Client(url)
            client.send(Camera([np.zeros((120, 160, 3), np.uint8)]))
            client.control()
            await client.connect("/session")
            await until(lambda: client.heard("hello"), 60)
            process.send_signal(signal.SIGTERM)
            await until(lambda: client.heard("error"), 20)
            assert "shutting down" in client.heard("error")[0]["text"]
            await client.close()

        asyncio.run(visit())
        assert process.wait(20) == 0
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert [line["event"] for line in lines] == ["ready", "page open", "stopping", "page closed", "stopped"]
    assert lines[3]["reason"] == "the server ended"
    assert all({"time", "level"} <= set(line) for line in lines)


@pytest.mark.slow
def test_a_bad_portrait_ends_the_program_with_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_live.py"), "--webrtc", "--port", "0", "--avatar", str(bad)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert "bad.png is not an image file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0, 2.5])
def test_sigterm_ends_the_server_within_five_seconds_while_it_still_loads(after_s: float) -> None:
    with running("--log-json") as (process, _):
        time.sleep(after_s)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
        took = time.monotonic() - begun
    print(f"\nSIGTERM {after_s} s after the address was printed: ended after {took:.1f} s")
    assert status == 0
    assert took < 5.5
