"""Peers that nobody here wrote, each the real program: what docs/webrtc.md says of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
        done = subprocess.run(
            [SYSTEM_PYTHON, "-c", program], capture_output=True, text=True, check=False, encoding="utf-8"
        )
    except OSError:
        return "no system Python"
    if done.returncode:
        return "needs python3-gst-1.0 and gir1.2-gst-plugins-bad-1.0"
    return f"GStreamer lacks {done.stdout.strip()}" if done.stdout.strip() else ""


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


def driven(server: Process, frames: int = 20, seconds: float = 45) -> None:
    """Frames of the peer have driven the avatar."""
    server.until(lambda line: line.startswith("{") and json.loads(line)["made"] >= frames, seconds)


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


NODE_PACKAGES = ("werift@0.22.9", "node-datachannel@0.33.4", "@roamhq/wrtc@0.10.0")
"""werift 0.23 and later want a newer Node than Debian and CI have."""


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm packages, by npm's ordinary client."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("npm")
    words = ["npm", "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    if done.returncode:
        pytest.skip(f"npm cannot get {' '.join(NODE_PACKAGES)}: {done.stderr[-200:]}")
    return folder


LIBRARIES = pytest.mark.parametrize("library", ["werift", "libdatachannel", "libwebrtc"])
PLAYERS = pytest.mark.parametrize("library", ["werift", "libdatachannel", "obs", "libwebrtc"])


def node_peer(network: Network, folder: Path, *words: str) -> Process:
    """Node inside the network, in the folder of its packages."""
    program = 'cd "$0" && exec node "$@"'
    return network.run("sh", "-c", program, str(folder), str(HERE / "node_peer.mjs"), *words)


@PLAYERS
def test_a_node_peer_plays_from_one_server_and_publishes_to_another(
    network: Network, node: Path, library: str
) -> None:
    _, played = network.server("--drive")
    published, url = network.server()
    node_peer(network, node, library, "relay", f"{played}/whep", f"{url}/whip")
    driven(published)


@LIBRARIES
def test_mien_publishes_to_another_server_and_plays_from_it(
    network: Network, node: Path, library: str
) -> None:
    other = node_peer(network, node, library, "serve", "8765")
    other.until(lambda line: line == "serving")
    player, _ = network.server("--play", "http://127.0.0.1:8765/whep")
    player.until(lambda line: "playing" in line)
    network.server("--drive", "--publish", "http://127.0.0.1:8765/whip")
    driven(player)


PYTHON_PACKAGES = ("wrtc==0.1.0", "tatolab-webrtc==0.55.4")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the PyPI packages, by pip's ordinary client, beside those of the environment."""
    folder = tmp_path_factory.mktemp("wheels")
    words = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*words, "--target", str(folder), *PYTHON_PACKAGES],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    if done.returncode:
        pytest.skip(f"pip cannot get {' '.join(PYTHON_PACKAGES)}: {done.stderr[-200:]}")
    return folder


def python_peer(network: Network, wheels: Path, *words: str) -> Process:
    """A peer on those packages, inside the network."""
    return network.run("env", f"PYTHONPATH={wheels}", sys.executable, str(HERE / words[0]), *words[1:])


@pytest.mark.parametrize("program", ["libwebrtc_peer.py", "webrtc_rs_peer.py"])
def test_a_peer_from_pypi_plays_from_one_server_and_publishes_to_another(
    network: Network, wheels: Path, program: str
) -> None:
    _, played = network.server("--drive")
    published, url = network.server()
    python_peer(network, wheels, program, "relay", f"{played}/whep", f"{url}/whip")
    driven(published)


def test_mien_publishes_to_chromes_library_of_today_and_plays_from_it(network: Network, wheels: Path) -> None:
    other = python_peer(network, wheels, "libwebrtc_peer.py", "serve", "8765")
    other.until(lambda line: line == "serving")
    player, _ = network.server("--play", "http://127.0.0.1:8765/whep")
    player.until(lambda line: "playing" in line)
    network.server("--drive", "--publish", "http://127.0.0.1:8765/whip")
    driven(player)


@pytest.mark.skipif(shutil.which("janus") is None, reason="needs janus")
def test_mien_publishes_to_janus(network: Network, tmp_path: Path) -> None:
    janus = network.run(sys.executable, str(HERE / "janus_peer.py"), "serve", "8765", str(tmp_path))
    janus.until(lambda line: line == "serving")
    network.server("--drive", "--publish", "http://127.0.0.1:8765/whip")
    janus.until(lambda line: line.startswith("packets") and int(line.split()[1]) >= 50)


