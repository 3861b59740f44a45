"""A browser that knows the extension is told to show every frame at once; others notice nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from aiortc import RTCSessionDescription
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, unpack_header_extensions
from fakes.avatar_engine import TintEngine
from fakes.web import Camera, Client, served, until

from mien.streams.webrtc.playout import URI, _AtOnce

GREY = np.full((64, 64, 3), 128, np.uint8)
PATTERN = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
AT_ONCE = b"\0\0\0"


def packets(path: str, identifier: int | None) -> tuple[str, list[list[tuple[int, bytes]]], int]:
    """The server's answer, the header extensions of the packets that came, and how many frames did."""

    async def run() -> tuple[str, list[list[tuple[int, bytes]]], int]:
        async with served(TintEngine(), [(GREY, "grey")]) as server:
            driver, client = Client(server.url), Client(server.url)
            driver.send(Camera([PATTERN]))
            if path == "/whep":
                await driver.connect("/session")
                await until(lambda: driver.frames)
                client.receive("video")
            else:
                await driver.close()
                client.send(Camera([PATTERN]))
            offer = await client.offer()
            if identifier is not None:
                offer = offer.replace("a=rtcp-mux", f"a=extmap:{identifier} {URI}\r\na=rtcp-mux", 1)
            status, answer = await client.post(path, offer)
            assert status == 201
            seen = watch(client)
            await client.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await until(lambda: len(client.frames) > 3)
            frames = len(client.frames)
            await client.close()
            await driver.close()
            return answer, seen, frames

    return asyncio.run(asyncio.wait_for(run(), 120))


def watch(client: Client) -> list[list[tuple[int, bytes]]]:
    seen: list[list[tuple[int, bytes]]] = []
    transport: Any = client.connection.getTransceivers()[0].receiver.transport

    class Watching(HeaderExtensionsMap):
        def get(self, extension_profile: int, extension_value: bytes) -> HeaderExtensions:
            seen.append(unpack_header_extensions(extension_profile, extension_value))
            return super().get(extension_profile, extension_value)

    transport._rtp_header_extensions_map = Watching()
    return seen


def test_a_page_is_told_to_show_every_frame_at_once() -> None:
    answer, seen, _ = packets("/session", 9)
    assert f"a=extmap:9 {URI}" in answer
    assert seen and all((9, AT_ONCE) in extensions for extensions in seen)
    assert all(len(extensions) > 1 for extensions in seen), "what aiortc says is said too"


@pytest.mark.parametrize("identifier", [None, 15])
def test_who_does_not_know_the_extension_is_not_sent_it(identifier: int | None) -> None:
    answer, seen, frames = packets("/session", identifier)
    assert URI not in answer and frames > 3
    assert not any(AT_ONCE in dict(extensions).values() for extensions in seen)


def test_viewers_elsewhere_keep_their_buffer_against_the_networks_unrest() -> None:
    answer, seen, _ = packets("/whep", 9)
    assert URI not in answer
    assert seen and not any(9 in dict(extensions) for extensions in seen)


@pytest.mark.parametrize("said", [{}, {"mid": "0"}, {"mid": "long enough", "abs_send_time": 77}])
def test_the_extension_stands_beside_the_others(said: dict[str, Any]) -> None:
    plain, ours = HeaderExtensionsMap(), _AtOnce(14)
    for known in (plain, ours):
        known._HeaderExtensionsMap__ids.mid = 1  # type: ignore[attr-defined]
        known._HeaderExtensionsMap__ids.abs_send_time = 3  # type: ignore[attr-defined]
    values = HeaderExtensions(**said)
    found = unpack_header_extensions(*ours.set(values))
    assert found == [(14, AT_ONCE), *unpack_header_extensions(*plain.set(values))]
    assert ours.get(*ours.set(values)) == values
