"""Thousands of mutated offers and candidates: every answer is a judgement, and nothing is sent elsewhere."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
import re
import shutil
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from fakes.peers.network import HERE, Process
from fakes.web import Camera, Client

SECONDS, WANTED = 40.0, 1000
OFFERS = ("/session", "/whip", "/whep")
WORDS = (
    "", "0", "-1", "65536", "9" * 20, "\u202e", "\x00", "IN IP4 192.0.2.9", "udp", "tcp", "a=mid:0", "*",
    "a=group:BUNDLE 0 0 0", "m=video 0 UDP/TLS/RTP/SAVPF 96", "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=setup:holdconn", "a=fmtp:97 apt=97", "a=rtpmap:97 H264/90000", "a=fmtp:97 profile-level-id=zzz",
    "a=ice-lite", "a=end-of-candidates", "a=extmap:0 x", "a=inactive", "a=ssrc-group:FID 1 2",
    "a=extmap:15/sendonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "a=simulcast:send 1;2", "a=rid:1 send", "a=sctp-port:0", "a=max-message-size:-5", "a=msid:- -",
    "a=fingerprint:sha-256 00", "a=fingerprint:md5 AA", "a=rtcp:9 IN IP4 0.0.0.0", "a=bundle-only",
)  # fmt: skip
HOSTS = (
    "192.0.2.9", "10.1.2.3", "169.254.169.254", "255.255.255.255", "224.0.0.251", "0.0.0.0",
    "::ffff:192.0.2.9", "2001:db8::1", "fe80::1", "printer.local", "x", "127.0.0.1", "::1", "1.2.3",
    "127.0.0.1%lo", "[::1]",
)  # fmt: skip


def candidate(rng: random.Random) -> str:
    """A candidate line, mostly well-formed."""
    port = rng.choice([0, 9, 53, 5353, 65535, 65536, -1, 40000 + rng.randrange(9999)])
    kind = rng.choice(["host", "srflx", "relay", "prflx", "x"])
    component, protocol = rng.choice([1, 1, 1, 2, 0]), rng.choice(["udp", "UDP", "tcp"])
    line = f"a=candidate:{rng.randrange(9)} {component} {protocol} "
    line += f"{rng.choice([1, 2**31 - 1, 2**40])} {rng.choice(HOSTS)} {port} typ {kind}"
    return line + rng.choice(["", " raddr 0.0.0.0 rport 9", " tcptype active", " generation 0 ufrag x"])


def mutate(text: str, rng: random.Random) -> str:
    """One to four things done to a text."""
    lines = text.split("\r\n")
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(lines))
        kind = rng.randrange(8)
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines.insert(place, rng.choice(lines))
        elif kind == 2:
            lines.insert(place, rng.choice(WORDS))
        elif kind == 3:
            lines.insert(place, candidate(rng))
        elif kind == 4:
            bits = re.split(r"([ :/=;])", lines[place])
            bits[rng.randrange(len(bits))] = rng.choice(WORDS)
            lines[place] = "".join(bits)
        elif kind == 5 and lines[place]:
            at = rng.randrange(len(lines[place]))
            lines[place] = lines[place][:at] + chr(rng.randrange(1, 300)) + lines[place][at + 1 :]
        elif kind == 6:
            other = rng.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        else:
            del lines[rng.randrange(place, len(lines)) :]
        lines = lines or [""]
    return "\r\n".join(lines)


async def offers(url: str) -> list[str]:
    """Offers of the three kinds, from a client that closes again."""
    made = []
    for direction in ("sendrecv", "sendonly", "recvonly"):
        client = Client(url)
        if direction == "recvonly":
            client.receive("video")
            client.receive("audio")
        else:
            client.send(Camera([]), direction)
            client.control()
        made.append(await client.offer())
        await client.close()
    return made


async def bombard(url: str, rng: random.Random) -> dict[int, int]:
    """How often each status came; sessions that come about get mutated candidates and are ended."""
    statuses: dict[int, int] = {}
    sdp = {"Content-Type": "application/sdp"}
    bases = await offers(url)
    end = time.monotonic() + SECONDS
    async with aiohttp.ClientSession(url) as http:
        while sum(statuses.values()) < WANTED and time.monotonic() < end:
            path, body = rng.choice(OFFERS), mutate(rng.choice(bases), rng)
            async with http.post(path, data=body.encode(errors="replace"), headers=sdp) as response:
                statuses[response.status] = statuses.get(response.status, 0) + 1
                assert response.status < 500 or response.status == 503, (response.status, path, body)
                location, etag = response.headers.get("Location"), response.headers.get("ETag", "*")
            if location is None:
                continue
            ufrag = f"a=ice-ufrag:{re.search('a=ice-ufrag:(.*)', body + 'a=ice-ufrag:x')[1].strip()}"  # type: ignore[index]
            headers = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": etag}
            for _ in range(3):
                good = "\r\n".join([ufrag, "m=video 9 X 0", "a=mid:0", candidate(rng), candidate(rng)])
                fragment = rng.choice([good, mutate(good, rng)]).encode(errors="replace")
                async with http.patch(location, data=fragment, headers=headers) as response:
                    statuses[response.status] = statuses.get(response.status, 0) + 1
                    assert response.status < 500, (response.status, fragment)
            async with http.delete(location) as response:
                assert response.status in (200, 404)
    return statuses


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("driven", [False, True], ids=["drivers", "viewers"])
def test_mutated_offers_and_candidates_are_judged_and_nothing_is_sent_elsewhere(
    tmp_path: Path, driven: bool
) -> None:
    seed = int(os.environ.get("MIEN_SEED", random.SystemRandom().randrange(2**32)))
    calls = tmp_path / "calls"
    watched = "trace=connect,sendto,sendmsg,sendmmsg"
    strace = ["strace", "-f", "--seccomp-bpf", "-e", watched, "-o", str(calls)]
    server = Process(
        [*strace, sys.executable, str(HERE / "tint_server.py"), "--rate", "100000", *(["--drive"] * driven)]
    )
    try:
        url = server.until(lambda line: line.startswith("http"))
        statuses = asyncio.run(asyncio.wait_for(bombard(url, random.Random(seed)), 2 * SECONDS))
        time.sleep(1)
    finally:
        server.end()
        told = [line for line in server.lines if not line.startswith("{")]
        print(f"\nseed {seed}; the server said:", *told[-40:], sep="\n")
    print(f"{sum(statuses.values())} requests, by status {dict(sorted(statuses.items()))}")
    assert sum(statuses.values()) >= 300
    assert not [line for line in server.lines if "Traceback" in line or "never retrieved" in line]
    pattern = r'sin6?_port=htons\(\d+\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"'
    found = set(re.findall(pattern, calls.read_text(encoding="utf-8")))
    strangers = {ip for ip in found if not _allowed(ip)}
    assert found and not strangers, strangers


def _allowed(ip: str) -> bool:
    import ifaddr

    ips = [found.ip for adapter in ifaddr.get_adapters() for found in adapter.ips]
    own = {found if isinstance(found, str) else found[0] for found in ips}
    return ipaddress.ip_address(ip).is_loopback or ip in own
