"""Network streams over this machine's own loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from fakes.media import beeps, gradient, make_video

from mien.engine.types import MienError
from mien.streams.factory import open_source
from mien.streams.network_source import NetworkSource, without_password


@contextmanager
def sender(data: bytes, *, seconds: float = 0.0, hang: bool = False) -> Iterator[str]:
    """A server that sends ``data`` over ``seconds`` to whoever connects, then ends or hangs."""
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        try:
            connection, _ = server.accept()
            with connection:
                for i in range(100):
                    connection.sendall(data[len(data) * i // 100 : len(data) * (i + 1) // 100])
                    time.sleep(seconds / 100)
                if hang:
                    done.wait(20)
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        done.set()
        server.close()
        thread.join(2)


@pytest.fixture(scope="module")
def transport_stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    images = [gradient(i, 160, 120) for i in range(100)]
    options = {"g": "10", "bf": "0", "tune": "zerolatency"}
    path = make_video(
        tmp_path_factory.mktemp("ts") / "a.ts",
        images,
        muxer="mpegts",
        options=options,
        sound=beeps([0.5], 4.0),
    )
    return path.read_bytes()


def test_a_network_stream_is_live_and_ends(transport_stream: bytes) -> None:
    with sender(transport_stream, seconds=1) as address, open_source(address) as source:
        frames = list(source)
        info = source.info
    assert (info.width, info.height, info.live, info.has_audio) == (160, 120, True, True)
    assert len(frames) + source.dropped >= 90  # type: ignore[attr-defined]
    assert len(frames) > 20
    assert all(a.index < b.index for a, b in pairwise(frames))


def test_a_silent_sender_becomes_a_line(transport_stream: bytes) -> None:
    with (
        sender(transport_stream, seconds=0.3, hang=True) as address,
        NetworkSource(address, timeout=0.5) as source,
    ):
        start = time.monotonic()
        with pytest.raises(MienError, match=r"stopped delivering frames|broke off"):
            list(source)
        assert time.monotonic() - start < 5


def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(MienError, match=f"tcp://127.0.0.1:{port} cannot be opened") as caught:
        open_source(f"tcp://127.0.0.1:{port}")
    assert "\n" not in str(caught.value)


def test_a_server_that_sends_no_video() -> None:
    with sender(b"Hello, I am not a camera. " * 100) as address, pytest.raises(MienError) as caught:
        NetworkSource(address, timeout=1, open_timeout=2)
    assert "\n" not in str(caught.value)


def test_a_recording_on_a_web_server_plays_at_its_own_speed(tmp_path: Path) -> None:
    import http.server

    make_video(tmp_path / "a.mp4", [gradient(i) for i in range(25)])

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        start = time.monotonic()
        with open_source(f"http://127.0.0.1:{server.server_port}/a.mp4") as source:
            frames = list(source)
        assert 0.8 < time.monotonic() - start < 3
        assert len(frames) > 15
    finally:
        server.shutdown()
        server.server_close()


def test_passwords_stay_off_the_screen() -> None:
    assert without_password("rtsp://me:secret@cam.local:554/1") == "rtsp://me:***@cam.local:554/1"
    assert without_password("rtsp://cam.local:554/1") == "rtsp://cam.local:554/1"
