"""A page's connection: the visitor's camera up, the avatar down, a channel for commands."""

from __future__ import annotations

import secrets
from typing import Any

from mien.streams.webrtc.control import LABEL, Control
from mien.streams.webrtc.hub import AvatarStream, Hub, Resource
from mien.streams.webrtc.peer import Peer
from mien.streams.webrtc.playout import show_at_once
from mien.streams.webrtc.tracks import EncodedTrack


class Visit:
    """One visitor's connection while it is made; unless they drive the avatar, it outlives the visit."""

    def __init__(self, hub: Hub, stream: AvatarStream, visitor: str | None, *, ends: bool) -> None:
        self._hub, self._stream, self._ends = hub, stream, ends
        self._id = secrets.token_urlsafe(18)
        settings = hub.settings
        self.peer = Peer(
            loopback=settings.loopback,
            silence_s=settings.silence_s,
            ice_servers=settings.ice_servers,
            on_gone=self._gone,
        )
        self._control = Control(hub, stream, visitor)
        self._video: EncodedTrack | None = None
        connection: Any = self.peer.connection
        connection.on("track", self._track)
        connection.on("datachannel", self._channel)
        self.peer.spawn(self._control.report())

    def _track(self, track: Any) -> None:
        part = self._stream.video if track.kind == "video" else self._stream.sound
        self.peer.spawn(part.run(track))

    def _channel(self, channel: Any) -> None:
        if channel.label == LABEL:
            self._control.open(channel)

    def attach(self, transceiver: Any) -> None:
        """Give a transceiver of the offer something to send."""
        if transceiver.kind == "video":
            self._video = EncodedTrack()
            transceiver.sender.replaceTrack(self._video)
            self.peer.answers_to(transceiver.sender, self._video)
            show_at_once(transceiver, self.peer.connection.remoteDescription.sdp)
        else:
            transceiver.sender.replaceTrack(self._stream.sound.listen())
        transceiver.direction = "sendrecv" if self._ends else "sendonly"

    def bind(self) -> None:
        """The codec is known: subscribe."""
        if self._video is not None:
            self._video.bind(self._stream.broadcast.subscribe(self.peer.codec()))

    def resource(self, ufrag: str) -> Resource:
        """The connection for the hub."""

        async def end() -> None:
            await self._hub.close_stream(self._stream)

        return Resource(
            "page",
            self.peer,
            self._stream,
            ufrag,
            id=self._id,
            on_close=end if self._ends else None,
            say_goodbye=self._control.say_goodbye,
        )

    async def _gone(self, reason: str) -> None:
        resource = self._hub.resources.get(self._id)
        if resource is not None:
            self._hub.later(self._hub.close(resource, reason))
