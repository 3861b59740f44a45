"""What DTLS leaves behind when a connection ends: nothing."""

from __future__ import annotations

import asyncio

import pytest
from fakes.web import until
from OpenSSL import SSL

from mien.streams.webrtc.peer import Peer


async def connected() -> tuple[Peer, Peer]:
    """Two peers of one process with an open data channel between them."""
    one, other = (Peer(loopback=True, silence_s=10.0) for _ in range(2))
    channel = one.connection.createDataChannel("control")
    await one.accept(await other.answer(await one.offer()))
    await until(lambda: channel.readyState == "open", 20.0)
    return one, other


def test_what_a_data_channel_still_wants_to_send_while_dtls_shuts_down_is_lost_without_a_word() -> None:
    async def run() -> list[str]:
        lost: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(str(context)))
        one, other = await connected()
        sctp = one.connection.sctp
        assert sctp is not None
        # RTCDtlsTransport.stop says goodbye first; its state is "connected" until its reader has ended.
        sctp.transport._ssl.shutdown()
        with pytest.raises(SSL.Error):
            sctp.transport._ssl.send(b"late")
        # In place of a retransmission that is due just then: a chunk sent from a task that nobody waits for.
        late = asyncio.ensure_future(sctp._abort())
        await asyncio.wait([late])
        await one.close()
        await other.close()
        del late
        await asyncio.sleep(0)
        return lost

    assert asyncio.run(run()) == []
