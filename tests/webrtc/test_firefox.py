"""The page and the view in Firefox, whose WebRTC is another code base than Chromium's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from fakes.avatar_engine import TintEngine
from fakes.firefox import Firefox, firefox
from fakes.web import Camera, Client, served, until

from mien.streams.webrtc.app import Server

pytestmark = pytest.mark.slow

WHITE, RED = (np.full((64, 64, 3), colour, np.uint8) for colour in (255, (255, 20, 20)))

# A canvas, because Firefox takes no file for its camera; what it sends, it encodes as any camera's frames.
CAMERA = """() => {
    if (!navigator.mediaDevices) return;
    navigator.mediaDevices.getUserMedia = async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
        const context = canvas.getContext("2d");
        let turn = 0;
        setInterval(() => {
            context.fillStyle = (turn = 1 - turn) ? "rgb(150, 150, 150)" : "rgb(152, 152, 152)";
            context.fillRect(0, 0, 640, 480);
        }, 33);
        return canvas.captureStream(30);
    };
}"""
LIVE = "document.documentElement.dataset.state === 'live'"
MEAN = """(() => {
    const context = new OffscreenCanvas(8, 8).getContext("2d");
    context.drawImage(document.getElementById("avatar"), 0, 0, 8, 8);
    const { data } = context.getImageData(0, 0, 8, 8);
    return [0, 1, 2].map((c) => data.filter((_, i) => i % 4 === c).reduce((sum, v) => sum + v, 0) / 64);
})()"""


async def click(browser: Firefox, name: str) -> None:
    await browser.run(f"document.getElementById('{name}').click()")


async def colour(browser: Firefox) -> list[float]:
    found: list[float] = await browser.run(MEAN)
    return found


def test_the_page_in_firefox_from_the_lobby_to_another_portrait(tmp_path: Path) -> None:
    async def visit(browser: Firefox, server: Server) -> None:
        await browser.open(server.url)
        await browser.until("document.querySelectorAll('#gallery img').length === 2")
        await click(browser, "start")
        await browser.until("document.documentElement.hasAttribute('data-lobby')")
        await click(browser, "start")
        await browser.until(LIVE, 60)
        await browser.until("document.getElementById('lobby').hidden", 60)
        red, green, blue = await colour(browser)
        assert 100 < red < 200 and abs(red - green) < 25 and abs(red - blue) < 25, "the driver, in white"
        await browser.run("document.querySelectorAll('#gallery input')[1].click()")
        for _ in range(100):
            red, green, blue = await colour(browser)
            if green < 40:
                break
            await asyncio.sleep(0.1)
        assert red > 90 and green < 40 and blue < 40, "the red portrait, by the data channel"
        folder = os.environ.get("MIEN_SCREENSHOTS")
        if folder:
            shot = await browser.shoot()
            await asyncio.to_thread((Path(folder) / "firefox.png").write_bytes, shot)
        await click(browser, "stop")
        await until(lambda: not server.hub.streams)

    asyncio.run(asyncio.wait_for(_with_firefox(tmp_path, visit), 240))


def test_firefoxs_own_camera_and_microphone(tmp_path: Path) -> None:
    async def visit(browser: Firefox, server: Server) -> None:
        await browser.open(server.url)
        await browser.until("document.querySelectorAll('#gallery img').length === 2")
        await browser.run("document.getElementById('lobby-skip').click()")
        await click(browser, "start")
        await browser.until(LIVE, 60)
        await browser.until("document.getElementById('self').videoWidth > 0")
        assert await browser.run("document.getElementById('camera').selectedOptions[0].text")
        await click(browser, "microphone")
        await browser.until("document.getElementById('microphone').ariaPressed === 'true'")
        await browser.until("document.getElementById('avatar').srcObject.getAudioTracks().length === 1")
        await browser.until("document.getElementById('fps').textContent > 5")
        await click(browser, "stop")
        await until(lambda: not server.hub.streams)

    asyncio.run(asyncio.wait_for(_with_firefox(tmp_path, visit, "() => {}"), 240))


def test_the_view_in_firefox_which_hides_its_address(tmp_path: Path) -> None:
    """Without a camera Firefox gives its candidates mDNS names, and names itself so in ``a=rtcp``, too."""

    async def visit(browser: Firefox, server: Server) -> None:
        client = Client(server.url)
        client.send(Camera([np.full((240, 320, 3), level, np.uint8) for level in (150, 152)]))
        await client.connect("/session")
        await browser.open(f"{server.url}/view")
        await browser.until("document.getElementById('avatar').videoWidth > 0", 60)
        assert 100 < (await colour(browser))[1] < 200
        await client.close()

    asyncio.run(asyncio.wait_for(_with_firefox(tmp_path, visit), 240))


async def _with_firefox(
    folder: Path, visit: Callable[[Firefox, Server], Awaitable[None]], script: str = CAMERA
) -> None:
    async with (
        firefox(folder, script) as browser,
        served(TintEngine(), [(WHITE, "white"), (RED, "red")], mark=False) as server,
    ):
        await visit(browser, server)
