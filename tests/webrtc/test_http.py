"""The server's HTTP side: what strangers send gets the right status and a problem document."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from fakes.avatar_engine import TintEngine
from fakes.web import Camera, Client, served
from PIL import Image as Pil

from mien.engine.types import MienError
from mien.streams.provenance.credentials import available
from mien.streams.webrtc.app import Server
from mien.streams.webrtc.metrics import Metrics
from mien.streams.webrtc.offer import read_offer
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.security import HEADERS, RateLimit
from mien.streams.webrtc.settings import IceServer, ServerSettings

GREY = np.full((64, 64, 3), 128, np.uint8)
PATTERN = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
Talk = Callable[[Server, aiohttp.ClientSession], Awaitable[None]]


def talk(with_server: Talk, engine: TintEngine | None = None, **settings: Any) -> None:
    """Run ``with_server`` against a fresh server."""

    async def run() -> None:
        async with (
            served(engine or TintEngine(), [(GREY, "grey")], **settings) as server,
            aiohttp.ClientSession(server.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
        ):
            await with_server(server, http)

    asyncio.run(asyncio.wait_for(run(), 120))


async def problem(response: aiohttp.ClientResponse) -> tuple[int, str]:
    """The status and detail of a problem document (RFC 9457)."""
    assert response.content_type == "application/problem+json", await response.text()
    body = json.loads(await response.text())
    assert body["status"] == response.status
    assert body["title"]
    return response.status, body["detail"]


async def an_offer(server: Server, *, video: bool = True, direction: str = "sendrecv") -> str:
    client = Client(server.url)
    if video:
        client.send(Camera([PATTERN]), direction)
    client.control()
    sdp = await client.offer()
    await client.close()
    return sdp


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG file that declares this size, whatever its data is."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Pil.fromarray(image).save(out, "JPEG")
    return out.getvalue()


def test_the_state_says_what_the_page_must_know() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.get("/api/state") as response:
            state = await response.json()
        assert state["ready"] is True
        assert (state["sessions"], state["max_sessions"], state["mark"]) == (0, 3, True)
        assert state["credentials"] is available()
        assert state["portraits"][0]["name"] == "grey"
        assert state["limits"] == {"portrait_bytes": 10 * 2**20, "portrait_pixels": 40_000_000}
        assert state["ice_servers"] == []
        async with http.get(state["portraits"][0]["image"]) as response:
            image = Pil.open(io.BytesIO(await response.read()))
            assert (response.content_type, image.size) == ("image/jpeg", (64, 64))

    talk(with_server, max_sessions=3)


def test_every_response_carries_the_security_headers() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        for path in ("/", "/api/state", "/nothing", "/healthz", "/metrics"):
            async with http.get(path) as response:
                for name in HEADERS:
                    assert name in response.headers, (path, name)

    talk(with_server)
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_no_path_of_a_clients_reaches_the_file_system() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        for path in (
            "/static/../app.py",
            "/static/..%2fapp.py",
            "/static//etc/passwd",
            "/static/%2e%2e/page.py",
        ):
            url = server.url + path
            async with http.get(aiohttp.client.URL(url, encoded=True)) as response:
                assert response.status == 404, path
        async with http.get("/api/portraits/..%2f..%2fapp.jpg") as response:
            assert response.status == 404

    talk(with_server)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"", "application/sdp", 400, "v=0"),
        (b"hello", "application/sdp", 400, "not SDP"),
        (b"v=0\r\nm=video nine RTP\r\n", "application/sdp", 400, "malformed"),
        (b"v=0\r\n" + b"\xff\xfe" * 40, "application/sdp", 400, "UTF-8"),
        (b"v=0\r\n", "text/plain", 415, "application/sdp"),
        (b"v=0\r\n", "application/json", 415, "application/sdp"),
        (b"v=0\r\n" + b"a=x\r\n" * 20_000, "application/sdp", 413, "64 KB"),
        (b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "application/sdp", 406, "no video"),
    ],
    ids=["empty", "text", "malformed", "not-utf8", "plain", "json", "huge", "no-video"],
)
@pytest.mark.parametrize("path", ["/session", "/whip", "/whep"])
def test_a_bad_offer_gets_the_right_status(
    path: str, body: bytes, content_type: str, status: int, words: str
) -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.post(path, data=body, headers={"Content-Type": content_type}) as response:
            found, detail = await problem(response)
        assert found == status
        assert words in detail
        assert not server.hub.streams

    talk(with_server)


def test_offers_that_cannot_be_answered_are_not_acceptable() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        offer = await an_offer(server)
        no_codec = offer.replace("VP8/90000", "AV1/90000").replace("H264/90000", "H265/90000")
        twice = offer + offer[offer.index("m=video") : offer.index("m=application")].replace(
            "a=mid:0", "a=mid:7"
        )
        only_sound = await an_offer(server, video=False)
        sends_only = await an_offer(server, direction="sendonly")
        receives_only = await an_offer(server, direction="recvonly")
        headers = {"Content-Type": "application/sdp"}
        for path, sdp in [
            ("/session", no_codec),
            ("/session", twice),
            ("/session", only_sound),
            ("/session", sends_only),
            ("/whip", receives_only),
            ("/whep", sends_only),
        ]:
            async with http.post(path, data=sdp, headers=headers) as response:
                assert response.status == 406, (path, sdp)
                await problem(response)
        async with http.post("/whep", data=offer, headers={**headers, "Accept": "text/html"}) as response:
            assert (await problem(response))[0] == 406
        no_finger = offer.replace("a=fingerprint", "a=nothing")
        async with http.post("/session", data=no_finger, headers=headers) as response:
            assert (await problem(response))[0] == 400
        assert not server.hub.streams

    talk(with_server)


def test_wrong_methods_are_named_and_so_are_the_right_ones() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        for path in ("/whip", "/whep", "/session"):
            for method in ("GET", "PUT", "DELETE"):
                async with http.request(method, path) as response:
                    assert (await problem(response))[0] == 405
                    assert "POST" in response.headers["Allow"]
            async with http.get(f"{path}/abc") as response:
                assert response.status == 405
                assert "PATCH" in response.headers["Allow"]
            async with http.options(path) as response:
                assert (response.status, response.headers["Accept-Post"]) == (200, "application/sdp")
            async with http.options(f"{path}/abc") as response:
                assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
            async with http.delete(f"{path}/abc") as response:
                assert (await problem(response))[0] == 404
            async with http.patch(f"{path}/abc", data="a=mid:0", headers=FRAGMENT) as response:
                assert (await problem(response))[0] == 404

    talk(with_server)


def test_nobody_is_served_before_the_model_is_loaded() -> None:
    engine = TintEngine()
    engine.ready, engine.reason = False, "the model is still loading"

    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.get("/healthz") as response:
            assert response.status == 200
        async with http.get("/readyz") as response:
            assert response.status == 503
        for path in ("/session", "/whip", "/whep", "/api/portraits"):
            kind = "image/png" if "portraits" in path else "application/sdp"
            async with http.post(path, data=b"v=0", headers={"Content-Type": kind}) as response:
                assert (await problem(response))[0] == 503
                assert int(response.headers["Retry-After"]) > 0
        engine.ready = True
        async with http.get("/readyz") as response:
            assert response.status == 200

    talk(with_server, engine)


def test_a_full_server_says_when_to_come_back() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        first = Client(server.url)
        first.send(Camera([PATTERN]))
        await first.connect("/session")
        async with http.post(
            "/session", data=await an_offer(server), headers={"Content-Type": "application/sdp"}
        ) as response:
            assert (await problem(response))[0] == 503
            assert int(response.headers["Retry-After"]) > 0
        assert await first.delete() == 200
        await first.close()
        second = Client(server.url)
        second.send(Camera([PATTERN]))
        await second.connect("/session")
        await second.close()

    talk(with_server, max_sessions=1)


def test_trickled_candidates_need_the_right_type_and_tag() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        client = Client(server.url)
        client.send(Camera([PATTERN]), "sendonly")
        await client.connect("/whip")
        assert client.location is not None
        etag = client.headers["ETag"]
        ufrag = client.connection.localDescription.sdp.partition("a=ice-ufrag:")[2].split()[0]
        good = (
            f"a=ice-ufrag:{ufrag}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
            "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
        )
        restart = good.replace(ufrag, "another0")
        cases: list[tuple[str, dict[str, str], int]] = [
            (good, {"If-Match": etag, **FRAGMENT}, 204),
            (good, {"If-Match": etag, "Content-Type": "application/sdp"}, 415),
            (good, FRAGMENT, 428),
            (good, {"If-Match": '"other"', **FRAGMENT}, 412),
            (restart, {"If-Match": "*", **FRAGMENT}, 422),
            ("what is this", {"If-Match": etag, **FRAGMENT}, 400),
            ("a=mid:0\r\na=candidate:1 1 udp\r\n", {"If-Match": etag, **FRAGMENT}, 400),
            ("a=candidate:" + "x" * 70_000, {"If-Match": etag, **FRAGMENT}, 413),
        ]
        for body, headers, status in cases:
            async with http.patch(client.location, data=body, headers=headers) as response:
                assert response.status == status, (body[:60], headers)
        await client.close()

    talk(with_server)


def test_ice_servers_are_told_to_pages_and_to_whip_clients() -> None:
    server = IceServer.parse("turn:127.0.0.1:9,ann,secret")
    assert server.link() == (
        '<turn:127.0.0.1:9>; rel="ice-server"; username="ann"; credential="secret"; '
        'credential-type="password"'
    )
    with pytest.raises(MienError, match="stun:HOST:PORT"):
        IceServer.parse("http://example.org")

    async def with_server(_: Server, http: aiohttp.ClientSession) -> None:
        async with http.get("/api/state") as response:
            servers = (await response.json())["ice_servers"]
        assert servers == [{"urls": "turn:127.0.0.1:9", "username": "ann", "credential": "secret"}]

    talk(with_server, ice_servers=(server,))


def test_one_address_cannot_ask_a_thousand_times_in_a_second() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async def ask() -> int:
            async with http.get("/api/state") as response:
                await response.read()
                if response.status == 429:
                    assert int(response.headers["Retry-After"]) > 0
                return response.status

        statuses = await asyncio.gather(*(ask() for _ in range(1000)))
        assert set(statuses) == {200, 429}
        assert statuses.count(429) > 100

    talk(with_server)


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    now = [0.0]
    limit = RateLimit(10, 5, clock=lambda: now[0])
    assert [limit.wait("a") > 0 for _ in range(7)] == [False] * 5 + [True] * 2
    assert limit.wait("b") == 0, "another address has its own"
    now[0] += 0.1
    assert limit.wait("a") == 0
    assert limit.wait("a") == pytest.approx(0.1)


def test_other_names_and_other_sites_are_refused_on_loopback() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.get("/api/state", headers={"Host": "evil.example"}) as response:
            assert (await problem(response))[0] == 403
        async with http.get("/api/state", headers={"Host": f"localhost:{server.port}"}) as response:
            assert response.status == 200
        body = {"Origin": "https://evil.example", "Content-Type": "application/sdp"}
        for path in ("/session", "/whip", "/whep"):
            async with http.post(path, data=b"v=0", headers=body) as response:
                assert (await problem(response))[0] == 403
                assert "Access-Control-Allow-Origin" not in response.headers
        async with http.options("/whep", headers=body) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
        headers = {"Origin": server.url, "Content-Type": "application/sdp"}
        async with http.post("/session", data=b"v=0", headers=headers) as response:
            assert (await problem(response))[0] == 406, "its own page may"

    talk(with_server)


def test_with_a_token_everything_but_the_health_needs_it() -> None:
    token = "correct-horse"

    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        for path in ("/", "/api/state", "/metrics", "/static/app.js"):
            async with http.get(path) as response:
                assert (await problem(response))[0] == 401
                assert response.headers["WWW-Authenticate"].startswith("Bearer")
        for path in ("/healthz", "/readyz"):
            async with http.get(path) as response:
                assert response.status == 200
        for given, status in [(token, 200), ("wrong-horse", 401)]:
            async with http.get("/api/state", headers={"Authorization": f"Bearer {given}"}) as response:
                assert response.status == status
        async with http.get("/?token=wrong-horse") as response:
            assert response.status == 401
        async with http.get(f"/?token={token}", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
        name = cookie.partition(";")[0]
        async with http.get("/api/state", headers={"Cookie": name}) as response:
            assert response.status == 200
        other = {"Origin": "https://player.example", "Content-Type": "application/sdp"}
        async with http.options("/whep", headers=other) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
            assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
        bearer = {**other, "Authorization": f"Bearer {token}"}
        async with http.post("/whep", data=b"v=0", headers=bearer) as response:
            assert (await problem(response))[0] == 406
            assert "Location" in response.headers["Access-Control-Expose-Headers"]
        async with http.post("/session", data=b"v=0", headers={**other, "Cookie": name}) as response:
            assert (await problem(response))[0] == 403, "a cookie alone does not come from other sites"

    talk(with_server, token=token)


def test_another_address_than_loopback_gets_a_token() -> None:
    settings = ServerSettings(host="0.0.0.0").checked()
    assert settings.token is not None
    assert len(settings.token) >= 24
    assert ServerSettings().checked().token is None
    with pytest.raises(MienError, match="--cert and --key"):
        ServerSettings(cert=__file__).checked()  # type: ignore[arg-type]
    with pytest.raises(MienError, match="8 characters"):
        ServerSettings(token="short").checked()


def test_more_photos_of_a_portraits_person_are_taken_from_its_visitor_alone() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        headers = {"Content-Type": "image/jpeg", "X-Name": "me"}
        async with http.post("/api/portraits", data=jpeg(PATTERN), headers=headers) as response:
            place = f"/api/portraits/{(await response.json())['id']}/photos"
            cookie = {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}
        headers = {**headers, "X-Name": "laughing.jpg"}
        async with aiohttp.ClientSession(server.url, headers=headers) as stranger:
            async with stranger.post(place, data=jpeg(PATTERN)) as response:
                assert response.status == 404
            async with stranger.post(place, data=jpeg(PATTERN), headers=cookie) as response:
                assert response.status == 201
                assert await response.json() == {"notes": ["photos: laughing.jpg is used."], "refused": []}
            async with stranger.post(place, data=jpeg(0 * PATTERN), headers=cookie) as response:
                assert (await response.json())["refused"] == ["photos: no face in laughing.jpg."]
            async with stranger.post(place, data=b"no image", headers=cookie) as response:
                assert response.status == 422
            async with stranger.get("/api/state", headers=cookie) as response:
                assert len((await response.json())["portraits"]) == 2, "none of them is a portrait"

    talk(with_server)


def test_a_portrait_is_taken_and_shown_to_its_visitor_alone() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        headers = {"Content-Type": "image/jpeg", "X-Name": "My\x00 dog <b>"}
        async with http.post(
            "/api/portraits", data=jpeg(PATTERN), headers={**headers, "X-Name": "My dog"}
        ) as r:
            assert r.status == 201
            body = await r.json()
            cookie = r.headers["Set-Cookie"].partition(";")[0]
        assert body["name"] == "My dog"
        assert body["notes"] == ["My dog is only a colour."]
        async with aiohttp.ClientSession(server.url) as stranger:
            async with stranger.get("/api/state") as response:
                assert len((await response.json())["portraits"]) == 1
            async with stranger.get(body["image"]) as response:
                assert response.status == 404
            async with stranger.get("/api/state", headers={"Cookie": cookie}) as response:
                assert len((await response.json())["portraits"]) == 2
            async with stranger.get(body["image"], headers={"Cookie": cookie}) as response:
                assert response.content_type == "image/jpeg"

    talk(with_server)


def test_what_is_no_portrait_is_refused() -> None:
    zeros = zlib.compress(bytes(10_000_000))
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    black = jpeg(np.zeros((64, 64, 3), np.uint8))
    cases: list[tuple[bytes, str, int, str]] = [
        (b"%PDF-1.7 ...", "application/pdf", 415, "JPEG"),
        (b"%PDF-1.7 ...", "image/png", 422, "JPEG"),
        (svg, "image/svg+xml", 415, "JPEG"),
        (svg, "image/png", 422, "JPEG"),
        (b"PK\x03\x04" + bytes(500), "image/jpeg", 422, "JPEG"),
        (b"", "image/png", 422, "JPEG"),
        (png(20_000, 20_000, zeros), "image/png", 413, "40 megapixels"),
        (png(64, 64, b"not deflate"), "image/png", 422, "damaged"),
        (jpeg(PATTERN)[:300], "image/jpeg", 422, "damaged"),
        (b"\xff\xd8\xff" + bytes(10 * 2**20), "image/jpeg", 413, "KB"),
        (black, "image/jpeg", 422, "No face"),
    ]

    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        for body, kind, status, words in cases:
            async with http.post("/api/portraits", data=body, headers={"Content-Type": kind}) as response:
                found, detail = await problem(response)
            assert (found, words in detail) == (status, True), (body[:12], detail)

    talk(with_server)


def test_of_an_animated_gif_the_first_image_is_taken() -> None:
    frames = [Pil.new("RGB", (40, 40), colour) for colour in ((200, 10, 10), (10, 200, 10))]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])

    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.post(
            "/api/portraits", data=out.getvalue(), headers={"Content-Type": "image/gif"}
        ) as response:
            assert response.status == 201
            body = await response.json()
        async with http.get(body["image"]) as response:
            red, green, _ = Pil.open(io.BytesIO(await response.read())).getpixel((20, 20))
        assert (red > 150, green < 60) == (True, True)

    talk(with_server)


def test_the_metrics_are_prometheus_text() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        server.hub.metrics.observe({"track": 7.0, "render": 21.0})
        async with http.get("/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await response.text()
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        assert lines["mien_ready"] == "1"
        assert lines['mien_stage_milliseconds_bucket{stage="track",le="5"}'] == "0"
        assert lines['mien_stage_milliseconds_bucket{stage="track",le="10"}'] == "1"
        assert lines['mien_stage_milliseconds_bucket{stage="track",le="+Inf"}'] == "1"
        assert lines['mien_stage_milliseconds_sum{stage="render"}'] == "21.000"

    talk(with_server)


def test_counters_are_told_to_the_last_digit() -> None:
    metrics = Metrics()
    metrics.gauge("pictures_total", "Frames.", lambda: 12345678)
    assert "mien_pictures_total 12345678" in metrics.text().splitlines()


def test_a_compressed_body_is_refused_before_it_is_unpacked() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        bomb = zlib.compress(b"v=0\r\n" + bytes(50_000_000))
        headers = {"Content-Type": "application/sdp", "Content-Encoding": "deflate"}
        async with http.post("/session", data=bomb, headers=headers) as response:
            status, detail = await problem(response)
            assert (status, response.headers["Accept-Encoding"]) == (415, "identity")
        assert "compressed" in detail

    talk(with_server)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Authorization: Bearer \xff\xfe", 401),
        (b"Cookie: mien-token=\xff\xfe", 401),
        (b"Origin: http://[", 403),
    ],
)
def test_headers_that_are_no_text_are_refused_like_any_others(header: bytes, status: int) -> None:
    async def with_server(server: Server, _: aiohttp.ClientSession) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        host = f"127.0.0.1:{server.port}".encode()
        writer.write(b"GET /api/state HTTP/1.1\r\nHost: " + host + b"\r\n" + header + b"\r\n\r\n")
        assert int((await reader.readline()).split()[1]) == status
        writer.close()

    talk(with_server, token="only-for-the-test")


def test_an_offer_of_thousands_of_lines_is_not_even_parsed() -> None:
    with pytest.raises(Problem, match="more than 1000 lines"):
        read_offer("v=0\r\n" + "a=ssrc:1 cname:x\r\n" * 3000, local_only=True)


def test_a_mistake_of_ours_is_a_problem_document_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        monkeypatch.setattr(server.hub.portraits, "seen_by", lambda _: 1 / 0)
        async with http.get("/api/state") as response:
            assert (await problem(response))[0] == 500
            assert response.headers["X-Content-Type-Options"] == "nosniff"

    talk(with_server)


def test_the_address_that_is_told_is_one_that_answers() -> None:
    async def run() -> None:
        for host in ("localhost", "127.0.0.1"):
            async with (
                served(TintEngine(), [(GREY, "grey")], host=host) as server,
                aiohttp.ClientSession() as http,
                http.get(f"{server.url}/healthz") as response,
            ):
                assert response.status == 200

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.skipif(not available(), reason='needs pip install ".[provenance]"')
def test_what_a_visitor_recorded_gets_content_credentials() -> None:
    import c2pa

    image = io.BytesIO()
    Pil.fromarray(PATTERN).save(image, "PNG")

    async def signs(server: Server, http: aiohttp.ClientSession) -> None:
        png = {"Content-Type": "image/png"}
        async with http.post("/api/credentials", data=image.getvalue(), headers=png) as response:
            assert (response.status, response.content_type) == (200, "image/png")
            kept = await response.read()
        with c2pa.Reader("image/png", io.BytesIO(kept)) as reader:
            assert reader.get_validation_state() == "Valid" and "compositeSynthetic" in reader.json()
        assert np.array_equal(np.asarray(Pil.open(io.BytesIO(kept))), PATTERN)
        for kind, data, status in [
            ("image/png", b"no image", 422),
            ("image/png", b"", 422),
            ("video/mp4", image.getvalue(), 422),
            ("video/webm", b"\x1aE\xdf\xa3", 415),
        ]:
            async with http.post("/api/credentials", data=data, headers={"Content-Type": kind}) as response:
                found, detail = await problem(response)
                assert found == status
                assert "/" not in detail, "no path of this machine's"
        async with http.post(
            "/api/credentials", data=b"", headers={**png, "Origin": "http://evil"}
        ) as refused:
            assert refused.status == 403

    talk(signs)


def test_recordings_beyond_the_bound_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.streams.webrtc.credentials.RECORDING_BYTES", 1000)
    monkeypatch.setattr("mien.streams.webrtc.credentials.available", lambda: True)

    async def large(server: Server, http: aiohttp.ClientSession) -> None:
        for body in (b"x" * 2000, _dripping()):
            async with http.post(
                "/api/credentials", data=body, headers={"Content-Type": "video/mp4"}
            ) as response:
                assert (await problem(response))[0] == 413

    talk(large)


async def _dripping() -> AsyncIterator[bytes]:
    """A body without a length."""
    for _ in range(20):
        yield b"x" * 100


@pytest.mark.parametrize("why", ["no mark", "no package"])
def test_without_mark_or_package_nothing_is_signed(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.streams.webrtc.credentials.available", lambda: why != "no package")

    async def refuses(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.get("/api/state") as response:
            assert (await response.json())["credentials"] is False
        async with http.post("/api/credentials", data=b"", headers={"Content-Type": "image/png"}) as response:
            assert (await problem(response))[0] == 404

    talk(refuses, mark=why != "no mark")
