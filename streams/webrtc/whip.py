"""WHIP endpoint (RFC 9725): OBS, GStreamer, FFmpeg or a browser sends the main avatar's driving camera."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mien.streams.webrtc.hub import AvatarStream, Hub, Resource
from mien.streams.webrtc.offer import Offer
from mien.streams.webrtc.peer import Peer
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.resources import created, receive_offer


class Whip:
    """The endpoint's POST."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def post(self, request: web.Request) -> web.Response:
        """Take a camera in.

        One at a time: it drives the avatar that ``/whep`` shows.
        """
        hub = self._hub
        hub.check_open()
        offer = await receive_offer(request, hub.settings)
        if not offer.sends_video:
            raise Problem(406, "The offer sends no video: WHIP takes a camera in (sendonly).")
        stream = await claim_main(hub, "WHIP")
        try:
            resource, answer = await self._answer(stream, offer)
        except BaseException as error:
            await hub.close_stream(stream)
            if isinstance(error, Exception):
                raise Problem(400, "The offer cannot be answered.") from error
            raise
        hub.add(resource, request.remote or "")
        return created(resource, answer, "/whip", hub.settings)

    async def _answer(self, stream: AvatarStream, offer: Offer) -> tuple[Resource, str]:
        hub, settings = self._hub, self._hub.settings

        async def gone(reason: str) -> None:
            hub.later(hub.close(resource, reason))

        async def end() -> None:
            await hub.close_stream(stream)

        def track(found: Any) -> None:
            part = stream.video if found.kind == "video" else stream.sound
            peer.spawn(part.run(found))

        peer = Peer(
            loopback=settings.loopback,
            silence_s=settings.silence_s,
            ice_servers=settings.ice_servers,
            on_gone=gone,
        )
        connection: Any = peer.connection
        connection.on("track", track)
        resource = Resource("whip", peer, stream, offer.ufrag, on_close=end)
        try:
            return resource, offer.changes.answer(await peer.answer(offer.sdp))
        except BaseException:
            await peer.close()
            raise


async def claim_main(hub: Hub, driver: str) -> AvatarStream:
    """The main avatar for a new driver.

    Raises:
        Problem: 409 somebody drives it, 503 not ready or full.
    """
    if hub.main_driver is not None:
        raise Problem(
            409, f"The avatar is driven by {hub.main_driver} already; end that first.", retry_after=5
        )
    hub.main_driver = driver
    try:
        hub.main = await hub.open_stream()
    except BaseException:
        hub.main_driver = None
        raise
    return hub.main
