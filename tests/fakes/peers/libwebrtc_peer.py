"""Chrome's libwebrtc from PyPI (``wrtc``), which passes on the images that it gets.

``libwebrtc_peer.py relay WHEP_URL WHIP_URL`` plays from one server and publishes to the other;
``libwebrtc_peer.py serve PORT`` takes WHIP at /whip and gives the same video as WHEP at /whep.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import webrtc
from aiohttp import ClientSession, web


class Peer:
    """One connection; ``pass_on`` takes its images, ``send`` gives it some."""

    def __init__(self) -> None:
        self.pc = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(ice_servers=[]))
        self.pc.on(
            "connectionstatechange", lambda _: print("connection", self.pc.connection_state, flush=True)
        )
        self.out = webrtc.VideoTrackGenerator()
        self._writer = self.out.writable.get_writer()

    async def described(self, description: Any) -> str:
        """The local description with all candidates."""
        complete = asyncio.Event()
        self.pc.on("icecandidate", lambda event: event.candidate is None and complete.set())
        await self.pc.set_local_description(description)
        await complete.wait()
        return str(self.pc.local_description.sdp)

    async def post(self, http: ClientSession, url: str, way: str) -> None:
        """Offer by WHIP (``sendonly``) or WHEP (``recvonly``)."""
        init = webrtc.RTCRtpTransceiverInit(direction=way)
        self.pc.add_transceiver(self.out.track if way == "sendonly" else "video", init)
        offer = await self.described(await self.pc.create_offer())
        headers = {"Content-Type": "application/sdp"}
        async with http.post(url, data=offer, headers=headers) as response:
            text = await response.text()
            assert response.status == 201, (url, response.status, text)
        await self.pc.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", text))

    async def answer(self, sdp: str, *, sends: bool) -> str:
        """The answer to another server's offer."""
        await self.pc.set_remote_description(webrtc.RTCSessionDescriptionInit("offer", sdp))
        if sends:
            video = next(t for t in self.pc.get_transceivers() if t.receiver.track.kind == "video")
            await video.sender.replace_track(self.out.track)
            video.direction = "sendonly"
        return await self.described(await self.pc.create_answer())

    async def pass_on(self, viewers: list[Peer]) -> None:
        """Give each image that comes to the others."""
        receivers = [t.receiver for t in self.pc.get_transceivers() if t.receiver.track.kind == "video"]
        processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(receivers[0].track))
        count = 0
        async for frame in processor.readable:
            count += 1
            for viewer in viewers:
                await viewer.send(frame.clone())
            frame.close()
            if count % 10 == 0:
                print("images", count, flush=True)

    async def send(self, frame: Any) -> None:
        """One image; it is closed."""
        await self._writer.write(frame)


async def relay(whep: str, whip: str) -> None:
    """Play from one server, publish to the other."""
    player, publisher = Peer(), Peer()
    async with ClientSession() as http:
        await publisher.post(http, whip, "sendonly")
        await player.post(http, whep, "recvonly")
    await player.pass_on([publisher])


async def serve(port: int) -> None:
    """WHIP in, WHEP out."""
    viewers: list[Peer] = []
    tasks = []

    async def post(request: web.Request) -> web.Response:
        peer, sends = Peer(), request.path == "/whep"
        text = await peer.answer(await request.text(), sends=sends)
        if sends:
            viewers.append(peer)
        else:
            tasks.append(asyncio.ensure_future(peer.pass_on(viewers)))
        headers = {"Location": f"{request.path}/1", "Content-Type": "application/sdp"}
        return web.Response(status=201, text=text, headers=headers)

    app = web.Application()
    app.router.add_post("/{kind:whip|whep}", post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    words = sys.argv[1:]
    asyncio.run(relay(*words[1:]) if words[0] == "relay" else serve(int(words[1])))
