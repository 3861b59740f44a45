"""Connections and cookies: what strangers leave half done ends, and nothing of the token is in a cookie."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from fakes.avatar_engine import TintEngine
from fakes.web import served

from mien.streams.webrtc import connections
from mien.streams.webrtc.app import Server
from mien.streams.webrtc.settings import IceServer

GREY = np.full((64, 64, 3), 128, np.uint8)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


def talk(with_server: Callable[[Server], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with served(TintEngine(), [(GREY, "grey")], **settings) as server:
            await with_server(server)

    asyncio.run(asyncio.wait_for(run(), 60))


async def ask(server: Server, request: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def get(server: Server, path: str, method: str = "GET", more: str = "") -> bytes:
    host = f"127.0.0.1:{server.port}"
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n".encode()


def test_headers_that_never_end_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.5)

    async def half(server: Server) -> None:
        host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
        beginnings = [b"", b"GET", b"GET / HTTP/1.1\r\n" + host + b"X-A: b", b"\x16\x03\x01"]
        answers = await asyncio.gather(*(ask(server, beginning) for beginning in beginnings))
        assert all(b"200" not in answer for answer in answers)
        # After a request that was answered, too.
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n")
        assert b"200" in await reader.readline()
        writer.write(b"GET /healthz HTT")
        await asyncio.wait_for(reader.read(), 10)
        writer.close()

    talk(half)


def test_a_body_that_comes_slowly_is_not_taken_for_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.3)

    async def slow(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(get(server, "/whip", "POST", "Content-Type: application/sdp\r\nContent-Length: 3\r\n"))
        for byte in (b"v", b"=", b"0"):
            await asyncio.sleep(0.4)
            writer.write(byte)
        assert b" 406 " in await reader.readline()
        writer.close()

    talk(slow)


def test_what_is_not_http_gets_one_line_in_the_log_and_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    async def bad(server: Server) -> None:
        for _ in range(20):
            answer = await ask(server, b"GET / HTTP/9.9\r\nBroken\x00Header\r\n\r\n")
        assert answer.startswith(b"HTTP/1.0 400") or answer.startswith(b"HTTP/1.1 400")
        assert b"application/problem+json" in answer
        assert b"Python" not in answer and b"aiohttp" not in answer

    with caplog.at_level(logging.DEBUG):
        talk(bad)
    told = [record for record in caplog.records if record.getMessage() == "bad request"]
    assert len(told) == 1, "the others are counted"
    assert all(record.exc_info is None for record in caplog.records), "no traceback"


def test_one_address_has_so_many_connections_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "EACH", 5)

    async def many(server: Server) -> None:
        open_ = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
        assert await ask(server, get(server, "/healthz")) == b""
        open_.pop()[1].close()
        await asyncio.sleep(0.2)
        assert b"200" in await ask(server, get(server, "/healthz"))
        for _, writer in open_:
            writer.close()

    talk(many)


def test_responses_tell_no_versions_and_head_works_on_the_page() -> None:
    async def look(server: Server) -> None:
        for method, path in (("GET", "/"), ("HEAD", "/"), ("GET", "/nothing"), ("GET", "/metrics")):
            head = (await ask(server, get(server, path, method))).partition(b"\r\n\r\n")[0]
            assert b"\r\nServer: mien" in head
            assert (b" 404 " if path == "/nothing" else b" 200 ") in head

    talk(look)


def test_health_is_told_however_often_it_is_asked() -> None:
    async def often(server: Server) -> None:
        async with aiohttp.ClientSession(server.url) as http:
            for _ in range(40):
                async with http.get("/healthz") as response:
                    assert response.status == 200
            statuses = set()
            for _ in range(10):
                async with http.get("/api/state") as response:
                    statuses.add(response.status)
            assert statuses == {200, 429}

    talk(often, rate=0.1, burst=5)


def test_the_pages_cookie_is_of_this_port_and_has_nothing_of_the_token() -> None:
    async def visit(server: Server) -> str:
        async with (
            aiohttp.ClientSession(server.url) as http,
            http.get("/?token=correct-horse", allow_redirects=False) as response,
        ):
            cookie = response.headers["Set-Cookie"]
        name, value = cookie.partition(";")[0].split("=")
        assert name == f"mien-token-{server.port}"
        assert "correct-horse" not in cookie and len(value) == 64
        async with aiohttp.ClientSession(server.url) as http:
            others = (f"{name}=correct-horse", f"mien-token={value}")
            for given, status in ((f"{name}={value}", 200), (others[0], 401), (others[1], 401)):
                async with http.get("/api/state", headers={"Cookie": given}) as response:
                    assert response.status == status
        return value

    async def run() -> list[str]:
        values = []
        for token in ("correct-horse", "correct-horse"):
            async with served(TintEngine(), [(GREY, "grey")], token=token) as server:
                values.append(await visit(server))
        return values

    first, second = asyncio.run(asyncio.wait_for(run(), 60))
    assert first == second, "who was let in comes back after the server has been started again"


def test_an_ice_servers_password_may_have_quotes() -> None:
    server = IceServer("turn:127.0.0.1:9", "ann", 'a"b\\c')
    assert 'credential="a\\"b\\\\c"' in server.link()
