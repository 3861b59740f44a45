"""Clients from npm in a real browser, which others wrote: they publish, and they play."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from aiohttp import web
from conftest import read_clip
from fakes.avatar_engine import TintEngine
from fakes.web import served, until

from mien.engine.types import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "only-for-the-test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None or shutil.which("npm") is None, reason="needs chromium and npm"),
]

PAGE = """<!doctype html><title>whip-whep</title><video id=out autoplay muted playsinline></video>
<script type=module>
import { WHIPClient } from "/whip.js";
import { WHEPClient } from "/whep.js";
window.publish = async (url, token) => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  pc.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", streams: [stream] });
  window.whip = new WHIPClient();
  window.whipPeer = pc;
  await window.whip.publish(pc, url, token);
};
window.view = async (url, token) => {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  pc.addTransceiver("video", { direction: "recvonly" });
  pc.addTransceiver("audio", { direction: "recvonly" });
  pc.ontrack = (event) => { if (event.track.kind === "video")
    document.getElementById("out").srcObject = new MediaStream([event.track]); };
  window.whep = new WHEPClient();
  window.whepPeer = pc;
  await window.whep.view(pc, url, token);
};
window.colour = () => {
  const video = document.getElementById("out");
  const canvas = new OffscreenCanvas(16, 16);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 16, 16);
  const data = context.getImageData(0, 0, 16, 16).data;
  let sum = [0, 0, 0];
  for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; ++c) sum[c] += data[i + c] / 256;
  return [video.videoWidth, ...sum];
};
</script>"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's files, by npm's ordinary client."""
    folder = tmp_path_factory.mktemp("npm")
    done = subprocess.run(
        ["npm", "pack", "--silent", "whip-whep@1.2.0"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    if done.returncode:
        pytest.skip(f"npm cannot get whip-whep: {done.stderr[-200:]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


@pytest.fixture(scope="module")
def camera(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Y4M file of a real face for Chromium's fake camera."""
    path = tmp_path_factory.mktemp("y4m") / "face.y4m"
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n")
        for frame in read_clip(carphone, 60):
            large = cv2.resize(frame, (640, 480))
            file.write(b"FRAME\n" + cv2.cvtColor(large, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@pytest.fixture
def blue() -> Iterator[Image]:
    yield np.full((64, 64, 3), (30, 30, 255), np.uint8)


async def _site(package: Path, text: str = PAGE) -> tuple[web.AppRunner, str]:
    """The client's own web site: another origin than the server's."""
    app = web.Application()

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    app.router.add_get("/", index)
    app.router.add_static("/", package)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/"


async def _chromium(driver: Any, camera: Path) -> Any:
    return await driver.chromium.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
            "--autoplay-policy=no-user-gesture-required",
        ],
    )


def test_whip_whep_publishes_a_camera_and_plays_the_avatar(package: Path, camera: Path, blue: Image) -> None:
    from playwright.async_api import async_playwright

    async def run() -> None:
        runner, url = await _site(package)
        engine = TintEngine()
        async with served(engine, [(blue, "blue")], token=TOKEN) as server, async_playwright() as driver:
            browser = await _chromium(driver, camera)
            errors: list[str] = []
            page = await browser.new_page(viewport={"width": 900, "height": 700})
            page.on("pageerror", lambda error: errors.append(str(error)))
            await page.goto(url)
            await page.evaluate(f"publish('{server.url}/whip', '{TOKEN}')")
            await page.evaluate(f"view('{server.url}/whep', '{TOKEN}')")
            await page.wait_for_function("document.getElementById('out').currentTime > 0.5", timeout=30_000)
            width, red, green, blue_ = await page.evaluate("colour()")
            assert width == 256
            assert blue_ > 2 * max(red, green), "the avatar's colour, not the camera's"
            assert engine.sessions[0].made > 5
            await asyncio.sleep(1)  # for the trickled candidates
            await page.evaluate("whep.stop()")
            await page.evaluate("whip.stop()")
            assert not server.hub.resources
            assert not server.hub.streams
            assert errors == []
            await browser.close()
        await runner.cleanup()

    asyncio.run(asyncio.wait_for(run(), 120))


EYEVINN = ("@eyevinn/whip-web-client@1.1.7", "@eyevinn/webrtc-player@0.13.0", "esbuild@0.25.0")
EYEVINN_ENTRY = """
import { WHIPClient } from "@eyevinn/whip-web-client";
import { WebRTCPlayer } from "@eyevinn/webrtc-player";
window.publish = async (endpoint, authkey) => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  window.whip = new WHIPClient({ endpoint, opts: { authkey, iceServers: [] } });
  await window.whip.ingest(stream);
};
window.view = async (url, token) => {
  const video = document.getElementById("out");
  window.player = new WebRTCPlayer({ video, type: "whep", iceServers: [], statsTypeFilter: "^candidate-*" });
  await window.player.load(new URL(url), `Bearer ${token}`);
};
"""


@pytest.fixture(scope="module")
def eyevinn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eyevinn's two clients, bundled for a page as their users do."""
    folder = tmp_path_factory.mktemp("eyevinn")
    (folder / "entry.js").write_text(EYEVINN_ENTRY, encoding="utf-8")
    bundle = "npx esbuild entry.js --bundle --format=esm --outfile=site/bundle.js --log-level=error"
    for words in (["npm", "install", "--silent", "--no-audit", "--no-fund", *EYEVINN], bundle.split()):
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8"
        )
        if done.returncode:
            pytest.skip(f"npm cannot make Eyevinn's clients: {done.stderr[-200:]}")
    return folder / "site"


def test_eyevinns_clients_publish_a_camera_and_play_the_avatar(
    eyevinn: Path, camera: Path, blue: Image
) -> None:
    from playwright.async_api import async_playwright

    shared = PAGE[PAGE.index("window.colour") : PAGE.index("</script>")]
    text = (
        "<!doctype html><title>Eyevinn</title><video id=out autoplay muted playsinline></video>"
        f'<script type=module src="/bundle.js"></script><script>{shared}</script>'
    )

    async def run() -> None:
        runner, url = await _site(eyevinn, text)
        engine = TintEngine()
        async with served(engine, [(blue, "blue")], token=TOKEN) as server, async_playwright() as driver:
            browser = await _chromium(driver, camera)
            page = await browser.new_page(viewport={"width": 900, "height": 700})
            await page.goto(url)
            await page.evaluate(f"publish('{server.url}/whip', '{TOKEN}')")
            await until(lambda: engine.sessions and engine.sessions[0].made > 5, 30)
            await page.evaluate(f"view('{server.url}/whep', '{TOKEN}')")
            await page.wait_for_function("document.getElementById('out').currentTime > 0.5", timeout=30_000)
            width, red, green, blue_ = await page.evaluate("colour()")
            assert width == 256
            assert blue_ > 2 * max(red, green), "the avatar's colour, not the camera's"
            await browser.close()
        await runner.cleanup()

    asyncio.run(asyncio.wait_for(run(), 120))
