"""Jitter buffer without delay: a frame is complete with its last packet, and lost packets are given up.

aiortc gives a frame out with the first packet of the next one: 33 ms late at 30 fps.  And it asks for a
lost packet once; where that, or the answer, is lost too, it waits until 512 others have come: of small
frames, 17 s.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_add, uint16_gt

PATIENCE_S = 0.4
"""How long a packet is waited for when later ones are there: a round trip to the other side of the world."""


class ImmediateJitterBuffer(JitterBuffer):
    """A jitter buffer that releases a frame with its last packet (the RTP marker) and gives up lost ones.

    Args:
        capacity: packets, a power of two.
        clock: seconds.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(capacity, is_video=True)
        self._clock = clock
        self._newest: int | None = None
        self._waiting_since: float | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; whether a key frame is needed, and a frame if one is whole."""
        lost, frame = super().add(packet)
        if self._newest is None or lost or uint16_gt(packet.sequence_number, self._newest):
            self._newest = packet.sequence_number
        frame = frame or self._marked()
        if frame is not None or not self._behind_a_gap():
            self._waiting_since = None
            return lost, frame
        now = self._clock()
        if self._waiting_since is None:
            self._waiting_since = now
        # At a frame's end, so that the next packet begins one.
        if now - self._waiting_since < PATIENCE_S or not (packet.marker and self._is_newest(packet)):
            return lost, None
        # Those behind the gap, too: they say what changes from frames that will not be seen, and shown one
        # a packet they would make all that follow late.
        self.remove(self._held())
        self._waiting_since = None
        return True, None

    def _marked(self) -> JitterFrame | None:
        if self._origin is None:
            return None
        packets: list[Any] = []
        for count in range(self._capacity):
            packet = self._packets[(self._origin + count) % self._capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                return None
            packets.append(packet)
            if packet.marker:
                self.remove(len(packets))
                return JitterFrame(b"".join(p._data for p in packets), packets[0].timestamp)
        return None

    def _held(self) -> int:
        """How many packets there would be from the oldest one that is waited for to the newest."""
        if self._origin is None or self._newest is None:
            return 0
        count = uint16_add(self._newest, 1 - self._origin)
        return count if count <= self._capacity else 0

    def _behind_a_gap(self) -> bool:
        origin = self._origin or 0
        return any(self._packets[(origin + index) % self._capacity] is None for index in range(self._held()))

    def _is_newest(self, packet: RtpPacket) -> bool:
        return packet.sequence_number == self._newest


def without_delay(receiver: Any) -> None:
    """Give a video receiver of aiortc's such a buffer."""
    # Private, so looked at before it is touched: with another aiortc the delay is back, and nothing breaks.
    name = "_RTCRtpReceiver__jitter_buffer"
    if receiver._RTCRtpReceiver__kind == "video" and type(getattr(receiver, name, None)) is JitterBuffer:
        setattr(receiver, name, ImmediateJitterBuffer(512))