WHIP_CLIENT_VIDEO = (
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! videoconvert "
    "! vp8enc deadline=1 ! rtpvp8pay pt=96 ! application/x-rtp,media=video,encoding-name=VP8,payload=96"
)


@pytest.fixture(scope="session")
def without_two_libsoups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A libgupnp-igd that does nothing.

    Debian 12's ``whip-client`` wants libsoup 2, its libnice by way of libgupnp-igd libsoup 3, and both end a
    process in which the other is.  Nothing asks a router for anything here.
    """
    folder = tmp_path_factory.mktemp("lib")
    names = ("add_port", "get_type", "remove_port_local", "thread_new")
    code = "".join(f"void *gupnp_simple_igd_{name}(void) {{ return 0; }}\n" for name in names)
    (folder / "stub.c").write_text(code, encoding="utf-8")
    words = ["cc", "-shared", "-fPIC", "-o", "libgupnp-igd-1.0.so.4", "stub.c"]
    subprocess.run(words, cwd=folder, check=True)
    return folder


@pytest.mark.skipif(
    shutil.which("whip-client") is None or shutil.which("cc") is None,
    reason="needs simple-whip-client and cc",
)
def test_the_simple_whip_client_of_januss_makers_sends_and_trickles(
    network: Network, without_two_libsoups: Path
) -> None:
    server, url = network.server()
    words = ["whip-client", "-u", f"{url}/whip", "-V", WHIP_CLIENT_VIDEO]
    network.run("env", f"LD_LIBRARY_PATH={without_two_libsoups}", *words)
    driven(server)


GO_LIBRARIES = Path("/usr/share/gocode")


@pytest.fixture(scope="session")
def pion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The peer on Pion, built with Debian's packages of Go and Pion."""
    if (
        shutil.which("go", path="/usr/bin") is None
        or not (GO_LIBRARIES / "src/github.com/pion/webrtc").is_dir()
    ):
        pytest.skip("needs golang-go and golang-github-pion-webrtc.v3-dev")
    folder = tmp_path_factory.mktemp("go")
    source = folder / "src" / "peer"
    source.mkdir(parents=True)
    shutil.copy(HERE / "pion_peer.go", source / "main.go")
    # Without modules a path with a version in it is understood below a go.mod alone.
    (source / "go.mod").write_text("module peer\n", encoding="utf-8")
    where = {
        "GO111MODULE": "off",
        "GOPATH": f"{folder}:{GO_LIBRARIES}",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
    }
    words = ["/usr/bin/go", "build", "-o", str(folder / "pion-peer"), "."]
    subprocess.run(words, cwd=source, env={**os.environ, **where}, check=True)
    return folder / "pion-peer"


def test_pion_plays_from_one_server_and_publishes_to_another(network: Network, pion: Path) -> None:
    _, played = network.server("--drive")
    published, url = network.server()
    network.run(str(pion), "relay", f"{played}/whep", f"{url}/whip")
    driven(published)


def test_mien_publishes_to_a_server_on_pion_that_takes_no_sound_and_plays_from_it(
    network: Network, pion: Path
) -> None:
    other = network.run(str(pion), "serve", "8765")
    other.until(lambda line: line == "serving")
    player, _ = network.server("--play", "http://127.0.0.1:8765/whep")
    player.until(lambda line: "playing" in line)
    network.server("--drive", "--publish", "http://127.0.0.1:8765/whip")
    driven(player)


def ffmpeg_has_whip() -> bool:
    import av

    return "whip" in av.formats_available


WHIP = pytest.mark.skipif(not ffmpeg_has_whip(), reason="PyAV's FFmpeg has no WHIP muxer")


@WHIP
def test_ffmpeg_sends_h264_high_with_a_certificate_of_p_256(network: Network, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    kind = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=mien",
    ]
    words = ["openssl", "req", "-x509", *kind, "-subj", "/CN=mien", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True)
    server, url = network.server()
    network.run(sys.executable, str(HERE / "ffmpeg_peer.py"), f"{url}/whip", str(cert), str(key))
    driven(server)


@WHIP
def test_ffmpegs_own_certificate_works_or_its_failure_is_said(network: Network) -> None:
    server, url = network.server()
    network.run(sys.executable, str(HERE / "ffmpeg_peer.py"), f"{url}/whip")

    def settled(line: str) -> bool:
        found = json.loads(line) if line.startswith("{") else {"made": 0, "log": []}
        return found["made"] >= 20 or any("handshake" in said for said in found["log"])

    found = json.loads(server.until(settled))
    print(f"\nFFmpeg's own certificate: {found}")
    assert found["made"] >= 20 or any("DTLS handshake failed" in said for said in found["log"])
