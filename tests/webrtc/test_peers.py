"""Peers that nobody here wrote, each the real program: what docs/webrtc.md says of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from fakes.peers.network import HERE, Network, Process, refused

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(refused()), reason=refused() or "-")]

SYSTEM_PYTHON = "/usr/bin/python3"


def without_gstreamer() -> str:
    """Why GStreamer cannot be tried; empty when it can."""
    program = (
        "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None);"
        "missing = [n for n in ('webrtcbin', 'nicesrc', 'vp8enc', 'x264enc', 'avdec_h264')"
        " if not Gst.ElementFactory.find(n)]; print(*missing)"
    )
    try:
        done = subprocess.run([SYSTEM_PYTHON, "-c", program], capture_output=True, text=True, check=False)
    except OSError:
        return "no system Python"
    if done.returncode:
        return "needs python3-gst-1.0 and gir1.2-gst-plugins-bad-1.0"
    return f"GStreamer lacks {done.stdout.strip()}" if done.stdout.strip() else ""


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


def driven(server: Process, frames: int = 20) -> None:
    """Frames of the peer have driven the avatar."""
    server.until(lambda line: line.startswith("{") and json.loads(line)["made"] >= frames)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
@pytest.mark.skipif(bool(without_gstreamer()), reason=without_gstreamer() or "-")
def test_gstreamer_sends_a_camera_by_whip(network: Network, codec: str) -> None:
    server, url = network.server()
    network.run(SYSTEM_PYTHON, str(HERE / "gstreamer_peer.py"), "whip", f"{url}/whip", codec)
    driven(server)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
@pytest.mark.skipif(bool(without_gstreamer()), reason=without_gstreamer() or "-")
def test_gstreamer_plays_the_avatar_by_whep(network: Network, codec: str) -> None:
    _, url = network.server("--drive")
    player = network.run(SYSTEM_PYTHON, str(HERE / "gstreamer_peer.py"), "whep", f"{url}/whep", codec)
    player.until(lambda line: line.startswith("frames") and int(line.split()[1]) >= 20)
