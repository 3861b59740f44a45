"""RTP header extension "playout-delay": the browser shows every frame as soon as it is decoded.

A browser holds frames back to even out their delays.  What it reads as network jitter is mostly our own
render time (a busy machine draws one frame faster than the next), and low latency matters more to the person
driving the avatar than even pacing.  A page can ask for a smallest delay only (``jitterBufferTarget``); the
largest is the sender's to set.  aiortc does not know the extension, so it is added here.

Format: 12 bits of smallest and 12 bits of largest delay, in steps of 10 ms
(webrtc.googlesource.com/src, docs/native-code/rtp-hdrext/playout-delay).
"""

from __future__ import annotations

from typing import Any

from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap
from aiortc.sdp import SessionDescription

URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
ONE_BYTE = 0xBEDE
"""Profile of header extensions with identifiers up to 14 (RFC 8285, section 4.2)."""

_MAP = "_RTCRtpSender__rtp_header_extensions_map"


class _AtOnce(HeaderExtensionsMap):
    """What aiortc writes, with both delays zero before it."""

    def __init__(self, identifier: int) -> None:
        super().__init__()
        # One byte of identifier and length less one, three of value: a whole word, so nothing else moves.
        self._element = bytes([identifier << 4 | 2, 0, 0, 0])

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        profile, packed = super().set(values)
        if packed and profile != ONE_BYTE:
            return profile, packed
        return ONE_BYTE, self._element + packed


def show_at_once(transceiver: Any, offer: str) -> bool:
    """Send a transceiver's frames so, if the offer that it answers has the extension; whether it has.

    To be called between the remote description and the answer.
    """
    # Private, so looked at before it is touched: with another aiortc the browser waits, and nothing breaks.
    if type(getattr(transceiver.sender, _MAP, None)) is not HeaderExtensionsMap:
        return False
    media = next((m for m in SessionDescription.parse(offer).media if m.rtp.muxId == transceiver.mid), None)
    offered = media.rtp.headerExtensions if media is not None else []
    found = next((e for e in offered if e.uri == URI and 0 < e.id < 15), None)
    if found is None:
        return False
    transceiver._headerExtensions.append(RTCRtpHeaderExtensionParameters(found.id, URI))
    setattr(transceiver.sender, _MAP, _AtOnce(found.id))
    return True
