"""A WebRTC server under test, and clients for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from fractions import Fraction
from time import monotonic
from typing import Any

import aiohttp
import numpy as np

import mien.streams.video.ffmpeg  # noqa: F401  isort: skip  (OpenCV before PyAV, which aiortc brings)
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from mien.engine.types import Image
from mien.streams.webrtc.app import Server
from mien.streams.webrtc.engine_interface import AvatarEngine
from mien.streams.webrtc.hub import Hub
from mien.streams.webrtc.peer import _gather_on_loopback
from mien.streams.webrtc.settings import ServerSettings

SDP = {"Content-Type": "application/sdp"}

_AT_THE_END: ContextVar[contextlib.AsyncExitStack] = ContextVar("at_the_end")
"""Of the innermost server: what closes its clients, in a test that fails too."""


@contextlib.asynccontextmanager
async def served(
    engine: AvatarEngine, portraits: Sequence[tuple[Image, str]], **settings: Any
) -> AsyncIterator[Server]:
    """A server on a free port with these portraits; clients made meanwhile are closed before it."""
    hub = Hub(ServerSettings(port=0, **settings).checked(), engine)
    for image, name in portraits:
        hub.portraits.add(image, name)
    async with Server(hub) as server, contextlib.AsyncExitStack() as stack:
        token = _AT_THE_END.set(stack)
        try:
            yield server
        finally:
            _AT_THE_END.reset(token)


class Camera(VideoStreamTrack):
    """Sends frames, over and over, 30 a second."""

    def __init__(self, frames: Sequence[Image]) -> None:
        super().__init__()
        self._frames = frames
        self.sent = 0

    async def recv(self) -> VideoFrame:
        pts, base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(self._frames[self.sent % len(self._frames)], format="rgb24")
        frame.pts, frame.time_base = pts, base
        self.sent += 1
        return frame


class Clicks(MediaStreamTrack):
    """Sound: silence with a loud 20 ms every second."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._begun: float | None = None
        self._count = 0
        self.clicked: list[float] = []

    async def recv(self) -> AudioFrame:
        now = monotonic()
        self._begun = self._begun or now
        await asyncio.sleep(max(0.0, self._begun + 0.02 * self._count - now))
        samples = np.zeros((1, 960), np.int16)
        if self._count % 50 == 0:
            samples[0] = (12000 * np.sin(np.arange(960) * 0.13)).astype(np.int16)
            self.clicked.append(monotonic())
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 960 * self._count, Fraction(1, 48000)
        self._count += 1
        return frame


class Client:
    """A WebRTC client on this machine, as a page, a WHIP sender or a WHEP player.

    Attributes:
        frames: what arrived, the newest last (only if ``keep``), and when.
    """

    def __init__(self, base: str, token: str | None = None, keep: int = 400) -> None:
        self.base, self._token, self._keep = base, token, keep
        self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.connection.on("track", self._track)
        self.http = aiohttp.ClientSession()
        self.channel: Any = None
        self.messages: list[dict[str, Any]] = []
        self.frames: list[VideoFrame] = []
        self.times: list[float] = []
        self.sounds: list[tuple[float, float]] = []
        self.location: str | None = None
        self.headers: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        if stack := _AT_THE_END.get(None):
            stack.push_async_callback(self.close)

    def send(self, track: MediaStreamTrack, direction: str = "sendrecv") -> None:
        self.connection.addTransceiver(track, direction=direction)

    def receive(self, kind: str) -> None:
        self.connection.addTransceiver(kind, direction="recvonly")

    def control(self) -> None:
        self.channel = self.connection.createDataChannel("control")
        self.channel.on("message", lambda text: self.messages.append(json.loads(text)))

    def say(self, kind: str, **fields: Any) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}))

    def heard(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    async def offer(self) -> str:
        await_offer = await self.connection.createOffer()
        for transceiver in self.connection.getTransceivers():
            _gather_on_loopback(transceiver.receiver.transport.transport._connection)
        if self.connection.sctp is not None:
            _gather_on_loopback(self.connection.sctp.transport.transport._connection)
        await self.connection.setLocalDescription(await_offer)
        return self.connection.localDescription.sdp

    async def post(self, path: str, sdp: str | None = None) -> tuple[int, str]:
        headers = dict(SDP)
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = sdp or await self.offer()
        async with self.http.post(self.base + path, data=body, headers=headers) as response:
            self.headers = response.headers
            self.location = response.headers.get("Location")
            return response.status, await response.text()

    async def connect(self, path: str) -> None:
        status, text = await self.post(path)
        assert status == 201, text
        await self.connection.setRemoteDescription(RTCSessionDescription(text, "answer"))

    async def delete(self) -> int:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self.http.delete(self.base + str(self.location), headers=headers) as response:
            return response.status

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.connection.close()
        await self.http.close()

    def _track(self, track: Any) -> None:
        work = self._watch if track.kind == "video" else self._listen
        self._tasks.append(asyncio.ensure_future(work(track)))

    async def _watch(self, track: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.times.append(monotonic())
                self.frames.append(frame)
                del self.frames[: -self._keep]

    async def _listen(self, track: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                loud = float(np.abs(frame.to_ndarray().astype(np.float32)).max())
                self.sounds.append((monotonic(), loud))
                del self.sounds[:-1000]


async def until(
    condition: Callable[[], Any], seconds: float = 60.0, state: Callable[[], Any] | None = None
) -> None:
    """Wait for something to be true.

    Args:
        state: tells how things stand when it does not become so.

    Raises:
        AssertionError: it does not become so in time.
    """
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, f"waited in vain: {state()}" if state else "waited in vain"
        await asyncio.sleep(0.02)
