"""Offers as the world writes them: H.264 profiles, switched-off sections, blanks, hostile addresses."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from functools import partial

import aiohttp
import numpy as np
import pytest
from aiortc import RTCIceCandidate, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription
from av import VideoFrame
from fakes.avatar_engine import TintEngine
from fakes.web import SDP, Camera, Client, served, until

from mien.engine.types import Frame
from mien.streams.webrtc.addresses import _own, usable
from mien.streams.webrtc.offer import read_answer, read_offer
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.sections import Description
from mien.streams.webrtc.tracks import VideoInput

GREY = np.full((64, 64, 3), 128, np.uint8)
FINGER = ":".join(["AB"] * 32)
CREDENTIALS = f"a=ice-ufrag:abcd\na=ice-pwd:{'p' * 22}\na=fingerprint:sha-256 {FINGER}\na=setup:actpass\n"


def offer(*sections: str, bundle: str = "0") -> str:
    head = f"v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\na=group:BUNDLE {bundle}\n"
    return (head + "".join(sections)).replace("\n", "\r\n")


def video(
    *formats: str, direction: str = "sendonly", mid: str = "0", port: int = 9, mux: str = "a=rtcp-mux\n"
) -> str:
    """A video section; each format is ``"96 H264/90000"``, perhaps with parameters after it."""
    payloads = " ".join(text.split()[0] for text in formats)
    lines = ""
    for text in formats:
        payload, name, *parameters = text.split(maxsplit=2)
        lines += f"a=rtpmap:{payload} {name}\n"
        lines += "".join(f"a=fmtp:{payload} {found}\n" for found in parameters)
    return (
        f"m=video {port} UDP/TLS/RTP/SAVPF {payloads}\nc=IN IP4 0.0.0.0\na=mid:{mid}\na={direction}\n{mux}"
        + CREDENTIALS
        + lines
    )


def answered(text: str, path: str = "/whip") -> tuple[int, str]:
    """The status and body of the server's answer."""

    async def run() -> tuple[int, str]:
        async with (
            served(TintEngine(), [(GREY, "grey")]) as server,
            aiohttp.ClientSession(server.url) as http,
            http.post(path, data=text, headers=SDP) as response,
        ):
            return response.status, await response.text()

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_a_host_that_is_named_and_not_numbered_is_taken() -> None:
    """Firefox names itself by its mDNS name in ``a=rtcp``; SDP allows a name in ``c=``, too."""
    named = video("96 VP8/90000", direction="sendrecv").replace(
        "c=IN IP4 0.0.0.0\n", "c=IN IP4 somebody.local\na=rtcp:57752 IN IP4 somebody.local\n"
    )
    status, text = answered(offer(named), "/session")
    assert status == 201, text


@pytest.mark.parametrize(
    "parameters",
    [
        "profile-level-id=640c1f;packetization-mode=1;level-asymmetry-allowed=1",
        "profile-level-id=4d001f;packetization-mode=1",
        "profile-level-id=64001f; packetization-mode=1; level-asymmetry-allowed=1",
        "profile-level-id=42e01f;packetization-mode=0",
        "packetization-mode=1;profile-level-id=42001f",
        "",
    ],
    ids=["constrained-high", "main", "blanks", "mode-0", "baseline", "no-fmtp"],
)
def test_h264_of_any_profile_is_received(parameters: str) -> None:
    status, answer = answered(offer(video(f"96 H264/90000 {parameters}".strip())))
    assert status == 201, answer
    media = SessionDescription.parse(answer).media[0]
    assert [codec.payloadType for codec in media.rtp.codecs] == [96]
    told = [line.partition(" ")[2] for line in answer.splitlines() if line.startswith("a=fmtp:96")]
    assert told == ([parameters.replace("; ", ";")] if parameters else []), "as it was offered"


def test_what_cannot_be_sent_is_named() -> None:
    high = video("96 H264/90000 profile-level-id=640c1f;packetization-mode=1", direction="recvonly")
    with pytest.raises(Problem, match="High with packetization-mode 1; offer VP8") as refused:
        read_offer(offer(high), local_only=True)
    assert refused.value.status == 406
    single = video("96 H264/90000 profile-level-id=42e01f", direction="sendrecv")
    with pytest.raises(Problem, match="Constrained Baseline with packetization-mode 0"):
        read_offer(offer(single), local_only=True)
    extended = video("96 H264/90000 profile-level-id=58a01e;packetization-mode=1")
    with pytest.raises(Problem, match="Extended"):
        read_offer(offer(extended), local_only=True)
    either = video("96 H264/90000 profile-level-id=640c1f", "97 VP8/90000", direction="recvonly")
    found = read_offer(offer(either), local_only=True)
    assert "H264" not in found.sdp and "VP8" in found.sdp


def test_sections_that_are_switched_off_stay_so_in_the_answer() -> None:
    off = video("96 VP8/90000", mid="1", port=0)
    text = "m=text 0 RTP/AVP 98\na=mid:2\n"
    sound = "m=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:3\na=sendonly\na=rtcp-mux\na=rtpmap:111 AC3/48000\n"
    status, answer = answered(offer(video("96 VP8/90000"), off, text, sound + CREDENTIALS, bundle="0 3"))
    assert status == 201, answer
    lines = [line.split()[:2] for line in answer.splitlines() if line.startswith("m=")]
    assert [kind for kind, _ in lines] == ["m=video", "m=video", "m=text", "m=audio"]
    assert [port == "0" for _, port in lines] == [False, True, True, True]
    assert "a=group:BUNDLE 0\r\n" in answer


