"""The Janus gateway behind a WHIP endpoint: ``janus_peer.py serve PORT FOLDER``.

Janus has an API of its own; this translates: one room takes what is published at /whip, and forwards its
video as plain RTP, whose packets are counted.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, web

API, RTP = 8088, 5004
CONFIGURATION = {
    "janus.jcfg": "general: { session_timeout = 0 }",
    "janus.transport.http.jcfg": f'general: {{ http = true port = {API} ip = "127.0.0.1" https = false }}',
    "janus.plugin.videoroom.jcfg": 'room-1: { publishers = 1 videocodec = "vp8" audiocodec = "opus" }',
}
PUBLISHER = 7


class Packets(asyncio.DatagramProtocol):
    """Counts what is forwarded."""

    count = 0

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.count += 1
        if self.count % 10 == 0:
            print("packets", self.count, flush=True)


class Room:
    """Janus' HTTP API, as far as one publisher needs it."""

    def __init__(self, http: ClientSession) -> None:
        self._http, self._session = http, f"http://127.0.0.1:{API}/janus"

    async def begin(self) -> None:
        """Wait until Janus answers, and open a session."""
        for _ in range(400):
            try:
                found = await self._say(self._session, {"janus": "create"})
                break
            except ClientError:
                await asyncio.sleep(0.05)
        self._session += f"/{found['data']['id']}"

    async def whip(self, request: web.Request) -> web.Response:
        """Take what is published, and forward it."""
        attach = {"janus": "attach", "plugin": "janus.plugin.videoroom"}
        handle = f"{self._session}/{(await self._say(self._session, attach))['data']['id']}"
        join = {"request": "joinandconfigure", "room": 1, "ptype": "publisher", "id": PUBLISHER}
        offer = {"type": "offer", "sdp": await request.text()}
        await self._say(handle, {"janus": "message", "body": join, "jsep": offer})
        found: dict[str, Any] = {}
        while "jsep" not in found:
            async with self._http.get(self._session) as response:
                found = await response.json(content_type=None)
        forward = {"request": "rtp_forward", "room": 1, "publisher_id": PUBLISHER, "host": "127.0.0.1"}
        forward["streams"] = [{"mid": "0", "port": RTP}]
        print("forward", await self._say(handle, {"janus": "message", "body": forward}), flush=True)
        headers = {"Location": "/whip/1", "Content-Type": "application/sdp"}
        return web.Response(status=201, text=found["jsep"]["sdp"], headers=headers)

    async def _say(self, where: str, what: dict[str, Any]) -> dict[str, Any]:
        async with self._http.post(where, json={"transaction": "t", **what}) as response:
            return dict(await response.json(content_type=None))


async def main(port: int, folder: Path) -> None:
    for name, text in CONFIGURATION.items():
        (folder / name).write_text(text, encoding="utf-8")
    janus = await asyncio.create_subprocess_exec("janus", "-F", str(folder), "-o")
    try:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(Packets, local_addr=("127.0.0.1", RTP))
        async with ClientSession() as http:
            room = Room(http)
            await room.begin()
            app = web.Application()
            app.router.add_post("/whip", room.whip)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            print("serving", flush=True)
            await janus.wait()
    finally:
        janus.kill()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[2]), Path(sys.argv[3])))
