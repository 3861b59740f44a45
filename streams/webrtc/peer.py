"""One WebRTC connection, with what aiortc leaves to its user: bounds, silence, key frames, loopback."""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import sys
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from aioice.stun import TransactionError
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, unpack_remb_fci
from aiortc.sdp import SessionDescription

from mien.streams.webrtc.dtls import let_go_quietly, note_failures, speak_as_others
from mien.streams.webrtc.jitter_buffer import without_delay
from mien.streams.webrtc.settings import IceServer
from mien.streams.webrtc.tracks import EncodedTrack

CONNECT_S = 15.0
"""Seconds within which a connection must come about."""

WATCH_S = 0.5
PROBE_S = 1.0
"""Seconds without a packet after which the peer is asked whether it is there."""


class Peer:
    """A peer connection that asks no public server for its address and ends when the other side is silent.

    Args:
        loopback: gather candidates on this machine alone.
        silence_s: seconds without a packet after which the peer counts as gone.
        ice_servers: STUN and TURN servers that the user named.
        on_gone: called once, when the connection has ended by itself, with the reason.
    """

    def __init__(
        self,
        *,
        loopback: bool,
        silence_s: float,
        ice_servers: Sequence[IceServer] = (),
        on_gone: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        # Without an explicit empty list aiortc asks a STUN server of Google's.
        servers = [RTCIceServer(s.url, s.username, s.credential) for s in ice_servers]
        self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        speak_as_others(self.connection)
        self._loopback, self._silence_s, self._on_gone = loopback, silence_s, on_gone
        self._probe: asyncio.Task[None] | None = None
        self._dtls_errors: list[str] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._heard = (0, monotonic())
        self.begun = monotonic()

    def spawn(self, work: Awaitable[Any]) -> None:
        """Run ``work`` as long as the connection lasts."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def answer(self, sdp: str, attach: Callable[[Any], None] | None = None) -> str:
        """The answer to an offer, with all candidates.

        Args:
            sdp: the offer.
            attach: called with every transceiver before the answer is made, to give it something to send.

        Raises:
            Exception: whatever aiortc makes of an offer that it cannot use.
        """
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self._prepare(_named(sdp))
        for transceiver in self.connection.getTransceivers():
            if attach is not None:
                attach(transceiver)
        answer = await self.connection.createAnswer()
        await self.connection.setLocalDescription(answer)
        self.spawn(self._watch())
        return self.connection.localDescription.sdp

    async def offer(self) -> str:
        """An offer with all candidates."""
        offer = await self.connection.createOffer()
        self._prepare(None)
        await self.connection.setLocalDescription(offer)
        return self.connection.localDescription.sdp

    async def accept(self, sdp: str) -> None:
        """The other side's answer to :meth:`offer`."""
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        self.spawn(self._watch())

    def codec(self) -> str:
        """The video codec that was agreed on, in small letters."""
        local = self.connection.localDescription.sdp
        remote = self.connection.remoteDescription
        # The answer decides, and the first of its codecs is what aiortc sends.
        text = remote.sdp if remote.type == "answer" else local
        media = next(m for m in SessionDescription.parse(text).media if m.kind == "video")
        return str(media.rtp.codecs[0].mimeType).partition("/")[2].lower()

    def answers_to(self, sender: Any, track: EncodedTrack) -> None:
        """Bring the viewer's wishes for key frames and bit rates to the track."""
        handle = sender._handle_rtcp_packet

        async def heard(packet: Any) -> None:
            if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
                try:
                    rate, sources = unpack_remb_fci(packet.fci)
                    if sender._ssrc in sources:
                        track.set_estimate(rate)
                except (ValueError, struct.error):
                    return  # malformed; aiortc's own reading of it would end the connection
            await handle(packet)

        sender._handle_rtcp_packet = heard
        sender._send_keyframe = track.want_key_frame

    async def close(self) -> None:
        """End the connection and everything that runs for it. Closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        mine = asyncio.current_task()
        if self._probe is not None:
            self._tasks.add(self._probe)
        tasks = [task for task in self._tasks if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        tracks = [sender.track for sender in self.connection.getSenders()]
        with contextlib.suppress(Exception):  # of a description that aiortc stumbled over half-way
            await self.connection.close()
        for track in tracks:
            # aiortc stops the tracks of the senders that ran; a connection that never came about has others.
            if track is not None:
                track.stop()

    def _prepare(self, also: frozenset[str] | None) -> None:
        for transceiver in self.connection.getTransceivers():
            without_delay(transceiver.receiver)
        if self.connection.sctp is not None:
            let_go_quietly(self.connection.sctp.transport)
        for transport in self._transports():
            note_failures(transport, self._dtls_errors)
        if self._loopback:
            for connection in self._ice_connections():
                _gather_on_loopback(connection, also)

    def _transports(self) -> list[Any]:
        found = [t.receiver.transport for t in self.connection.getTransceivers()]
        if self.connection.sctp is not None:
            found.append(self.connection.sctp.transport)
        return list(dict.fromkeys(found))

    def _ice_connections(self) -> list[Any]:
        return [transport.transport._connection for transport in self._transports()]

    def _received(self) -> int:
        count = 0
        for transport in self._transports():
            count += transport._get_stats()[transport._stats_id].packetsReceived
        return count

    async def _ask(self) -> None:
        """Ask a silent peer whether it is there: a receiver without RTCP still answers ICE's checks.

        aiortc asks every 5 s, for the consent of RFC 7675; an answer is authenticated by the ICE password.
        """
        for connection in self._ice_connections():
            password = connection.remote_password
            for pair in list(connection._nominated.values()):
                request = connection.build_request(pair, nominate=False)
                with contextlib.suppress(TransactionError, OSError, AttributeError):
                    await pair.protocol.request(
                        request, pair.remote_addr, integrity_key=password.encode(), retransmissions=1
                    )
                    self._heard = (self._heard[0], monotonic())

    async def _watch(self) -> None:
        """Close where packets stop coming: aiortc notices a killed peer only after half a minute."""
        while True:
            await asyncio.sleep(WATCH_S)
            reason = self._why_gone()
            if reason is not None:
                break
        if self._on_gone is not None:
            await self._on_gone(reason)

    def _why_gone(self) -> str | None:
        state, now = self.connection.connectionState, monotonic()
        if state == "closed":
            return "closed by the peer"
        if state == "failed":
            return "; ".join(self._dtls_errors) or "ICE failed: no packet came through"
        if state != "connected":
            self._heard = (0, now)
            return "never connected" if now - self.begun > CONNECT_S else None
        received = self._received()
        if received != self._heard[0]:
            self._heard = (received, now)
        elif now - self._heard[1] > PROBE_S and (self._probe is None or self._probe.done()):
            self._probe = asyncio.ensure_future(self._ask())
        return "silent" if now - self._heard[1] > self._silence_s else None


def _named(sdp: str) -> frozenset[str] | None:
    """The addresses in an offer's candidates; None when there are none, because they are still to come."""
    found = re.findall(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) ", sdp, re.MULTILINE)
    return frozenset(found) or None


def _gather_on_loopback(connection: Any, also: frozenset[str] | None = frozenset()) -> None:
    """Let an aioice connection use 127.0.0.1, which it leaves out, and those other addresses of this machine.

    GStreamer's ICE leaves loopback out, and Linux carries nothing from another address of the machine to
    127.0.0.1: so what the client names is used as well, and all of them when it names none yet.

    On Windows and macOS a browser's socket that is bound to another address of the machine cannot send to
    the loopback one, so there the machine's other addresses are kept too; the credentials in the SDP, which
    only this machine's programs get to see, guard them.
    """
    gather = connection.get_component_candidates
    if not sys.platform.startswith("linux"):
        also = None

    async def on_loopback(component: int, addresses: list[str], timeout: int = 5) -> Any:
        others = [address for address in addresses if also is None or address in also]
        return await gather(component, ["127.0.0.1", *others], timeout)

    connection.get_component_candidates = on_loopback
