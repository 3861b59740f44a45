"""A real Firefox, headless, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
PREFERENCES = {
    "media.autoplay.default": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    # A camera and a microphone that are made up, and nobody is asked for.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
}
START_S = 60.0
ANSWER_S = 60.0


class Firefox:
    """One tab of it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._tab = ""

    async def begin(self, script: str) -> None:
        """Start a session, in which ``script`` (a function) runs at the start of every page."""
        await self.ask("session.new", capabilities={})
        tree = await self.ask("browsingContext.getTree")
        self._tab = tree["contexts"][0]["context"]
        await self.ask("script.addPreloadScript", functionDeclaration=script)

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command, and what it gives."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = json.loads(await self._socket.receive_str(timeout=ANSWER_S))
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                found: dict[str, Any] = answer["result"]
                return found

    async def open(self, url: str) -> None:
        await self.ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    async def run(self, expression: str) -> Any:
        """The value, JSON, of an expression or a promise in the page."""
        target = {"context": self._tab}
        text = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        found = await self.ask(
            "script.evaluate", expression=text, target=target, awaitPromise=True, userActivation=True
        )
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    async def until(self, expression: str, seconds: float = 30) -> Any:
        """Wait until the expression is true."""
        end = asyncio.get_running_loop().time() + seconds
        while not (value := await self.run(expression)):
            assert asyncio.get_running_loop().time() < end, f"not within {seconds} s: {expression}"
            await asyncio.sleep(0.1)
        return value

    async def shoot(self) -> bytes:
        """A PNG of the page."""
        found = await self.ask("browsingContext.captureScreenshot", context=self._tab)
        return base64.b64decode(found["data"])


@contextlib.asynccontextmanager
async def firefox(folder: Path, script: str) -> AsyncIterator[Firefox]:
    """A Firefox with an empty profile in ``folder``."""
    if PROGRAM is None:
        pytest.skip("no firefox here; apt-get install firefox-esr")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        address = await asyncio.wait_for(_address(process.stderr), START_S)
        drain = asyncio.ensure_future(process.stderr.read())
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{address}/session", max_msg_size=0) as socket,
        ):
            found = Firefox(socket)
            await found.begin(script)
            yield found
        drain.cancel()
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 15)
        except asyncio.TimeoutError:
            process.kill()


async def _address(lines: asyncio.StreamReader) -> str:
    while line := (await lines.readline()).decode():
        if "WebDriver BiDi listening on" in line:
            return line.split()[-1]
    raise AssertionError("Firefox ended at its start")
