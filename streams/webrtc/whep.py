"""WHEP endpoint (draft-ietf-wish-whep): players of the avatar share one rendering and one encoding."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mien.streams.webrtc.hub import AvatarStream, Hub, Resource
from mien.streams.webrtc.offer import Offer
from mien.streams.webrtc.peer import Peer
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.resources import created, receive_offer
from mien.streams.webrtc.tracks import EncodedTrack


class Whep:
    """The endpoint's POST."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def post(self, request: web.Request) -> web.Response:
        """Give the avatar out: the main one, or that of ``?session=ID``."""
        hub = self._hub
        hub.check_open()
        hub.check_viewers()
        offer = await receive_offer(request, hub.settings)
        if not offer.takes_video:
            raise Problem(406, "The offer takes no video: a WHEP player receives (recvonly).")
        stream = self._stream(request.query.get("session"))
        try:
            resource, answer = await self._answer(stream, offer)
        except Problem:
            raise
        except Exception as error:
            raise Problem(400, "The offer cannot be answered.") from error
        hub.add(resource, request.remote or "")
        return created(resource, answer, "/whep", hub.settings)

    def _stream(self, session: str | None) -> AvatarStream:
        hub = self._hub
        if session is not None:
            for stream in hub.streams:
                if session in (stream.id, stream.name):
                    return stream
            raise Problem(404, "There is no such session; it may have ended.")
        if hub.main is not None:
            return hub.main
        if len(hub.streams) == 1:
            return next(iter(hub.streams))
        if hub.streams:
            raise Problem(
                409, "Several avatars are live and none is the main one: add ?session=ID.", retry_after=5
            )
        raise Problem(409, "Nobody drives the avatar yet.", retry_after=3)

    async def _answer(self, stream: AvatarStream, offer: Offer) -> tuple[Resource, str]:
        hub, settings = self._hub, self._hub.settings
        video = EncodedTrack()

        async def gone(reason: str) -> None:
            hub.later(hub.close(resource, reason))

        def attach(transceiver: Any) -> None:
            if transceiver.kind == "video":
                transceiver.sender.replaceTrack(video)
                peer.answers_to(transceiver.sender, video)
            elif offer.takes_audio:
                transceiver.sender.replaceTrack(stream.sound.listen())
            transceiver.direction = "sendonly"

        peer = Peer(
            loopback=settings.loopback,
            silence_s=settings.silence_s,
            ice_servers=settings.ice_servers,
            on_gone=gone,
        )
        resource = Resource("whep", peer, stream, offer.ufrag)
        try:
            answer = await peer.answer(offer.sdp, attach)
            # Meanwhile the driver may have left, and others may have come.
            hub.check_viewers()
            if stream not in hub.streams:
                raise Problem(409, "The driver has just left.", retry_after=3)
            video.bind(stream.broadcast.subscribe(peer.codec()))
        except BaseException:
            video.stop()
            await peer.close()
            raise
        return resource, offer.changes.answer(answer)
