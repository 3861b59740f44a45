"""HTTP connections as strangers open them: so many from one address, and each must say soon what it wants."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server as AiohttpServer

from mien.engine.utils.throttled_log import ThrottledLog
from mien.streams.webrtc.logs import LOG, log
from mien.streams.webrtc.problems import PROBLEM_JSON

HEADERS_S = 10.0
"""Seconds within which a connection must have sent a request's headers."""

KEPT_S = 75.0
"""Seconds for which a connection without a request is kept."""

EACH, ALL = 128, 1024
"""Connections from one address, and in all; a browser opens six, a proxy has one address for everybody."""

SERVER = "mien"
"""What responses say of the server: no versions, which tell a stranger which holes to try."""


class Handler(RequestHandler):
    """One connection; it is cut off when the headers of a request do not come in time."""

    __slots__ = ("_address", "_deadline")

    def __init__(self, manager: HttpServer, **named: Any) -> None:
        super().__init__(manager, **named)
        self._address = ""
        self._deadline: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or cut it off at once when there are too many."""
        manager: Any = self._manager
        super().connection_made(transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        if manager.admit(self._address):
            self._expect()
        else:
            self._deadline = self._loop.call_soon(self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        manager: Any = self._manager
        self._relax()
        if manager is not None:
            manager.forget(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass the data on; the deadline holds while they are a request's unfinished headers."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._relax()
        elif self._current_request is None and self._deadline is None and not self._messages:
            self._expect()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is not HTTP: a problem document, and one line in the log."""
        manager: Any = self._manager
        times = manager.bad.count("bad request") if manager is not None else 0
        if times:
            reason = f"{type(exc).__name__}: {exc}".splitlines()[0][:200] if exc is not None else message
            log("bad request", address=self._address, status=status, reason=reason, times=times)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the response has been sent already")
        title = "Bad Request" if status == 400 else "Internal Server Error"
        detail = "The request is not valid HTTP." if status == 400 else "The log says what went wrong."
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        response = web.Response(status=status, body=json.dumps(body).encode(), content_type=PROBLEM_JSON)
        response.headers.update({"Server": SERVER, "X-Content-Type-Options": "nosniff"})
        response.force_close()
        return response

    def _expect(self) -> None:
        self._deadline = self._loop.call_later(HEADERS_S, self.force_close)

    def _relax(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HttpServer(AiohttpServer):
    """Makes the handlers and counts their connections."""

    _addresses: Counter[str]
    bad: ThrottledLog

    def admit(self, address: str) -> bool:
        """Count one more connection; whether it may stay."""
        self._addresses[address] += 1
        return self._addresses[address] <= EACH and self._addresses.total() <= ALL

    def forget(self, address: str) -> None:
        """Count one less."""
        self._addresses[address] -= 1
        if self._addresses[address] <= 0:
            del self._addresses[address]

    def __call__(self) -> RequestHandler:
        """A handler for a new connection."""
        return Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An application's runner with such connections."""

    async def _make_server(self) -> AiohttpServer:
        server = await super()._make_server()
        server.__class__ = HttpServer
        vars(server).update(_addresses=Counter(), bad=ThrottledLog(LOG))
        return server
