"""DTLS as others speak it: certificates with RSA keys, one fingerprint, failures told, and a quiet end."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from OpenSSL import SSL

from mien.streams.webrtc.logs import log

CIPHERS = b":".join(
    b"ECDHE-%s-%s" % (key, suite)
    for suite in (b"AES128-GCM-SHA256", b"CHACHA20-POLY1305", b"AES128-SHA", b"AES256-SHA")
    for key in (b"ECDSA", b"RSA")
)
"""aiortc's own suites, and the same for RSA keys: GStreamer's certificate has one."""

_CERTIFICATES = "_RTCPeerConnection__certificates"
_NOTE = "_RTCDtlsTransport__log_debug"


def speak_as_others(connection: Any) -> None:
    """Let a connection of aiortc's take RSA keys, and name the fingerprint that every peer knows, alone.

    aiortc names three (SHA-256, 384 and 512), as RFC 8122 allows.  libdatachannel keeps the last one, and
    compares it by SHA-256 where ICE is connected before it has read the answer to its end: on one machine
    every second handshake fails then.  Browsers name SHA-256 alone.
    """
    # Private, so looked at before it is touched: with another aiortc such peers are refused, nothing else.
    for certificate in getattr(connection, _CERTIFICATES, []):
        make = getattr(certificate, "_create_ssl_context", None)
        if make is not None:
            certificate._create_ssl_context = _Context(make)
        named = [one for one in certificate.getFingerprints() if one.algorithm.lower() == "sha-256"]
        if named:
            certificate.getFingerprints = lambda named=named: named


class _Context:
    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *words: Any, **named: Any) -> Any:
        context = self._make(*words, **named)
        context.set_cipher_list(CIPHERS)
        return context


def note_failures(transport: Any, failures: list[str]) -> None:
    """Add the reason to ``failures`` when a transport's handshake fails: aiortc only logs it to debug."""
    if not hasattr(transport, _NOTE):
        return
    write = getattr(transport, _NOTE)

    def note(message: str, *words: object) -> None:
        if "handshake failed" in message:
            reason = message.removeprefix("x ").replace("%s", "{}").format(*map(_said, words))
            failures.append(reason)
            # At once: a client that fails, too, may end the session before anybody looks at its state.
            log("connection failed", logging.WARNING, reason=reason)
        write(message, *words)

    setattr(transport, _NOTE, note)


def let_go_quietly(transport: Any) -> None:
    """Let what the data channel still wants to send be lost when the connection is ending or has ended.

    aiortc's SCTP sends from tasks and timers that nobody waits for, and knows neither that the other side has
    closed DTLS (a ConnectionError) nor that our own side is about to (an error of OpenSSL's: the protocol is
    shut down before the transport says so).  Each would end as "Task exception was never retrieved".
    """
    send = transport._send_data

    async def send_or_lose(data: bytes) -> None:
        with contextlib.suppress(ConnectionError, SSL.Error):
            await send(data)

    transport._send_data = send_or_lose


def _said(word: object) -> object:
    """OpenSSL's errors are lists of library, function and reason: the reason alone."""
    try:
        reasons = "; ".join(str(entry[2]) for entry in word.args[0])  # type: ignore[attr-defined]
        return reasons or "of which OpenSSL gives no reason, often the peer's certificate"
    except (AttributeError, IndexError, TypeError):
        return word
