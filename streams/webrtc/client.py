"""WHIP publisher (``--publish``) and WHEP player (``--whep-source``): Mien as a client of other servers.

Both come back by themselves after a loss, waiting longer from time to time, up to half a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiortc.sdp import SessionDescription

from mien.engine.types import MienError, SinkError, SourceError, UsageError
from mien.streams.network_source import without_password
from mien.streams.webrtc.hub import AvatarStream, Hub
from mien.streams.webrtc.limits import SDP_BYTES
from mien.streams.webrtc.logs import log
from mien.streams.webrtc.offer import VIDEO_CODECS, read_answer
from mien.streams.webrtc.peer import Peer
from mien.streams.webrtc.resources import SDP
from mien.streams.webrtc.security import host_name
from mien.streams.webrtc.settings import is_loopback
from mien.streams.webrtc.tracks import EncodedTrack, Sound, VideoInput

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
TIMEOUT_S = 15.0
REDIRECTS = 4


def check_url(url: str, option: str) -> str:
    """``url`` if it is an HTTP address.

    Raises:
        UsageError: it is not.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{option} {url!r} is not the address of an endpoint: it begins with http:// or https://."
        )
    return url


class Remote:
    """One session on another server.

    Args:
        url: its WHIP or WHEP endpoint.
        token: Bearer token.
        hub: settings.
    """

    def __init__(self, url: str, token: str | None, hub: Hub) -> None:
        self._url, self._token, self._hub = url, token, hub
        self.name = without_password(url)
        self.lost = asyncio.Event()
        self.reason = ""
        settings = hub.settings
        self._loopback = is_loopback(host_name(urlsplit(url).netloc))
        self.peer = Peer(
            loopback=self._loopback,
            silence_s=settings.silence_s,
            ice_servers=settings.ice_servers,
            on_gone=self._gone,
        )
        self._session: str | None = None

    async def _gone(self, reason: str) -> None:
        self.reason = reason
        self.lost.set()

    async def begin(self, http: aiohttp.ClientSession) -> None:
        """POST the offer, take the answer.

        Raises:
            MienError: the server refused, or answered nonsense.
            aiohttp.ClientError, OSError: it cannot be reached.
        """
        offer = await self.peer.offer()
        url = self._url
        for _ in range(REDIRECTS):
            headers = {"Content-Type": SDP, "Accept": SDP}
            # A redirection to another host does not get the token.
            if self._token is not None and urlsplit(url).netloc == urlsplit(self._url).netloc:
                headers["Authorization"] = f"Bearer {self._token}"
            async with http.post(url, data=offer, headers=headers, allow_redirects=False) as response:
                if response.status in (307, 308) and "Location" in response.headers:
                    url = urljoin(url, response.headers["Location"])
                    continue
                await self._accept(url, response)
                return
        raise MienError(f"{self.name} redirects in a circle.")

    async def _accept(self, url: str, response: aiohttp.ClientResponse) -> None:
        answer = (await _read(response, self.name)).decode(errors="replace")
        if response.status != 201:
            raise _Refused(response.status, self.name, response.headers.get("Retry-After"))
        location = response.headers.get("Location")
        try:
            self._session = urljoin(url, location) if location else None
            SessionDescription.parse(answer)
            offer = self.peer.connection.localDescription.sdp
            await self.peer.accept(read_answer(answer, offer, local_only=self._loopback))
            codec = self.peer.codec()
        except Exception as error:
            raise MienError(f"{self.name} gave an answer that is not usable SDP.") from error
        if codec not in VIDEO_CODECS:
            raise MienError(f"{self.name} takes none of our video codecs ({', '.join(VIDEO_CODECS)}).")

    async def end(self, http: aiohttp.ClientSession) -> None:
        """DELETE the session, close the connection."""
        if self._session is not None:
            session, self._session = self._session, None
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            if urlsplit(session).netloc != urlsplit(self._url).netloc:
                headers = {}
            with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
                async with http.delete(session, headers=headers):
                    pass
        await self.peer.close()


async def _read(response: aiohttp.ClientResponse, name: str) -> bytes:
    """The whole body: ``read`` gives what has come, and an answer may come in several parts."""
    data = b""
    async for part in response.content.iter_chunked(SDP_BYTES):
        data += part
        if len(data) > SDP_BYTES:
            raise MienError(f"{name} gave an answer of more than {SDP_BYTES // 1024} KB.")
    return data


class _Refused(MienError):
    """The server said no, with a status."""

    def __init__(self, status: int, name: str, retry_after: str | None) -> None:
        words = {401: "wants a token (--publish-token)", 403: "forbids it", 404: "does not know this address"}
        super().__init__(f"{name} {words.get(status, 'refused')} (HTTP {status}).")
        self.wait = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0


async def publish(hub: Hub, stream: Callable[[], AvatarStream | None], url: str, token: str | None) -> None:
    """Send the main avatar to a WHIP endpoint whenever somebody drives it, until cancelled."""

    async def once(http: aiohttp.ClientSession) -> None:
        source = stream()
        if source is None:
            await asyncio.sleep(0.2)
            return
        remote = Remote(url, token, hub)
        video = EncodedTrack()
        sender = remote.peer.connection.addTransceiver(video, direction="sendonly").sender
        remote.peer.answers_to(sender, video)
        remote.peer.connection.addTransceiver(source.sound.listen(), direction="sendonly")
        try:
            await remote.begin(http)
            video.bind(source.broadcast.subscribe(remote.peer.codec()))
            log("publishing", to=remote.name)
            while source in hub.streams and not remote.lost.is_set():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(remote.lost.wait(), 0.5)
            if remote.lost.is_set():
                raise SinkError(f"{remote.name}: {remote.reason}")
        finally:
            video.stop()
            await remote.end(http)

    await _again_and_again("publish", once)


async def play(hub: Hub, stream: AvatarStream, url: str, token: str | None) -> None:
    """Let a WHEP endpoint's frames drive ``stream``, until cancelled."""

    async def once(http: aiohttp.ClientSession) -> None:
        remote = Remote(url, token, hub)
        connection: Any = remote.peer.connection
        connection.addTransceiver("video", direction="recvonly")
        connection.addTransceiver("audio", direction="recvonly")

        def track(found: Any) -> None:
            part: VideoInput | Sound = stream.video if found.kind == "video" else stream.sound
            remote.peer.spawn(part.run(found))

        connection.on("track", track)
        try:
            await remote.begin(http)
            log("playing", source=remote.name)
            await remote.lost.wait()
            raise SourceError(f"{remote.name}: {remote.reason}")
        finally:
            await remote.end(http)

    await _again_and_again("whep-source", once)


async def _again_and_again(what: str, once: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    wait = FIRST_WAIT_S
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        while True:
            begun = monotonic()
            try:
                await once(http)
                wait = FIRST_WAIT_S
                continue
            except (MienError, aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                if monotonic() - begun > LONGEST_WAIT_S:
                    wait = FIRST_WAIT_S
                wait = max(wait, min(getattr(error, "wait", 0.0), LONGEST_WAIT_S))
                log(f"{what} failed", reason=str(error) or type(error).__name__, again_in_s=round(wait, 1))
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)