def test_an_answer_names_the_one_fingerprint_that_every_peer_knows() -> None:
    """libdatachannel keeps the last of several, and may compare it by SHA-256 whatever it is."""
    status, answer = answered(offer(video("96 VP8/90000")))
    assert status == 201
    named = [line for line in answer.splitlines() if line.startswith("a=fingerprint:")]
    assert len(named) == 1
    assert named[0].lower().startswith("a=fingerprint:sha-256 ")


def test_a_section_that_lives_in_its_bundle_alone_is_not_switched_off() -> None:
    inside = video("96 VP8/90000", port=0).replace("a=mid", "a=bundle-only\na=mid")
    assert answered(offer(inside))[0] == 201


@pytest.mark.parametrize("order", [["video", "audio"], ["audio", "video"]])
def test_a_server_that_takes_no_sound_is_published_to_all_the_same(order: list[str]) -> None:
    """Pion's answer to sound that it does not know: port 0, and nothing else in the section."""

    async def run() -> list[str | None]:
        ours, theirs = RTCPeerConnection(), RTCPeerConnection()
        for kind in order:
            ours.addTransceiver(kind, direction="sendonly")
        await ours.setLocalDescription(await ours.createOffer())
        await theirs.setRemoteDescription(ours.localDescription)
        await theirs.setLocalDescription(await theirs.createAnswer())
        answer = Description.parse(theirs.localDescription.sdp)
        at = order.index("audio")
        answer.head = [f"a=group:BUNDLE {1 - at}" if "BUNDLE" in line else line for line in answer.head]
        answer.sections[at].lines = ["m=audio 0 UDP/TLS/RTP/SAVPF 0", "c=IN IP4 0.0.0.0"]
        read = read_answer(answer.text(), ours.localDescription.sdp, local_only=False)
        await ours.setRemoteDescription(RTCSessionDescription(read, "answer"))
        try:
            return [found.currentDirection for found in ours.getTransceivers()]
        finally:
            await asyncio.gather(ours.close(), theirs.close())

    found = asyncio.run(asyncio.wait_for(run(), 30))
    assert dict(zip(order, found, strict=True)) == {"video": "sendonly", "audio": "inactive"}


def test_an_answer_that_takes_nothing_is_none() -> None:
    off = offer(video("96 VP8/90000", port=0))
    with pytest.raises(ValueError, match="all sections"):
        read_answer(off, offer(video("96 VP8/90000")), local_only=False)


def test_rtcp_apart_from_rtp_is_refused_in_words() -> None:
    status, words = answered(offer(video("96 VP8/90000", mux="")))
    assert status == 406 and "a=rtcp-mux" in words


def candidate(ip: str, port: int = 5000) -> RTCIceCandidate:
    return RTCIceCandidate(1, "1", ip, port, 1, "udp", "host")


def test_a_server_for_others_sends_nothing_to_loopback_link_local_or_broadcast_addresses() -> None:
    own, broadcast = _own(0)
    for ip in (
        "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "255.255.255.255",
        "224.0.0.251", "ff02::fb", "0.0.0.0", "::", "0.1.2.3", "240.0.0.1", "printer.local",
        *map(str, broadcast),
    ):  # fmt: skip
        assert not usable(candidate(ip), False), ip
    for ip in ("192.0.2.7", "10.1.2.3", "2001:db8::1"):
        assert usable(candidate(ip), False), ip
    assert not usable(candidate("192.0.2.7", 0), False)
    assert own


def test_a_server_on_loopback_sends_to_this_machine_alone() -> None:
    own, _ = _own(0)
    for ip in ("127.0.0.1", "::1", *map(str, own)):
        assert usable(candidate(ip), True), ip
    for ip in ("192.0.2.7", "2001:db8::1", "169.254.169.254", "255.255.255.255", "224.0.0.251"):
        assert not usable(candidate(ip), True), ip


def test_frames_are_taken_at_their_own_size_and_shape() -> None:
    made: list[Frame] = []
    input_ = VideoInput(lambda make: made.append(make()))

    for width, height in ((320, 180), (640, 360), (1280, 720), (720, 1280), (320, 180)):
        frame = VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 90000)
        input_._put(partial(input_._make, frame, 0, 0))
    assert [frame.image.shape[:2] for frame in made] == [
        (180, 320), (360, 640), (720, 1280), (1280, 720), (180, 320)
    ]  # fmt: skip


def test_a_viewer_that_sends_nothing_is_kept_while_it_answers_ice() -> None:
    async def run() -> None:
        async with served(TintEngine(), [(GREY, "grey")], silence_s=2.0) as server:
            driver = Client(server.url)
            driver.send(Camera([GREY]), "sendonly")
            await driver.connect("/whip")
            viewer = Client(server.url)
            viewer.receive("video")
            _without_rtcp(viewer.connection)
            await viewer.connect("/whep")
            await until(lambda: len(viewer.frames) > 3)
            await asyncio.sleep(5)
            assert sum(r.kind == "whep" for r in server.hub.resources.values()) == 1

    asyncio.run(asyncio.wait_for(run(), 90))


def _without_rtcp(connection: RTCPeerConnection) -> None:
    for transceiver in connection.getTransceivers():

        async def nothing(_: object) -> None:
            pass

        transceiver.receiver._send_rtcp = nothing  # type: ignore[method-assign]
